//! The bar at the top: whose wall this is, whether it is live, and the time.
import { Match, Show, Switch } from 'solid-js'
import type { Desk } from '../desk'
import type { Oneself } from '../hub'
import { clock, day, length, switchLanguage, t } from '../language'
import { Mark, StateIcon } from './icons'

export function TopBar(props: { desk: Desk; who: Oneself | null; onSignOut: () => void; onKeys: () => void }) {
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
        <a class="bar__care" href="#devices" aria-label={t().needCare(props.desk.counts().bad)} data-mood="bad">
          <StateIcon state="care" />
          {props.desk.counts().bad}
        </a>
      </Show>
      <p class="bar__time">
        <span class="bar__day">{day(props.desk.now())}</span>
        <time class="bar__clock">{clock(props.desk.now())}</time>
      </p>
      <nav class="bar__actions" aria-label={t().product}>
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
