//! The alerts before the newest. Owns: the place of the operator. While somebody has scrolled, chosen an
//! alert, or is moving the pointer over the list, what is new waits behind a button and nothing moves.
import { createEffect, createMemo, createSignal, For, on, onCleanup, Show } from 'solid-js'
import { KEPT } from '../alert-list'
import { FRESH_MS, type Desk, type Entry } from '../desk'
import { ago, clock, t } from '../language'
import { Filters } from './Filters'
import { Arrow } from './icons'
import { Still } from './Still'
import { SeverityTag, Tags } from './Tags'
import { cameraWord, directionWord, kindWord } from './words'

const POINTER_HOLD_MS = 4000

export interface Hands {
  move(by: number): void
  toTop(): void
  focus(id: string): void
}

export function Stream(props: { desk: Desk; onOpen: (entry: Entry) => void; hands: (hands: Hands) => void }) {
  const [scrolled, setScrolled] = createSignal(false)
  const [chosen, setChosen] = createSignal(false)
  const [pointed, setPointed] = createSignal(false)
  /** The first entry shown while the list is held. */
  const [top, setTop] = createSignal<string | null>(null)
  let list!: HTMLOListElement
  let box!: HTMLDivElement
  let timer: ReturnType<typeof setTimeout> | undefined

  const held = createMemo(() => scrolled() || chosen() || pointed())
  createEffect(on(held, (is) => setTop(is ? (props.desk.entries()[0]?.id ?? null) : null), { defer: true }))
  // an alert that fell off the end while held, or another filter, leaves nothing to hold on to
  const waiting = createMemo(() => {
    const at = top() === null ? 0 : props.desk.entries().findIndex((entry) => entry.id === top())
    return Math.max(0, at)
  })
  const visible = createMemo(() => props.desk.entries().slice(waiting()))

  const pointer = () => {
    setPointed(true)
    clearTimeout(timer)
    timer = setTimeout(() => setPointed(false), POINTER_HOLD_MS)
  }
  onCleanup(() => clearTimeout(timer))
  const rows = () => [...list.querySelectorAll<HTMLButtonElement>('button.row')]
  const toTop = () => {
    if (list.contains(document.activeElement)) (document.activeElement as HTMLElement).blur()
    clearTimeout(timer)
    setPointed(false)
    setChosen(false)
    box.scrollTop = 0
    setScrolled(false)
    setTop(null)
  }
  props.hands({
    move(by) {
      const all = rows()
      const at = all.findIndex((row) => row === document.activeElement)
      const next = all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]
      next?.focus()
      next?.scrollIntoView({ block: 'nearest' })
    },
    toTop,
    focus: (id) => rows().find((row) => row.dataset['alert'] === id)?.focus(),
  })

  return (
    <section class="stream" aria-labelledby="stream-title">
      <header class="panel-head">
        <h2 id="stream-title">{t().stream}</h2>
        <Filters desk={props.desk} />
      </header>
      <div class="stream__box" ref={box} onScroll={() => setScrolled(box.scrollTop > 8)} onPointerMove={pointer}>
        <Show when={waiting() > 0}>
          <button class="stream__new" type="button" onClick={toTop}>
            <span aria-hidden="true">↑</span> {t().newAlerts(waiting())}
          </button>
        </Show>
        <ol
          class="stream__list"
          ref={list}
          onFocusIn={() => setChosen(true)}
          onFocusOut={(event: FocusEvent) => setChosen(list.contains(event.relatedTarget as Node | null) || document.querySelector('dialog[open]') !== null)}
        >
          <For each={visible()}>{(entry) => <Row desk={props.desk} entry={entry} onOpen={props.onOpen} />}</For>
        </ol>
        <End desk={props.desk} />
      </div>
    </section>
  )
}

function Row(props: { desk: Desk; entry: Entry; onOpen: (entry: Entry) => void }) {
  const alert = () => props.entry.alert()
  const when = () => Date.parse(alert().at)
  return (
    <li>
      <button
        class="row"
        type="button"
        data-alert={props.entry.id}
        data-severity={alert().severity}
        data-fresh={props.entry.came > 0 && Date.now() - props.entry.came < FRESH_MS}
        onClick={() => props.onOpen(props.entry)}
      >
        <Still alert={alert()} close={true} />
        <span class="row__kind">
          <SeverityTag alert={alert()} />
          <b>{kindWord(alert().kind)}</b>
        </span>
        <span class="row__where">
          <span>{cameraWord(alert())}</span>
          <Show when={alert().direction}>
            {(direction) => (
              <span class="direction">
                <Arrow to={direction()} />
                <span class="unseen">{directionWord(direction())}</span>
              </span>
            )}
          </Show>
        </span>
        <span class="row__when">
          <time datetime={alert().at}>{clock(when())}</time>
          <span>{ago(props.desk.now() - when())}</span>
          <Tags alert={alert()} />
        </span>
      </button>
    </li>
  )
}

function End(props: { desk: Desk }) {
  const filtered = () => props.desk.filter().camera !== '' || props.desk.filter().kind !== ''
  return (
    <p class="stream__end">
      <Show when={props.desk.loaded()} fallback={t().loading}>
        <Show when={props.desk.entries().length > 0} fallback={filtered() ? t().noneFiltered : t().noneShort}>
          <Show when={props.desk.more()} fallback={props.desk.full() ? t().onlyKept(KEPT) : t().oldest}>
            <button class="button" type="button" disabled={props.desk.older() === 'loading'} onClick={() => props.desk.loadOlder()}>
              {props.desk.older() === 'loading' ? t().loading : props.desk.older() === 'failed' ? t().loadFailed : t().older}
            </button>
          </Show>
        </Show>
      </Show>
    </p>
  )
}
