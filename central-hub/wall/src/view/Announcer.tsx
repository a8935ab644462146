//! Says new alerts to a screen reader, politely: one at a time, the rest as a number.
import { createSignal, onCleanup } from 'solid-js'
import type { Desk } from '../desk'
import { t } from '../language'
import type { Alert } from '../wire'
import { cameraWord, kindWord, severitySpoken } from './words'

const PAUSE_MS = 4000

export function Announcer(props: { desk: Desk }) {
  const [said, setSaid] = createSignal('')
  let waiting = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  const pause = () => {
    timer = setTimeout(() => {
      timer = undefined
      if (waiting === 0) return
      setSaid(t().announceMore(waiting))
      waiting = 0
      pause()
    }, PAUSE_MS)
  }
  const stop = props.desk.onNews((alert: Alert) => {
    if (timer !== undefined) return void waiting++
    setSaid(t().announce(severitySpoken(alert), kindWord(alert.kind), cameraWord(alert)))
    pause()
  })
  onCleanup(() => (stop(), clearTimeout(timer)))
  return (
    <p class="unseen" role="log" aria-live="polite" data-name="announcer">
      {said()}
    </p>
  )
}
