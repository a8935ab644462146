//! The first page: what happened last, what happened before, and whether the boxes and cameras see.
//! Owns: which alert is open, and the keys.
import { createEffect, createSignal, onCleanup, onMount, Show } from 'solid-js'
import { openDesk } from '../desk'
import type { Oneself } from '../hub'
import type { Entry } from '../places'
import { length, switchLanguage, t } from '../language'
import { Announcer } from './Announcer'
import { Detail } from './Detail'
import { Devices } from './Devices'
import { Keys } from './Keys'
import { Latest } from './Latest'
import { Stream } from './Stream'
import { TopBar } from './TopBar'

/** Without a word from the hub for this long, the page says so across its whole width. */
const SILENT_MS = 20_000

export function Wall(props: { who: Oneself | null; onSessionEnd: () => void; onSignOut: () => void }) {
  const desk = openDesk(props.onSessionEnd)
  const [open, setOpen] = createSignal<Entry | null>(null)
  const [keys, setKeys] = createSignal(false)
  let stream: { move: (by: number) => void; toTop: () => void; focus: (id: string) => void } | undefined

  const step = (by: number) => {
    const list = desk.entries()
    const at = list.findIndex((entry) => entry.id === open()?.id)
    const next = list[at + by]
    if (at >= 0 && next) setOpen(next)
  }
  const close = () => {
    const id = open()?.id
    setOpen(null)
    if (id) stream?.focus(id)
  }
  const pressed = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.altKey || event.metaKey || isField(event.target)) return
    const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key]
    if (event.key === '?') setKeys(!keys())
    else if (event.key === 'l' && !open()) switchLanguage()
    else if (event.key === 'Escape' && !open() && !keys()) stream?.toTop()
    else if (by && open()) step(by)
    else if (by && !keys()) stream?.move(by)
    else return
    event.preventDefault()
  }
  onMount(() => document.addEventListener('keydown', pressed))
  onCleanup(() => document.removeEventListener('keydown', pressed))
  createEffect(() => (document.title = `${t().product} ${t().productOther}${desk.link() === 'live' ? '' : ' – ' + t().reconnecting}`))

  return (
    <div class="wall" data-link={desk.link()}>
      <TopBar desk={desk} who={props.who} onSignOut={props.onSignOut} onKeys={() => setKeys(true)} />
      <Show when={desk.link() !== 'live' && desk.age() > SILENT_MS}>
        <p class="silent" role="alert">
          <b>{t().unreachable}</b>
          <span>{t().unreachableWhy(length(Math.floor(desk.age() / 5000) * 5000))}</span>
        </p>
      </Show>
      <main class="desk">
        <Latest desk={desk} onOpen={setOpen} />
        <Stream desk={desk} onOpen={setOpen} hands={(given) => (stream = given)} />
        <Devices desk={desk} />
      </main>
      <Announcer desk={desk} />
      <Show when={open()}>{(entry) => <Detail desk={desk} entry={entry()} onStep={step} onClose={close} />}</Show>
      <Show when={keys()}>
        <Keys onClose={() => setKeys(false)} />
      </Show>
    </div>
  )
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement
}
