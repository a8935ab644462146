//! What did not work, in plain words: who was faster with what, what is not possible, what became of many.
import { For, Match, Show, Switch } from 'solid-js'
import type { Incidents, Notice } from '../../incidents'
import { t } from '../../language'
import { keyOf, type Result } from '../../work-wire'
import { byWord, kindName, moment, refusalWords, stepWord } from '../work-words'

type Of<Is extends Notice['is']> = Extract<Notice, { is: Is }>

export function Notices(props: { incidents: Incidents; now: number }) {
  const of = <Is extends Notice['is']>(...which: Is[]) => {
    const notice = props.incidents.notice()
    return notice && (which as string[]).includes(notice.is) ? (notice as Of<Is>) : null
  }
  return (
    <Show when={props.incidents.notice()}>
      <div class="notice" role="alert" data-name="notice">
        <Switch>
          <Match when={of('refused')}>
            {(notice) => (
              <p>
                <b>{t().queue.conflict}</b> {refusedWords(notice(), props.now)} {t().queue.lookAgain}
              </p>
            )}
          </Match>
          <Match when={of('many')}>
            {(notice) => (
              <>
                <p>
                  <b>{t().queue.many(notice().done, stepWord(notice().wish))}</b>
                  <Show when={notice().not.length > 0}> {t().queue.manyNot(notice().not.length)}</Show>
                </p>
                <ul>
                  <For each={grouped(props.incidents, notice().not)}>{([words, count]) => <li>{words}{count > 1 ? ` ×${count}` : ''}</li>}</For>
                </ul>
              </>
            )}
          </Match>
          <Match when={of('failed')}>
            <p><b>{t().queue.failed}</b></p>
          </Match>
          <Match when={of('unsure')}>
            <p><b>{t().queue.unsure}</b></p>
          </Match>
        </Switch>
        <button class="button" type="button" onClick={() => props.incidents.dismiss()}>{t().queue.dismiss}</button>
      </div>
    </Show>
  )
}

function refusedWords({ told }: Of<'refused'>, now: number): string {
  if (told.code === 'overtaken' && told.by && told.did && told.at) return t().work.overtaken(byWord(told.by), stepWord(told.did), moment(told.at, now))
  return refusalWords(told)
}

/** Why some were not done; what is said the same way is said once. */
function grouped(incidents: Incidents, not: readonly Result[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const result of not) {
    const item = incidents.items().find((one) => one.key === keyOf(result))
    const words = `${item ? kindName(incidents.kinds, item.incident.kind) + ': ' : ''}${result.error ? refusalWords(result.error) : ''}`
    counts.set(words, (counts.get(words) ?? 0) + 1)
  }
  return [...counts].slice(0, 8)
}
