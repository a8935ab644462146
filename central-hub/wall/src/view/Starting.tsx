//! The first moment: is anybody signed in? Keeps asking while the hub does not answer.
import { createSignal, onCleanup, onMount, Show } from 'solid-js'
import * as hub from '../hub'
import { t } from '../language'
import { Mark } from './icons'

const AGAIN_MS = 3000

/** `onSilence`: the hub does not answer; true if the page goes on without it. */
export function Starting(props: { onSession: (who: hub.Oneself) => void; onNone: () => void; onSilence: () => boolean }) {
  const [silent, setSilent] = createSignal(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  const ask = () =>
    void hub.session().then(props.onSession, (why: unknown) => {
      if (why instanceof hub.Refused && why.reason === 'session') return props.onNone()
      if (props.onSilence()) return
      setSilent(true)
      timer = setTimeout(ask, AGAIN_MS)
    })
  onMount(ask)
  onCleanup(() => clearTimeout(timer))
  return (
    <main class="starting" aria-busy={true}>
      <Mark />
      <Show when={silent()}>
        <p role="status">{t().unreachableStart}</p>
      </Show>
    </main>
  )
}
