//! Several incidents at once: in a storm, one key for all that are alike.
import { For, Show } from 'solid-js'
import type { Incidents } from '../../incidents'
import { t } from '../../language'
import { keyOfStep, type Item } from '../../queue'
import type { StepName } from '../../work-wire'
import { SeverityTag } from '../Tags'
import { kindName, stateWord, stepWord } from '../work-words'

const STEPS: readonly StepName[] = ['acknowledge', 'dispatch', 'false_alarm', 'resolve', 'close']
/** Most that are named; the number says how many there are. */
const NAMED = 12

export function Bulk(props: { incidents: Incidents; items: readonly Item[]; onStep: (step: StepName) => void; onAlike: () => void; onNone: () => void }) {
  /** Two of one site can be made one. */
  const pair = (): readonly [Item, Item] | null => {
    const [one, other] = props.items
    return one && other && props.items.length === 2 && one.incident.site === other.incident.site ? [one, other] : null
  }
  return (
    <div class="bulk" data-name="bulk">
      <h2 class="case__kind">{t().queue.marked(props.items.length)}</h2>
      <div class="case__others">
        <For each={STEPS}>
          {(step) => (
            <button class="button bulk__step" type="button" disabled={props.incidents.busy()} onClick={() => props.onStep(step)} data-step={step}>
              {stepWord(step)} <kbd>{keyOfStep(step)}</kbd>
            </button>
          )}
        </For>
      </div>
      <ul class="bulk__list">
        <For each={props.items.slice(0, NAMED)}>
          {({ incident }) => (
            <li>
              <SeverityTag alert={incident} /> {kindName(props.incidents.kinds, incident.kind)} <span>{stateWord(incident.state)}</span>
            </li>
          )}
        </For>
      </ul>
      <div class="case__others">
        <Show when={pair()}>
          {(two) => (
            <button class="button" type="button" disabled={props.incidents.busy()} onClick={() => void props.incidents.merge(...two()).then((done) => done && props.onNone())} data-name="merge">
              {t().queue.merge}
            </button>
          )}
        </Show>
        <button class="button" type="button" onClick={props.onAlike}>{t().queue.markAlike} <kbd>X</kbd></button>
        <button class="button" type="button" onClick={props.onNone}>{t().queue.unmark} <kbd>Esc</kbd></button>
      </div>
    </div>
  )
}
