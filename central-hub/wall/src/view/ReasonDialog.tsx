//! The hub asks what somebody looks for, before it shows or hands out anything: the answer stands in the audit.
import { createSignal, onMount, Show } from 'solid-js'
import * as hub from '../hub'
import { t } from '../language'
import { reasonDeclined, reasonGiven } from '../reason'
import { Dialog } from './Dialog'

export function ReasonDialog() {
  const [trouble, setTrouble] = createSignal<'missing' | 'failed' | null>(null)
  const [busy, setBusy] = createSignal(false)
  let field!: HTMLInputElement
  const send = (event: Event) => {
    event.preventDefault()
    const reason = field.value.trim()
    setTrouble(reason ? null : 'missing')
    if (!reason) return field.focus()
    setBusy(true)
    void hub.giveReason(reason).then(reasonGiven, (why: unknown) => {
      if (why instanceof hub.Refused && why.reason === 'session') return reasonDeclined()
      setBusy(false)
      setTrouble('failed')
    })
  }
  onMount(() => field.focus())
  return (
    <Dialog class="ask" title={t().reason.title} onClose={reasonDeclined}>
      <form class="ask__body" onSubmit={send} data-name="reason">
        <h2>{t().reason.title}</h2>
        <p>{t().reason.why}</p>
        <label class="ask__note">
          <span>{t().reason.label}</span>
          <input ref={field} class="ask__line" name="reason" maxLength={200} autocomplete="off" aria-invalid={trouble() === 'missing'} />
        </label>
        <Show when={trouble()}>
          {(what) => <p class="ask__trouble" role="alert">{what() === 'missing' ? t().reason.missing : t().reason.failed}</p>}
        </Show>
        <div class="ask__does">
          <button class="button" type="button" onClick={reasonDeclined}>{t().reason.cancel}</button>
          <button class="button button--main" type="submit" disabled={busy()} data-name="give-reason">{t().reason.give}</button>
        </div>
      </form>
    </Dialog>
  )
}
