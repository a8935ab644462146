//! What the hub says about incidents and the work on them, as it says it. Owns: the shapes of that JSON. Leaves to
//! texts.ts: words for them. Unknown kinds, states and steps of a newer hub are kept and shown by name.
import type { Alert, Severity } from './wire'

export type IncidentState = 'new' | 'acknowledged' | 'dispatched' | 'on_scene' | 'resolved' | 'closed' | 'false_alarm'
export type StepName =
  | 'acknowledge' | 'dispatch' | 'assign' | 'accept' | 'arrive' | 'resolve' | 'close'
  | 'false_alarm' | 'reopen' | 'pause' | 'resume' | 'note' | 'attach' | 'answer'
export type Target = 'acknowledge' | 'dispatch' | 'arrive' | 'resolve'

/** A text in both languages. */
export interface Wording {
  zh: string
  en: string
}

/** Which incident. */
export interface Which {
  site: string
  incident: string
}

/** An incident as the list and the feed tell it. */
export interface Incident extends Which {
  origin: 'alerts' | 'operator' | 'grid'
  kind: string
  family: string
  test: boolean
  severity: Severity
  state: IncidentState
  version: number
  opened_at: string
  last_at: string
  /** When the hub first heard of it: clocks start here. */
  clock_from: string
  /** What the hub has to do next about it: a missed target, or calling somebody in. */
  due_at: string | null
  alerts: number
  cameras: { agent: string; camera: string }[]
  /** agent/epoch/seq of its first alert. */
  opener: string | null
  by_hand: boolean
  /** What it has become part of. */
  alias_of: string | null
  assigned: Assignee | null
  /** Who was called in: 1 is the shift lead. */
  level: number
  paused: boolean
  /** Targets that were missed. */
  overdue: Target[]
  deadlines: Deadline[]
  /** Of one that was opened by hand. */
  place: string | null
  words: string | null
}

/** What is to be reached by when. */
export interface Deadline {
  target: Target
  at: string
}

export interface IncidentPage {
  incidents: Incident[]
  next: string | null
}

/** To whom something is given: one of both. */
export interface Assignee {
  unit?: string
  member?: string
}

/** One line of an incident's history: a step, or a mark of the hub. */
export interface Fact {
  id: string
  /** The part that it was written down for. */
  incident: string
  at: string
  step: string
  by: string
  role: string
  note?: string
  to?: Assignee
  data: Record<string, unknown>
}

export interface Question {
  id: string
  text: Wording
  answers: { id: string; text: Wording; next?: string }[]
}

export interface Procedure {
  name: Wording
  answered: { question: string; text: Wording; answer: string; answer_text: Wording }[]
  /** Asked now; null: it is through. */
  next: Question | null
}

/** What somebody said who opened an incident by hand. */
export interface Report {
  reporter: string
  words: string
  place: string | null
  x: number | null
  y: number | null
  lat: number | null
  lon: number | null
  area: string | null
}

/** An incident as people work on it. */
export interface Work extends Which {
  kind: string
  severity: Severity
  state: IncidentState
  version: number
  due_at: string | null
  clock_from: string
  reopened: number
  reached: { state: IncidentState; at: string; by: string }[]
  assigned: Assignee | null
  accepted: { at: string; by: string } | null
  paused: boolean
  /** Targets that were missed. */
  overdue: Target[]
  /** Who was called in: 1 is the shift lead. */
  level: number
  deadlines: Deadline[]
  /** The steps that are open to oneself now. */
  open: StepName[]
  procedure: Procedure | null
  report: Report | null
  history: Fact[]
}

/** An incident that is given to oneself, as the list of those tells it. */
export interface Given extends Which {
  kind: string
  /** Of a kind that people open by hand. */
  name: Wording | null
  severity: Severity
  state: IncidentState
  version: number
  due_at: string | null
  opened_at: string
  words: string | null
  place: string | null
  /** Those that saw it, with what the places are called where they are. */
  cameras: GivenCamera[]
  /** The newest of its pictures. */
  still: { alert: string; url: string } | null
}

export interface GivenCamera {
  agent: string
  camera: string
  name: string | null
  place: string | null
  lat: number | null
  lon: number | null
}

/** A site where one holds something. */
export interface Site {
  site: string
  name: string | null
}

/** A kind that people open by hand. */
export interface Kind {
  kind: string
  name: Wording
  severity: Severity
  procedure: boolean
}

export interface Unit {
  site: string
  unit: string
  name: string
  members: string[]
}

/** A step that somebody wants to take. */
export interface Wish {
  step: StepName
  note?: string
  to?: Assignee
  version?: number
  question?: string
  answer?: string
}

/** What somebody wants to report. */
export interface Asked {
  site: string
  kind: string
  words: string
  severity?: Severity
  place?: string
  point?: { lat: number; lon: number }
}

/** Why a step was not taken, in the hub's words, and what is possible now. */
export interface Told {
  code: string
  message: string
  zh?: string
  state?: IncidentState
  version?: number
  open?: StepName[]
  by?: string
  did?: StepName
  at?: string
}

/** What became of one of many. */
export interface Result extends Which {
  status: number
  state?: IncidentState
  version?: number
  error?: Told
}

/** Why an alert is in its incident. */
export type Because =
  | { how: 'opened' | 'split' }
  | { how: 'linked'; agent: string; camera: string; relation: 'same' | 'neighbour' | 'near'; metres?: number; gap_ms: number; first: number; last: number }

export interface IncidentAlert extends Alert {
  incident: string | null
  because: Because | null
}

/** Steps that leave an incident where it is: others may do something meanwhile. */
export const decides = (step: string): boolean => !['note', 'attach', 'answer'].includes(step)

/** The latest that somebody decided and that was not known: who was faster. Marks of the hub are nobody's. */
export const decidedSince = (known: readonly string[], work: Work): Fact | undefined =>
  work.history.findLast((fact) => !known.includes(fact.id) && decides(fact.step) && fact.role !== 'hub')

export const keyOf = (which: Which): string => `${which.site}/${which.incident}`
