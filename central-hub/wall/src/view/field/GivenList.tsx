//! What is given to oneself, the most urgent first.
import { For, Show } from 'solid-js'
import type { Field } from '../../field/field'
import { ago, t } from '../../language'
import type { Given, Which } from '../../work-wire'
import { SeverityTag } from '../Tags'
import { kindWord } from '../words'
import { stateWord, stepWord, whereWords, worded } from '../work-words'
import { stepOf } from '../../field/outbox'

export function GivenList(props: { desk: Field; onOpen: (which: Which) => void; onReport: () => void }) {
  return (
    <main class="field__main">
      <Show when={props.desk.loaded()} fallback={<p class="field__none">{props.desk.link() === 'away' ? t().field.listAway : t().loading}</p>}>
        <Show
          when={props.desk.given().length > 0}
          fallback={
            <p class="field__none">
              <b>{t().field.none}</b>
              <span>{t().field.noneWhy}</span>
            </p>
          }
        >
          <ol class="field__list">
            <For each={props.desk.given()}>{(given) => <Card desk={props.desk} given={given} onOpen={props.onOpen} />}</For>
          </ol>
        </Show>
      </Show>
      <div class="field__thumb">
        <button class="button button--main" type="button" onClick={props.onReport} data-name="report">
          <span aria-hidden="true">＋</span> {t().field.reportNew}
        </button>
      </div>
    </main>
  )
}

function Card(props: { desk: Field; given: Given; onOpen: (which: Which) => void }) {
  const pending = () => props.desk.pending(props.given).filter((entry) => !entry.stop)
  return (
    <li>
      <button class="card" type="button" onClick={() => props.onOpen(props.given)} data-incident={props.given.incident} data-severity={props.given.severity}>
        <span class="card__top">
          <SeverityTag alert={props.given} />
          <span class="card__state" data-state={props.given.state}>
            {props.given.state === 'new' ? t().field.proposed : stateWord(props.given.state)}
          </span>
        </span>
        <b class="card__kind">{props.given.name ? worded(props.given.name) : kindWord(props.given.kind)}</b>
        <Show when={whereWords(props.given)}>{(place) => <span class="card__place">{place()}</span>}</Show>
        <Show when={props.given.words}>{(words) => <span class="card__words">{words()}</span>}</Show>
        <span class="card__when">{t().work.opened(ago(props.desk.now() - Date.parse(props.given.opened_at)))}</span>
        <Show when={pending().length > 0}>
          <span class="card__pending">{pending().map((entry) => stepWord(stepOf(entry))).join(' · ')} – {t().field.waitsForNetwork}</span>
        </Show>
      </button>
    </li>
  )
}
