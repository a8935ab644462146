//! The operating procedure: the question that is asked now, with its answers as buttons.
import { For, Show } from 'solid-js'
import { t } from '../../language'
import type { Procedure } from '../../work-wire'
import { worded } from '../work-words'

export function ProcedureBox(props: { procedure: Procedure; busy: boolean; onAnswer: (question: string, answer: string) => void }) {
  return (
    <section class="procedure" aria-label={t().work.procedure} data-name="procedure">
      <p class="eyebrow">{t().work.procedure} · {worded(props.procedure.name)}</p>
      <Show when={props.procedure.next} fallback={<p>{t().work.procedureDone}</p>}>
        {(question) => (
          <>
            <p class="procedure__question">{worded(question().text)}</p>
            <p class="procedure__answers">
              <For each={question().answers}>
                {(answer) => (
                  <button class="button" type="button" disabled={props.busy} onClick={() => props.onAnswer(question().id, answer.id)}>
                    {worded(answer.text)}
                  </button>
                )}
              </For>
            </p>
          </>
        )}
      </Show>
    </section>
  )
}
