//! The open incidents, the most urgent first. While somebody points into the list its order stays, and what is new waits behind
//! a button; the first of the others to be done is always at the top.
import { createEffect, createMemo, createSignal, For, on, onCleanup, Show } from 'solid-js'
import type { Desk } from '../../desk'
import { LISTED, type Incidents } from '../../incidents'
import { ago, language, number, t } from '../../language'
import { groupOf, held, isOver, type Item } from '../../queue'
import { SeverityShape } from '../icons'
import { severityWord } from '../words'
import { clockWords, kindName, stateWord, whomWord } from '../work-words'
import { placeWords } from './place'

const POINTER_HOLD_MS = 4000

export interface QueueHands {
  order: () => readonly Item[]
  focus: (key: string) => void
}

export function QueueList(props: {
  desk: Desk
  incidents: Incidents
  chosen: string | null
  marked: ReadonlySet<string>
  onLook: (key: string) => void
  onMark: (keys: readonly string[], is?: boolean) => void
  onOpen: () => void
  hands: (hands: QueueHands) => void
}) {
  const [pointed, setPointed] = createSignal(false)
  const [order, setOrder] = createSignal<readonly string[]>([])
  let box!: HTMLDivElement
  let timer: ReturnType<typeof setTimeout> | undefined
  let last: string | null = null

  const items = () => props.incidents.items()
  const isHeld = () => pointed() || props.marked.size > 0
  createEffect(on(isHeld, (is) => is && setOrder(items().map((item) => item.key))))
  const view = createMemo(() => (isHeld() && order().length > 0 ? held(order(), items()) : { shown: items(), waiting: 0 }))
  // rows stay the same elements while their incidents change
  const keys = createMemo(() => view().shown.map((item) => item.key), [], { equals: (a, b) => a.length === b.length && a.every((key, at) => key === b[at]) })
  const byKey = createMemo(() => new Map(view().shown.map((item) => [item.key, item])))
  const over = () => items().filter((item) => isOver(item, props.desk.now())).length

  const point = () => {
    setPointed(true)
    clearTimeout(timer)
    timer = setTimeout(() => setPointed(false), POINTER_HOLD_MS)
  }
  onCleanup(() => clearTimeout(timer))
  const release = () => {
    clearTimeout(timer)
    setPointed(false)
    setOrder(items().map((item) => item.key))
    box.scrollTop = 0
  }
  const mark = (key: string, range: boolean) => {
    const all = keys()
    const [from, to] = [all.indexOf(last ?? key), all.indexOf(key)].sort((a, b) => a - b) as [number, number]
    if (range && from >= 0) props.onMark(all.slice(from, to + 1), true)
    else props.onMark([key])
    last = key
  }
  props.hands({
    order: () => view().shown,
    focus: (key) => {
      const row = [...box.querySelectorAll<HTMLElement>('.entry')].find((one) => one.dataset['key'] === key)
      row?.querySelector<HTMLButtonElement>('.entry__look')?.focus()
      row?.scrollIntoView({ block: 'nearest' })
    },
  })
  const group = (at: number) => {
    const here = byKey().get(keys()[at]!)
    const before = byKey().get(keys()[at - 1] ?? '')
    const of = (item: Item | undefined) => item && groupOf(item, props.desk.now())
    return of(here) !== of(before) && !isHeld() ? of(here) : undefined
  }
  return (
    <section class="entries" aria-labelledby="entries-title">
      <header class="panel-head">
        <h2 id="entries-title">{t().queue.tab} <span class="entries__count">{t().queue.count(items().length)}</span></h2>
        <Show when={over() > 0}>
          <p class="entries__over">{t().queue.overCount(over())}</p>
        </Show>
        <button class="button" type="button" onClick={props.onOpen} data-name="open-by-hand">
          {t().queue.openByHand} <kbd>o</kbd>
        </button>
      </header>
      <div class="entries__box" ref={box} onPointerMove={point}>
        <Show when={view().waiting > 0}>
          <button class="stream__new" type="button" onClick={release}>
            <span aria-hidden="true">↑</span> {t().queue.newOnes(view().waiting)}
          </button>
        </Show>
        <ol>
          <For each={keys()}>
            {(key, at) => (
              <Show when={byKey().get(key)}>
                {(item) => (
                  <>
                    <Show when={group(at())}>{(name) => <li class="entries__group" data-group={name()}>{t().queue.groups[name()]}</li>}</Show>
                    <Row desk={props.desk} incidents={props.incidents} item={item()} chosen={props.chosen === key} marked={props.marked.has(key)} onLook={() => props.onLook(key)} onMark={(range) => mark(key, range)} />
                  </>
                )}
              </Show>
            )}
          </For>
        </ol>
        <Show when={props.incidents.full()}>
          <p class="stream__end">{t().queue.tooMany(LISTED)}</p>
        </Show>
      </div>
      <p class="entries__foot">
        <For each={props.desk.sites().length > 0 ? props.desk.sites() : sitesOf(items())}>
          {(site, at) => (
            <a class="button button--quiet" href={`/api/v1/sites/${encodeURIComponent(site)}/handover?format=html&lang=${language()}`} target="_blank" rel="noreferrer" data-name="handover">
              {at() === 0 && props.desk.sites().length < 2 ? t().queue.handover : t().queue.handoverOf(props.desk.siteName(site))}
            </a>
          )}
        </For>
      </p>
    </section>
  )
}

const sitesOf = (items: readonly Item[]): string[] => [...new Set(items.map((item) => item.incident.site))].sort()

function Row(props: { desk: Desk; incidents: Incidents; item: Item; chosen: boolean; marked: boolean; onLook: () => void; onMark: (range: boolean) => void }) {
  const incident = () => props.item.incident
  const kind = () => kindName(props.incidents.kinds, incident().kind)
  const clock = () => (incident().test ? null : clockWords(incident(), props.desk.now(), true))
  return (
    <li class="entry" data-key={props.item.key} data-severity={incident().severity} data-chosen={props.chosen} data-marked={props.marked} data-over={isOver(props.item, props.desk.now())} data-state={incident().state} data-test={incident().test}>
      <label class="entry__mark">
        <input type="checkbox" checked={props.marked} aria-label={t().queue.mark(kind())} onClick={(event: MouseEvent) => props.onMark(event.shiftKey)} />
      </label>
      <button class="entry__look" type="button" aria-current={props.chosen ? 'true' : undefined} onClick={props.onLook}>
        <span class="entry__line">
          <span class="entry__severity"><SeverityShape severity={incident().severity} /><span class="entry__word">{severityWord(incident())}</span></span>
          <b class="entry__kind">{kind()}</b>
        </span>
        <span class="entry__line">
          <span class="entry__state">{incident().test ? t().queue.test : stateWord(incident().state)}</span>
          <span class="entry__place">{placeWords(props.desk, props.item)}</span>
        </span>
        <span class="entry__line entry__line--last">
          <span class="entry__clock" data-over={clock()?.over === true}>{clock()?.text ?? ago(props.desk.now() - Date.parse(incident().clock_from))}</span>
          <span class="entry__more">
            <Show when={incident().alerts > 1}><span>{t().queue.alerts(number(incident().alerts))}</span></Show>
            <Show when={incident().assigned}>{(to) => <span>→ {whomWord(to())}</span>}</Show>
            <Show when={incident().level > 0}><span title={t().queue.level(incident().level)}>{t().work.level(incident().level)}</span></Show>
          </span>
        </span>
      </button>
    </li>
  )
}
