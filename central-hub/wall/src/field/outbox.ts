//! What somebody tapped and the hub has not confirmed yet: pure decisions. Owns: what is sent next, what an answer
//! means for it and for what was tapped after it. Leaves to keeping.ts: the disk; to sending.ts: the network.
//!
//! Invariants: an entry leaves only when the hub has it, or when its owner says so. An entry is always sent under its own id,
//! by which the hub does it once; after the days for which the hub remembers ids, what may have arrived is looked for there.
import { decidedSince, decides, keyOf, type Asked, type Fact, type StepName, type Told, type Which, type Wish, type Work } from '../work-wire'

export type What = { open: Asked } | { step: Wish } | { photo: Blob }

/** Why an entry waits for its owner. */
export type Stop =
  /** The hub said no. */
  | { why: 'refused'; told: Told }
  /** Somebody else was faster. */
  | { why: 'overtaken'; by: string; did: string; at: string }
  /** What it builds on was not taken. */
  | { why: 'before' }
  /** It may have arrived, and there is no way to find out. */
  | { why: 'unsure' }

export interface Entry {
  /** Minted when it was tapped: the same tap is one entry, however often it is sent. */
  id: string
  /** Whose it is. */
  user: string
  /** ms */
  made: number
  what: What
  /** The incident that it is about; null while that is not open yet. */
  which: Which | null
  /** The entry that opens its incident. */
  after: string | null
  /** What is told of it in a list: the kind of incident. */
  about: string
  /** The history that its owner had seen. */
  known: string[]
  /** It may have left this phone. */
  sent: boolean
  stop: Stop | null
}

/** The hub remembers what it was sent for a week; a little less, since its clock is another. */
const REMEMBERED_MS = (7 * 24 - 6) * 3_600_000
/** Sent again, it is answered as the first time. */
export const isKnownToHub = (entry: Entry, now: number): boolean => now - entry.made < REMEMBERED_MS

export const stepOf = (entry: Entry): StepName | 'open' =>
  'open' in entry.what ? 'open' : 'photo' in entry.what ? 'attach' : entry.what.step.step

/** What is sent next. Words go before photos: on a thin line a step must not wait behind a picture. */
export function nextToSend(entries: readonly Entry[], user: string): Entry | null {
  const ready = entries.filter((entry) => entry.user === user && !entry.stop && (entry.which !== null || 'open' in entry.what))
  return ready.find((entry) => !('photo' in entry.what)) ?? ready[0] ?? null
}

/** The same thing, done by the same person, that was not there when it was tapped. */
const isIt = (entry: Entry, fact: Fact): boolean => {
  if (fact.by !== entry.user || fact.step !== stepOf(entry)) return false
  if ('photo' in entry.what || 'open' in entry.what) return true
  const wish = entry.what.step
  return (fact.note ?? '') === (wish.note?.trim() ? wish.note : '') && (!wish.question || (fact.data['question'] === wish.question && fact.data['answer'] === wish.answer))
}

export type Verdict = { is: 'done' } | { is: 'open'; version: number } | { is: 'overtaken'; by: string; did: string; at: string }

/** Where an entry stands by the incident's history: done already (an answer was lost), still to be done, or too late. A photo
 *  looks like every other: while the hub knows it again it is sent once more. */
export function judged(entry: Entry, work: Work, now: number): Verdict {
  const news = work.history.filter((fact) => !entry.known.includes(fact.id))
  const tells = !('photo' in entry.what) || !isKnownToHub(entry, now)
  if (entry.sent && tells && news.some((fact) => isIt(entry, fact))) return { is: 'done' }
  const faster = decides(stepOf(entry)) ? decidedSince(entry.known, work) : undefined
  if (!faster) return { is: 'open', version: work.version }
  return { is: 'overtaken', by: faster.by, did: faster.step, at: faster.at }
}

/** The hub has it: it leaves, and what was tapped after it goes on from there. `work`: the incident as it is now. */
export function settled(entries: readonly Entry[], id: string, work: Work): Entry[] {
  const done = entries.find((entry) => entry.id === id)
  const rest = entries.filter((entry) => entry.id !== id)
  if (!done) return rest
  const own = work.history.filter((fact) => fact.by === done.user).map((fact) => fact.id)
  return rest.map((entry) => {
    if (entry.after === id) return { ...entry, which: { site: work.site, incident: work.incident }, after: null, known: work.history.map((fact) => fact.id) }
    if (!isSame(entry, done)) return entry
    return { ...entry, known: [...new Set([...entry.known, ...own])] }
  })
}

/** It was not taken: it waits for its owner, and so does what builds on it. */
export function stopped(entries: readonly Entry[], id: string, stop: Stop): Entry[] {
  const it = entries.find((entry) => entry.id === id)
  if (!it) return [...entries]
  return entries.map((entry) => {
    if (entry.id === id) return { ...entry, stop }
    const builds = decides(stepOf(entry)) && decides(stepOf(it)) && isSame(entry, it) && entry.made >= it.made
    return builds && !entry.stop ? { ...entry, stop: { why: 'before' } } : entry
  })
}

const isSame = (one: Entry, other: Entry): boolean => one.which !== null && other.which !== null && keyOf(one.which) === keyOf(other.which)

/** Its owner gives it up, with what belongs to an incident that is then never opened. */
export const discarded = (entries: readonly Entry[], id: string): Entry[] => entries.filter((entry) => entry.id !== id && entry.after !== id)

/** Its owner wants it sent once more. */
export const again = (entries: readonly Entry[], id: string): Entry[] =>
  entries.map((entry) => (entry.id === id ? { ...entry, stop: null, sent: false } : entry))

/** The steps that make sense once what waits is taken: the hub knows nothing of it yet. */
export function openAfter(open: readonly StepName[], pending: readonly Entry[]): readonly StepName[] {
  const steps = pending.filter((entry) => !entry.stop).map(stepOf)
  if (steps.includes('resolve')) return open.filter((step) => !decides(step))
  if (steps.includes('arrive')) return ['resolve', ...open.filter((step) => !decides(step))]
  if (steps.includes('accept')) return ['arrive', 'resolve', ...open.filter((step) => !decides(step))]
  return open
}
