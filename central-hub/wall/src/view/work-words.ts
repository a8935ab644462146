//! Words for an incident and the work on it; a code of a newer hub is shown as it is.
import { running, face } from '../clocks'
import type { Kinds } from '../kinds'
import { clock, day, language, t } from '../language'
import { kindWord } from './words'
import type { Assignee, Given, Incident, Told, Wording } from '../work-wire'

export const worded = (text: Wording): string => text[language()]
/** What people call a kind: the hub's name for those opened by hand, ours for alerts. */
export function kindName(kinds: Kinds, kind: string): string {
  const name = kinds.names().get(kind)
  return name ? worded(name) : kindWord(kind)
}
export const stateWord = (state: string): string => t().work.states[state] ?? state
export const stepWord = (step: string): string => t().work.steps[step] ?? step
export const byWord = (by: string): string => (by === 'hub' ? t().work.hub : by)
export const whomWord = (to: Assignee): string => to.unit ?? to.member ?? ''

/** A time of today as a clock, of another day with the day. */
export function moment(at: string, now: number): string {
  const when = Date.parse(at)
  return day(when) === day(now) ? clock(when) : `${day(when)} ${clock(when)}`
}

/** The running clock in words; null if none runs. `short`: for a row. */
export function clockWords(work: Pick<Incident, 'deadlines' | 'paused'>, now: number, short = false): { text: string; over: boolean } | null {
  if (work.paused) return { text: t().work.paused, over: false }
  const next = running(work, now)
  if (!next) return null
  const target = t().work.targets[next.target] ?? next.target
  if (next.over) return { text: short ? t().work.overShort(face(next.ms)) : t().work.over(target, face(next.ms)), over: true }
  return { text: short ? t().work.leftShort(target, face(next.ms)) : t().work.left(target, face(next.ms)), over: false }
}

/** Where an incident is that is given to oneself: as it was reported, else the places of the cameras that saw it. */
export function whereWords(given: Pick<Given, 'place' | 'cameras'>): string | null {
  const places = given.cameras.map((one) => one.place || one.name || one.camera)
  return given.place ?? ([...new Set(places)].slice(0, 3).join('、') || null)
}

/** Why the hub did not take something, in the page's language. */
export function refusalWords(told: Told): string {
  if (language() === 'zh' && told.zh) return told.zh
  if (language() === 'en' && told.zh) return told.message // the workflow's own words exist in both
  return t().work.refusedCodes[told.code] ?? t().work.refusedOther(told.code)
}
