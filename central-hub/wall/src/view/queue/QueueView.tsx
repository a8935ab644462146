//! The operator's queue beside the incident that is looked at. Owns: which one that is, which are chosen together, the keys, and
//! that nothing changes under a hand: what is looked at stays until somebody looks elsewhere or it is over.
import { createEffect, createMemo, createSignal, Match, on, onCleanup, onMount, Show, Switch } from 'solid-js'
import type { Desk } from '../../desk'
import type { Incidents } from '../../incidents'
import { t } from '../../language'
import { alike, nextStep, STEP_KEYS, type Item } from '../../queue'
import { keyOf, type StepName, type Wish } from '../../work-wire'
import { StateIcon } from '../icons'
import { isPlainKey } from '../keyboard'
import { Bulk } from './Bulk'
import { Case } from './Case'
import { CaseSide } from './CaseSide'
import { Notices } from './Notices'
import { OpenByHand } from './OpenByHand'
import { QueueList } from './QueueList'
import { DispatchDialog, NoteDialog } from './StepDialogs'

/** Steps that need words or somebody; the others are one key. */
const ASKING: readonly StepName[] = ['dispatch', 'assign', 'false_alarm', 'note', 'pause', 'reopen']
/** Whoever has not touched anything for so long is shown the most urgent one. */
const IDLE_MS = 60_000
/** So many of those that follow are known before somebody looks. */
const AHEAD = 2
/** A key waits so long for what is open. */
const EARLY_MS = 1500
/** Right after the page itself showed another incident, a key may still mean the one before. */
const SETTLE_MS = 700

export function QueueView(props: { desk: Desk; incidents: Incidents }) {
  const [chosen, setChosen] = createSignal<string | null>(null)
  const [marked, setMarked] = createSignal<ReadonlySet<string>>(new Set())
  const [asking, setAsking] = createSignal<StepName | 'open' | null>(null)
  /** What a window that is open asks about, whatever others do meanwhile. */
  const [askedFor, setAskedFor] = createSignal<readonly Item[]>([])
  let touched = 0
  let moved = 0
  let list: { order: () => readonly Item[]; focus: (key: string) => void } | undefined

  const items = () => props.incidents.items()
  const shown = createMemo(() => items().find((item) => item.key === chosen()) ?? null)
  const markedItems = createMemo(() => items().filter((item) => marked().has(item.key)))
  const look = (key: string | null, byHand: boolean) => {
    if (byHand) moved = 0
    else if (key !== chosen()) moved = Date.now()
    setChosen(key)
  }
  // the most urgent one, while nobody looks at another
  createEffect(() => {
    const top = items()[0] ?? null
    const idle = props.desk.now() && Date.now() - touched > IDLE_MS && asking() === null && marked().size === 0
    if (!shown() || idle) look(top?.key ?? null, false)
  })
  // the whole work on it, and on those that are looked at next: one key a step needs to know which are open
  const near = createMemo(
    () => {
      const order = items()
      const at = order.findIndex((item) => item.key === chosen())
      return at < 0 ? [] : order.slice(at, at + 1 + AHEAD)
    },
    [],
    { equals: (a, b) => a.length === b.length && a.every((item, n) => item.key === b[n]!.key) },
  )
  createEffect(on(near, (list) => list.forEach((item) => !item.work && props.incidents.want(item.incident))))
  // a key that came before the hub's answer
  let early: { key: string; step: StepName; until: number } | null = null
  createEffect(
    on(shown, (item) => {
      if (!early || !item?.work) return
      const { key, step, until } = early
      early = null
      if (key === item.key && Date.now() < until) ask(step)
    }),
  )

  const target = (): readonly Item[] => (markedItems().length > 0 ? markedItems() : shown() ? [shown()!] : [])
  const take = async (wish: Wish, on = target()): Promise<void> => {
    const [only] = on
    if (!only) return
    const many = marked().size > 0
    const done = await (many ? props.incidents.takeMany(on, wish) : props.incidents.take(only, wish))
    if (done && many) setMarked(new Set<string>())
    setAsking(null)
  }
  const isOpen = (step: StepName) => marked().size > 0 || shown()?.work?.open.includes(step) === true
  const ask = (step: StepName) => {
    if (!isOpen(step) || props.incidents.busy()) return
    props.incidents.dismiss()
    if (ASKING.includes(step)) {
      setAskedFor(target())
      setAsking(step)
    } else void take({ step })
  }
  const mark = (keys: readonly string[], is?: boolean) => {
    const next = new Set(marked())
    for (const key of keys) (is ?? !next.has(key)) ? next.add(key) : next.delete(key)
    setMarked(next)
  }
  const move = (by: number) => {
    const order = list?.order() ?? items()
    const at = order.findIndex((item) => item.key === chosen())
    const next = order[at < 0 ? 0 : Math.min(Math.max(at + by, 0), order.length - 1)]
    if (!next) return
    look(next.key, true)
    list?.focus(next.key)
  }
  const toTop = () => {
    setMarked(new Set<string>())
    props.incidents.dismiss()
    look(items()[0]?.key ?? null, true)
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
  }
  const pressed = (event: KeyboardEvent) => {
    touched = Date.now()
    if (!isPlainKey(event) || event.repeat || document.querySelector('dialog[open]')) return
    const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key]
    const step = event.key === 'p' && shown()?.incident.paused ? 'resume' : STEP_KEYS[event.key]
    const item = shown()
    if (by) move(by)
    else if (event.key === 'Escape') toTop()
    else if (event.key === 'o') setAsking('open')
    else if (event.key === 'x' && item) mark([item.key])
    else if (event.key === 'X' && item) mark(alike(items(), item), true)
    else if (event.key === 'Enter' && item?.work && event.target === document.body) {
      const next = nextStep(item.work)
      if (next && Date.now() - moved > SETTLE_MS) ask(next)
    } else if (step) {
      if (Date.now() - moved <= SETTLE_MS) return event.preventDefault()
      if (item && !item.work && marked().size === 0) early = { key: item.key, step, until: Date.now() + EARLY_MS }
      else ask(step)
    } else return
    event.preventDefault()
  }
  const pointed = () => void (touched = Date.now())
  onMount(() => {
    document.addEventListener('keydown', pressed)
    document.addEventListener('pointerdown', pointed)
  })
  onCleanup(() => {
    document.removeEventListener('keydown', pressed)
    document.removeEventListener('pointerdown', pointed)
  })

  return (
    <main class="queue">
      <QueueList
        desk={props.desk} incidents={props.incidents} chosen={chosen()} marked={marked()} onLook={(key) => look(key, true)} onMark={mark}
        onOpen={() => setAsking('open')} hands={(given) => (list = given)}
      />
      <section class="case" aria-live="off" data-severity={shown()?.incident.severity} data-name="case">
        <Notices incidents={props.incidents} now={props.desk.now()} />
        <Switch fallback={<Quiet desk={props.desk} incidents={props.incidents} />}>
          <Match when={marked().size > 0}>
            <Bulk incidents={props.incidents} items={markedItems()} onStep={ask} onAlike={() => shown() && mark(alike(items(), shown()!), true)} onNone={() => setMarked(new Set<string>())} />
          </Match>
          <Match when={shown()}>{(item) => <Case desk={props.desk} incidents={props.incidents} item={item()} onStep={ask} />}</Match>
        </Switch>
      </section>
      <Show when={marked().size === 0 && shown()} fallback={<aside class="side" />}>
        {(item) => <CaseSide desk={props.desk} incidents={props.incidents} item={item()} onAnswer={(question, answer) => void take({ step: 'answer', question, answer })} />}
      </Show>
      <Switch>
        <Match when={asking() === 'open'}>
          <OpenByHand desk={props.desk} incidents={props.incidents} onDone={(which) => (setAsking(null), which && look(keyOf(which), true))} />
        </Match>
        <Match when={asking() === 'dispatch' || asking() === 'assign' ? (asking() as StepName) : null}>
          {(step) => <DispatchDialog desk={props.desk} incidents={props.incidents} step={step()} items={askedFor()} onTake={(wish) => void take(wish, askedFor())} onClose={() => setAsking(null)} />}
        </Match>
        <Match when={asking() as StepName | null}>
          {(step) => <NoteDialog step={step()} busy={props.incidents.busy()} onTake={(wish) => void take(wish, askedFor())} onClose={() => setAsking(null)} />}
        </Match>
      </Switch>
    </main>
  )
}

/** Nothing is open: good only if everything that should see does. */
function Quiet(props: { desk: Desk; incidents: Incidents }) {
  const bad = () => props.desk.counts().bad
  return (
    <Show when={props.incidents.loaded()} fallback={<p class="case__loading">{t().loading}</p>}>
      <div class="quiet" data-well={bad() === 0}>
        <span class="quiet__sign">
          <StateIcon state={bad() ? 'care' : 'live'} />
        </span>
        <h2>{bad() ? t().queue.noneBlind(bad()) : t().queue.none}</h2>
        <p>{t().queue.noneWhy}</p>
      </div>
    </Show>
  )
}
