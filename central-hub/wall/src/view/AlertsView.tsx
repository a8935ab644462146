//! The alerts: what happened last, what happened before, and whether the boxes and cameras see. Owns: which alert is open, and
//! the keys for that.
import { createSignal, onCleanup, onMount, Show } from 'solid-js'
import type { Desk } from '../desk'
import type { Entry } from '../places'
import { Detail } from './Detail'
import { Devices } from './Devices'
import { isPlainKey } from './keyboard'
import { Latest } from './Latest'
import { Stream, type Hands } from './Stream'

export function AlertsView(props: { desk: Desk }) {
  const [open, setOpen] = createSignal<Entry | null>(null)
  let stream: Hands | undefined

  const step = (by: number) => {
    const list = props.desk.entries()
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
    if (!isPlainKey(event) || (!open() && document.querySelector('dialog[open]'))) return
    const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key]
    if (event.key === 'Escape' && !open()) stream?.toTop()
    else if (by && open()) step(by)
    else if (by) stream?.move(by)
    else return
    event.preventDefault()
  }
  onMount(() => document.addEventListener('keydown', pressed))
  onCleanup(() => document.removeEventListener('keydown', pressed))
  return (
    <main class="desk">
      <Latest desk={props.desk} onOpen={setOpen} />
      <Stream desk={props.desk} onOpen={setOpen} hands={(given) => (stream = given)} />
      <Devices desk={props.desk} />
      <Show when={open()}>{(entry) => <Detail desk={props.desk} entry={entry()} onStep={step} onClose={close} />}</Show>
    </main>
  )
}
