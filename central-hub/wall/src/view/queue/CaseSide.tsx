//! What helps with the incident that is looked at: the procedure's next question, and what was done so far.
import { Show } from 'solid-js'
import type { Desk } from '../../desk'
import type { Incidents } from '../../incidents'
import { t } from '../../language'
import type { Item } from '../../queue'
import { History } from '../work/History'
import { ProcedureBox } from '../work/ProcedureBox'

export function CaseSide(props: { desk: Desk; incidents: Incidents; item: Item; onAnswer: (question: string, answer: string) => void }) {
  return (
    <aside class="side" aria-label={t().work.history} tabindex="0">
      <Show when={props.item.work} fallback={<p class="side__loading">{t().loading}</p>}>
        {(work) => (
          <>
            <Show when={work().open.includes('answer') ? work().procedure : null}>
              {(procedure) => <ProcedureBox procedure={procedure()} busy={props.incidents.busy()} onAnswer={props.onAnswer} />}
            </Show>
            <Show when={work().history.length === 0}>
              <p class="side__none">{t().work.nothingYet}</p>
            </Show>
            <History work={work()} now={props.desk.now()} lazy={true} />
          </>
        )}
      </Show>
    </aside>
  )
}
