//! What is not sent yet, always in sight; and what did not work, with why and what its owner can do.
import { For, Match, Show, Switch } from 'solid-js'
import type { Field } from '../../field/field'
import { stepOf, type Entry } from '../../field/outbox'
import { t } from '../../language'
import { byWord, kindName, moment, refusalWords, stepWord } from '../work-words'

export function Outbox(props: { desk: Field }) {
  const sending = () => props.desk.sending
  const own = () => sending().entries().filter((entry) => entry.user === props.desk.who.user)
  const stopped = () => own().filter((entry) => entry.stop !== null)
  const waiting = () => own().filter((entry) => entry.stop === null)
  const others = () => {
    const counts = new Map<string, number>()
    for (const { user } of sending().entries()) if (user !== props.desk.who.user) counts.set(user, (counts.get(user) ?? 0) + 1)
    return [...counts]
  }
  return (
    <section class="outbox" aria-live="polite" data-name="outbox">
      <Show when={!sending().lasting}>
        <p class="outbox__line" data-mood="wait">{t().field.passing}</p>
      </Show>
      <Show when={sending().full()}>
        <p class="outbox__line" data-mood="bad" role="alert">{t().field.full}</p>
      </Show>
      <Show when={waiting().length > 0}>
        <div class="outbox__line" data-mood="wait" data-name="waiting">
          <b>{t().field.waiting(waiting().length)}</b>
          <span>{waiting().map((entry) => stepWord(stepOf(entry))).join(' · ')}</span>
          <span>{sending().busy() ? t().field.sending : t().field.waitsForNetwork}</span>
        </div>
      </Show>
      <For each={stopped()}>{(entry) => <Stopped desk={props.desk} entry={entry} />}</For>
      <For each={others()}>{([user, count]) => <p class="outbox__line" data-mood="wait">{t().field.ofOther(user, count)}</p>}</For>
    </section>
  )
}

function Stopped(props: { desk: Field; entry: Entry }) {
  const unsure = () => props.entry.stop?.why === 'unsure'
  return (
    <div class="outbox__line" data-mood="bad" role="alert" data-name="stopped">
      <b>{stepWord(stepOf(props.entry))} · {kindName(props.desk.kinds, props.entry.about)}</b>
      <span>{stopWords(props.desk, props.entry)}</span>
      <Show when={said(props.entry)}>{(words) => <q>{words()}</q>}</Show>
      <span class="outbox__does">
        <Switch>
          <Match when={unsure()}>
            <button class="button" type="button" onClick={() => void props.desk.sending.again(props.entry.id)}>{t().field.sendAgain}</button>
            <button class="button" type="button" onClick={() => void props.desk.sending.discard(props.entry.id)}>{t().field.discard}</button>
          </Match>
          <Match when={true}>
            <button class="button" type="button" onClick={() => void props.desk.sending.discard(props.entry.id)}>{t().field.understood}</button>
          </Match>
        </Switch>
      </span>
    </div>
  )
}

/** What its owner wrote: not to be lost with it. */
const said = (entry: Entry): string | undefined =>
  'open' in entry.what ? entry.what.open.words : 'step' in entry.what ? entry.what.step.note : undefined

function stopWords(desk: Field, entry: Entry): string {
  const stop = entry.stop
  if (stop?.why === 'refused') return refusalWords(stop.told)
  if (stop?.why === 'overtaken') return t().work.overtaken(byWord(stop.by), stepWord(stop.did), moment(stop.at, desk.now()))
  return stop?.why === 'before' ? t().field.before : t().field.unsure
}
