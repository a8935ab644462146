//! Steps that need more than a key: to whom, or why. Digits choose, Enter sends, Esc goes back.
import { createResource, createSignal, For, onMount, Show } from 'solid-js'
import type { Desk } from '../../desk'
import type { Incidents } from '../../incidents'
import { t } from '../../language'
import type { Item } from '../../queue'
import type { Assignee, StepName, Unit, Wish } from '../../work-wire'
import { Dialog } from '../Dialog'
import { stepWord } from '../work-words'
import { placeWords } from './place'

export function DispatchDialog(props: { desk: Desk; incidents: Incidents; step: StepName; items: readonly Item[]; onTake: (wish: Wish) => void; onClose: () => void }) {
  const first = props.items[0]
  const [units] = createResource(() => first?.incident.site, (site) => props.incidents.units(site).catch((): Unit[] => []))
  let note!: HTMLTextAreaElement
  const to = (whom: Assignee) => {
    const words = note.value.trim()
    props.onTake(words ? { step: props.step, to: whom, note: words } : { step: props.step, to: whom })
  }
  const pressed = (event: KeyboardEvent) => {
    const unit = units()?.[Number(event.key) - 1]
    if (!unit || event.target === note || props.incidents.busy()) return
    event.preventDefault()
    to({ unit: unit.unit })
  }
  onMount(() => first && props.items.length === 1 && first.incident.words === null && (note.value = placeWords(props.desk, first)))
  return (
    <Dialog class="ask" title={props.step === 'assign' ? t().queue.assignTo : t().queue.dispatchTo} onClose={props.onClose}>
      <div class="ask__body" onKeyDown={pressed}>
        <h2 tabindex="-1" autofocus>{props.step === 'assign' ? t().queue.assignTo : t().queue.dispatchTo}</h2>
        <Show when={units()} fallback={<p>{t().loading}</p>}>
          {(list) => (
            <ol class="ask__choices">
              <For each={list()} fallback={<li>{t().queue.noUnits}</li>}>
                {(unit, at) => (
                  <li>
                    <button class="button ask__choice" type="button" disabled={props.incidents.busy()} onClick={() => to({ unit: unit.unit })} data-unit={unit.unit}>
                      <Show when={at() < 9}><kbd>{at() + 1}</kbd></Show> <b>{unit.name}</b> <span>{t().queue.unitOf(unit.members.length)}</span>
                    </button>
                    <span class="ask__members">
                      <For each={unit.members}>
                        {(member) => <button class="button button--quiet" type="button" disabled={props.incidents.busy()} onClick={() => to({ member })} data-member={member}>{member}</button>}
                      </For>
                    </span>
                  </li>
                )}
              </For>
            </ol>
          )}
        </Show>
        <label class="ask__note">
          <span>{t().queue.dispatchNote}</span>
          <textarea ref={note} rows={2} maxLength={2000} name="note" />
        </label>
        <button class="button" type="button" onClick={props.onClose}>{t().queue.cancel} <kbd>Esc</kbd></button>
      </div>
    </Dialog>
  )
}

export function NoteDialog(props: { step: StepName; busy: boolean; onTake: (wish: Wish) => void; onClose: () => void }) {
  const [missing, setMissing] = createSignal(false)
  let field!: HTMLTextAreaElement
  const reasons = () => (props.step === 'false_alarm' ? t().queue.reasons : [])
  const title = () => (props.step === 'note' ? t().queue.noteTitle : t().queue.reasonTitle(stepWord(props.step)))
  const send = (note: string) => {
    const words = note.trim()
    setMissing(!words)
    if (words) props.onTake({ step: props.step, note: words })
    else field.focus()
  }
  const pressed = (event: KeyboardEvent) => {
    const reason = event.target === field ? undefined : reasons()[Number(event.key) - 1]
    if (reason && !props.busy) send(reason)
    else if (event.key === 'Enter' && event.target === field && !event.shiftKey && !event.isComposing) send(field.value)
    else return
    event.preventDefault()
  }
  onMount(() => reasons().length === 0 && field.focus())
  return (
    <Dialog class="ask" title={title()} onClose={props.onClose}>
      <div class="ask__body" onKeyDown={pressed}>
        <h2 tabindex="-1" autofocus>{title()}</h2>
        <Show when={reasons().length > 0}>
          <ol class="ask__choices">
            <For each={reasons()}>
              {(reason, at) => (
                <li>
                  <button class="button ask__choice" type="button" disabled={props.busy} onClick={() => send(reason)}>
                    <kbd>{at() + 1}</kbd> {reason}
                  </button>
                </li>
              )}
            </For>
          </ol>
        </Show>
        <label class="ask__note">
          <span>{reasons().length > 0 ? t().queue.other : title()}</span>
          <textarea ref={field} rows={3} maxLength={2000} name="note" aria-invalid={missing()} />
        </label>
        <div class="ask__does">
          <button class="button" type="button" onClick={props.onClose}>{t().queue.cancel} <kbd>Esc</kbd></button>
          <button class="button button--main" type="button" disabled={props.busy} onClick={() => send(field.value)} data-name="confirm">{t().queue.confirm}</button>
        </div>
      </div>
    </Dialog>
  )
}
