//! The bar at the top: whose wall this is, which page, whether it is live, the sound, and the time.
import { For, Match, Show, Switch } from 'solid-js'
import type { Desk } from '../desk'
import type { Oneself } from '../hub'
import type { Incidents } from '../incidents'
import { clock, day, length, switchLanguage, t } from '../language'
import { groupOf } from '../queue'
import type { Sound } from '../sound'
import { Mark, SoundIcon, StateIcon } from './icons'
import type { View } from './Wall'

export function TopBar(props: {
  desk: Desk
  incidents: Incidents
  sound: Sound
  view: View
  onView: (view: View) => void
  who: Oneself | null
  onSignOut: () => void
  onKeys: () => void
}) {
  const toDo = () => props.incidents.items().filter((item) => groupOf(item, props.desk.now()) === 'now').length
  const tabs = () => [['queue', t().queue.tab], ['alerts', t().queue.alertsTab]] as const
  const site = () => {
    const sites = props.desk.sites()
    return sites.length > 1 ? t().sites(sites.length) : sites[0] && props.desk.siteName(sites[0])
  }
  return (
    <header class="bar">
      <p class="bar__brand">
        <Mark />
        <b>{t().product}</b>
        <span lang={t().product === 'Signalbox' ? 'zh-CN' : 'en'}>{t().productOther}</span>
      </p>
      <Show when={site()}>
        <p class="bar__site">{site()}</p>
      </Show>
      <Show when={props.incidents.allowed()}>
        <nav class="tabs" aria-label={t().queue.tab}>
          <For each={tabs()}>
            {([view, name]) => (
              <button class="tab" type="button" aria-current={props.view === view ? 'page' : undefined} onClick={() => props.onView(view)} data-name={`tab-${view}`}>
                {name}
                <Show when={view === 'queue' && toDo() > 0}>
                  <b class="tab__count">{toDo()}</b>
                </Show>
              </button>
            )}
          </For>
        </nav>
      </Show>
      <p class="link" role="status" data-link={props.desk.link()}>
        <span class="link__lamp" aria-hidden="true" />
        <Switch>
          <Match when={props.desk.link() === 'live'}>{t().live}</Match>
          <Match when={props.desk.link() === 'connecting'}>{t().connecting}</Match>
          <Match when={true}>{t().reconnecting}</Match>
        </Switch>
      </p>
      <Show when={props.desk.link() === 'reconnecting' && props.desk.age() >= 3000}>
        <p class="bar__age">{t().dataAge(length(props.desk.age()))}</p>
      </Show>
      <Show when={props.desk.counts().bad > 0}>
        <a class="bar__care" href={props.view === 'alerts' ? '#devices' : '/alerts#devices'} onClick={(event: Event) => props.view === 'queue' && (event.preventDefault(), props.onView('alerts'))} aria-label={t().needCare(props.desk.counts().bad)} data-mood="bad">
          <StateIcon state="care" />
          {props.desk.counts().bad}
        </a>
      </Show>
      <p class="bar__time">
        <span class="bar__day">{day(props.desk.now())}</span>
        <time class="bar__clock">{clock(props.desk.now())}</time>
      </p>
      <nav class="bar__actions" aria-label={t().product}>
        <Show when={props.incidents.allowed()}>
          <button class="button button--quiet" type="button" aria-pressed={props.sound.on()} onClick={() => props.sound.toggle()} title={t().queue.soundWhy} data-name="sound">
            <SoundIcon on={props.sound.on()} />
            {props.sound.on() ? t().queue.soundOn : t().queue.soundOff}
          </button>
        </Show>
        <button class="button button--quiet bar__keys" type="button" onClick={props.onKeys}>
          {t().keysButton} <kbd>?</kbd>
        </button>
        <button class="button button--quiet" type="button" onClick={switchLanguage} aria-label={t().switchToSpoken} data-name="language">
          {t().switchTo}
        </button>
        <Show when={props.who}>
          {(who) => (
            <span class="bar__who" title={t().signedInAs(who().user)}>
              {who().name || who().user}
            </span>
          )}
        </Show>
        <button class="button button--quiet" type="button" onClick={props.onSignOut}>
          {t().signOut}
        </button>
      </nav>
    </header>
  )
}
