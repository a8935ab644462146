//! The operator's queue: pure decisions. Owns: which incidents need somebody now, in which order, and what is worth a
//! sound. Leaves to incidents.ts: asking and telling the hub; to the views: how it looks.
import { running } from './clocks'
import { keyOf, type Incident, type StepName, type Work } from './work-wire'
import type { Severity } from './wire'

export type Group = 'now' | 'under_way' | 'to_close'

/** An incident, and the whole work on it where somebody looked at it. */
export interface Item {
  key: string
  incident: Incident
  work: Work | undefined
}

const RANK: Record<Severity, number> = { critical: 0, high: 1, medium: 2, low: 3 }
const GROUPS: Record<Group, number> = { now: 0, under_way: 1, to_close: 2 }

/** Belongs to the queue: somebody still has to do something. */
export const isListed = (incident: Incident): boolean => !incident.alias_of && incident.state !== 'closed' && incident.state !== 'false_alarm'

export const isSevere = (incident: Incident): boolean => !incident.test && (RANK[incident.severity] ?? 2) <= RANK.high

/** A target was missed. */
export const isOver = ({ incident }: Pick<Item, 'incident'>, now: number): boolean => running(incident, now)?.over === true

/** Settled ones are only to be closed; what nobody has confirmed, or what is late, needs somebody now. */
export function groupOf(item: Item, now: number): Group {
  if (item.incident.state === 'resolved') return 'to_close'
  return item.incident.state === 'new' || isOver(item, now) ? 'now' : 'under_way'
}

/** What needs doing first: by group, real before tests, the worst, the late, then what has waited longest. */
export function ordered(items: readonly Item[], now: number): Item[] {
  const rank = (item: Item) => [
    GROUPS[groupOf(item, now)], Number(item.incident.test), RANK[item.incident.severity] ?? 2, Number(!isOver(item, now)), Date.parse(item.incident.clock_from),
  ]
  return items
    .map((item) => ({ item, rank: rank(item) }))
    .sort((a, b) => compared(a.rank, b.rank) || (a.item.key < b.item.key ? -1 : 1))
    .map(({ item }) => item)
}

function compared(a: number[], b: number[]): number {
  const at = a.findIndex((value, index) => value !== b[index])
  return at < 0 ? 0 : a[at]! - b[at]!
}

/** A list that somebody is working in keeps its order: what left goes, what is new waits. */
export function held(order: readonly string[], items: readonly Item[]): { shown: Item[]; waiting: number } {
  const byKey = new Map(items.map((item) => [item.key, item]))
  const shown = order.flatMap((key) => byKey.get(key) ?? [])
  return { shown, waiting: items.length - shown.length }
}

/** What the operator most likely does next; null: others are at it. */
export function nextStep(work: Pick<Work, 'state' | 'open'>): StepName | null {
  const next = ({ new: 'acknowledge', acknowledged: 'dispatch', on_scene: 'resolve', resolved: 'close' } as Partial<Record<string, StepName>>)[work.state]
  return next && work.open.includes(next) ? next : null
}

/** Keys of the steps; the same everywhere. */
export const STEP_KEYS: Partial<Record<string, StepName>> = {
  a: 'acknowledge', d: 'dispatch', f: 'false_alarm', r: 'resolve', c: 'close', n: 'note', s: 'assign', u: 'reopen', p: 'pause',
}
export const keyOfStep = (step: StepName): string | undefined => (step === 'resume' ? 'p' : Object.entries(STEP_KEYS).find(([, name]) => name === step)?.[0])

/** Those that are like this one: in a storm they are worked on together. */
export const alike = (items: readonly Item[], one: Item): string[] =>
  items.filter(({ incident }) => incident.kind === one.incident.kind && incident.site === one.incident.site && incident.state === one.incident.state).map((item) => item.key)

/** The items of now; one that did not change stays the same object, so that nothing is drawn or asked for again. */
export function itemsOf(incidents: Iterable<Incident>, works: ReadonlyMap<string, Work>, before: readonly Item[] = []): Item[] {
  const known = new Map(before.map((item) => [item.key, item]))
  return [...incidents].map((incident) => {
    const key = keyOf(incident)
    const item = known.get(key)
    return item && item.incident === incident && item.work === works.get(key) ? item : { key, incident, work: works.get(key) }
  })
}

/** What to ring for: severe ones that were not known, and ones that were in time when they were looked at last. */
export function rings(known: ReadonlySet<string>, inTime: ReadonlySet<string>, items: readonly Item[], now: number): { fresh: Item[]; late: Item[] } {
  return {
    fresh: items.filter((item) => !known.has(item.key) && item.incident.state === 'new' && isSevere(item.incident)),
    late: items.filter((item) => !item.incident.test && inTime.has(item.key) && isOver(item, now)),
  }
}
