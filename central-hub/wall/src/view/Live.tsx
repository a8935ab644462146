//! A camera's live picture, with what it is and how it stands in words; until it comes, the last still.
import { createSignal, onCleanup, onMount, Show, type JSX } from 'solid-js'
import { t } from '../language'
import { watchCamera, type CameraOf, type LiveSaid } from '../live'
import { Dialog } from './Dialog'

export function Live(props: { of: CameraOf; name: string; children?: JSX.Element }) {
  let video!: HTMLVideoElement
  const [said, setSaid] = createSignal<LiveSaid>({ mood: 'connecting', why: null })
  onMount(() => onCleanup(watchCamera({ agent: props.of.agent, camera: props.of.camera }, video, setSaid)))
  const why = () => {
    const code = said().why
    return said().mood === 'refused' && code ? (t().watching_live.why[code] ?? t().watching_live.whyOther) : null
  }
  return (
    <div class="live" data-mood={said().mood} data-name="live">
      {props.children}
      <video ref={video} class="live__picture" muted autoplay playsinline aria-label={t().watching_live.title(props.name)} />
      <p class="live__state" role="status">
        <span class="live__mood">{t().watching_live.moods[said().mood]}</span>
        <Show when={why()}>{(words) => <span class="live__why">{words()}</span>}</Show>
        <Show when={said().mood === 'live'}><span>{t().watching_live.covered}</span></Show>
      </p>
    </div>
  )
}

/** In a window of its own, for a camera without an alert. */
export function LiveDialog(props: { of: CameraOf; name: string; onClose: () => void }) {
  return (
    <Dialog class="watch" title={t().watching_live.title(props.name)} onClose={props.onClose}>
      <header class="watch__head">
        <h2>{props.name}</h2>
        <p>{t().watching_live.accountable}</p>
        <button class="button button--main" type="button" onClick={props.onClose} autofocus>{t().close} <kbd>Esc</kbd></button>
      </header>
      <Live of={props.of} name={props.name} />
    </Dialog>
  )
}
