//! The operator's page: the queue of incidents, or the alerts that they are made of. Owns: which of both is shown (the address
//! says it), and the keys that count everywhere.
import { createEffect, createSignal, onCleanup, onMount, Show } from 'solid-js'
import { openDesk } from '../desk'
import type { Oneself } from '../hub'
import { openIncidents } from '../incidents'
import { length, switchLanguage, t } from '../language'
import { openSound } from '../sound'
import { AlertsView } from './AlertsView'
import { Announcer } from './Announcer'
import { Bells } from './Bells'
import { isPlainKey } from './keyboard'
import { Keys } from './Keys'
import { QueueView } from './queue/QueueView'
import { TopBar } from './TopBar'

/** Without a word from the hub for this long, the page says so across its whole width. */
const SILENT_MS = 20_000

export type View = 'queue' | 'alerts'
const PATHS: Record<View, string> = { queue: '/', alerts: '/alerts' }

export function Wall(props: { who: Oneself | null; onSessionEnd: () => void; onSignOut: () => void }) {
  const desk = openDesk(props.onSessionEnd)
  const incidents = openIncidents(desk, props.onSessionEnd)
  const sound = openSound()
  const [asked, setAsked] = createSignal<View>(viewOf(location.pathname))
  const [keys, setKeys] = createSignal(false)
  const view = (): View => (incidents.allowed() ? asked() : 'alerts')

  const show = (next: View) => {
    if (next === asked()) return
    setAsked(next)
    history.pushState(null, '', PATHS[next] + location.search)
  }
  const back = () => void setAsked(viewOf(location.pathname))
  const pressed = (event: KeyboardEvent) => {
    if (!isPlainKey(event) || (!keys() && document.querySelector('dialog[open]'))) return
    if (event.key === '?') setKeys(!keys())
    else if (event.key === 'l') switchLanguage()
    else if (event.key === 'g' && incidents.allowed()) show(view() === 'queue' ? 'alerts' : 'queue')
    else return
    event.preventDefault()
  }
  onMount(() => {
    document.addEventListener('keydown', pressed)
    window.addEventListener('popstate', back)
  })
  onCleanup(() => {
    document.removeEventListener('keydown', pressed)
    window.removeEventListener('popstate', back)
    sound.close()
  })
  createEffect(() => (document.title = `${t().product} ${t().productOther}${desk.link() === 'live' ? '' : ' – ' + t().reconnecting}`))

  return (
    <div class="wall" data-link={desk.link()} data-view={view()}>
      <TopBar desk={desk} incidents={incidents} sound={sound} view={view()} onView={show} who={props.who} onSignOut={props.onSignOut} onKeys={() => setKeys(true)} />
      <Show when={desk.link() !== 'live' && desk.age() > SILENT_MS}>
        <p class="silent" role="alert">
          <b>{t().unreachable}</b>
          <span>{t().unreachableWhy(length(Math.floor(desk.age() / 5000) * 5000))}</span>
        </p>
      </Show>
      <Show when={view() === 'queue'} fallback={<AlertsView desk={desk} />}>
        <QueueView desk={desk} incidents={incidents} />
      </Show>
      <Announcer desk={desk} />
      <Bells desk={desk} incidents={incidents} sound={sound} />
      <Show when={keys()}>
        <Keys queue={view() === 'queue'} onClose={() => setKeys(false)} />
      </Show>
    </div>
  )
}

const viewOf = (path: string): View => (path === PATHS.alerts ? 'alerts' : 'queue')
