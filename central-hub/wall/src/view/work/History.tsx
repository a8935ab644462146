//! What was done about an incident, the latest first: who, when, what, and their photos.
import { createMemo, createSignal, For, Match, Show, Switch } from 'solid-js'
import { photoAddress } from '../../hub'
import { t } from '../../language'
import type { Fact, Work } from '../../work-wire'
import { openPicture } from '../picture'
import { byWord, moment, stepWord, whomWord, worded } from '../work-words'

/** `lazy`: a photo is fetched when it is asked for, since a thin line carries one a minute. */
export function History(props: { work: Work; now: number; lazy: boolean }) {
  // by id: a photo that somebody opened stays open when the history is read anew
  const latest = createMemo(() => props.work.history.map((fact) => fact.id).reverse())
  const facts = createMemo(() => new Map(props.work.history.map((fact) => [fact.id, fact])))
  return (
    <section class="history" aria-label={t().work.history}>
      <Show when={latest().length > 0}>
        <h2 class="eyebrow">{t().work.history}</h2>
      </Show>
      <ol>
        <For each={latest()}>{(id) => <Show when={facts().get(id)}>{(fact) => <Line work={props.work} fact={fact()} now={props.now} lazy={props.lazy} />}</Show>}</For>
      </ol>
    </section>
  )
}

function Line(props: { work: Work; fact: Fact; now: number; lazy: boolean }) {
  const detail = () => detailOf(props.work, props.fact)
  const file = () => (props.fact.step === 'attach' && typeof props.fact.data['file'] === 'string' ? props.fact.data['file'] : null)
  return (
    <li class="history__line" data-step={props.fact.step}>
      <time datetime={props.fact.at}>{moment(props.fact.at, props.now)}</time>
      <span class="history__did">
        <b>{stepWord(props.fact.step)}</b> {byWord(props.fact.by)}
        <Show when={props.fact.to}>{(to) => <> → {whomWord(to())}</>}</Show>
        <Show when={detail()}>{(words) => <> · {words()}</>}</Show>
      </span>
      <Show when={props.fact.note}>{(note) => <q class="history__note">{note()}</q>}</Show>
      <Show when={file()}>{(name) => <Photo work={props.work} file={name()} by={byWord(props.fact.by)} lazy={props.lazy} />}</Show>
    </li>
  )
}

function Photo(props: { work: Work; file: string; by: string; lazy: boolean }) {
  const [shown, setShown] = createSignal(!props.lazy)
  const address = () => photoAddress(props.work, props.file)
  const picture = openPicture(address)
  return (
    <Show when={shown()} fallback={<button class="button" type="button" onClick={() => setShown(true)}>{t().work.steps['attach']}</button>}>
      <Switch fallback={<span>{picture.state() === 'broken' ? t().work.photoBroken : t().loading}</span>}>
        <Match when={picture.state() === 'shown'}>
          <a href={address()} target="_blank" rel="noreferrer">
            <img class="history__photo" src={address()} alt={t().work.photoOf(props.by)} loading="lazy" decoding="async" onError={() => void picture.failed()} />
          </a>
        </Match>
        <Match when={picture.state() === 'withheld'}>
          <button class="button" type="button" onClick={picture.again}>{t().reason.giveNow}</button>
        </Match>
      </Switch>
    </Show>
  )
}

/** What belongs to a step besides. */
function detailOf(work: Work, fact: Fact): string {
  const text = (name: string) => (typeof fact.data[name] === 'string' ? (fact.data[name] as string) : '')
  if (fact.step === 'overdue') return t().work.targets[text('target')] ?? text('target')
  if (fact.step === 'escalated') return t().work.level(Number(fact.data['level']) || 1)
  if (fact.step === 'assign' && text('area')) return t().work.inArea(text('area'), text('camera'))
  if (fact.step === 'answer') return answerWords(work, text('question'), text('answer'))
  return ''
}

function answerWords(work: Work, question: string, answer: string): string {
  const found = work.procedure?.answered.find((one) => one.question === question && one.answer === answer)
  return found ? `${worded(found.text)} ${worded(found.answer_text)}` : `${question}: ${answer}`
}
