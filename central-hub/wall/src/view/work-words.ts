//! Words for an incident and the work on it; a code of a newer hub is shown as it is.
import { running, face } from '../clocks'
import { clock, day, language, t } from '../language'
import type { Assignee, Told, Wording, Work } from '../work-wire'

export const worded = (text: Wording): string => text[language()]
export const stateWord = (state: string): string => t().work.states[state] ?? state
export const stepWord = (step: string): string => t().work.steps[step] ?? step
export const byWord = (by: string): string => (by === 'hub' ? t().work.hub : by)
export const whomWord = (to: Assignee): string => to.unit ?? to.member ?? ''

/** A time of today as a clock, of another day with the day. */
export function moment(at: string, now: number): string {
  const when = Date.parse(at)
  return day(when) === day(now) ? clock(when) : `${day(when)} ${clock(when)}`
}

/** The running clock in words; empty if none runs. */
export function clockWords(work: Pick<Work, 'deadlines' | 'paused'>, now: number): { text: string; over: boolean } | null {
  if (work.paused) return { text: t().work.paused, over: false }
  const next = running(work, now)
  if (!next) return null
  const target = t().work.targets[next.target] ?? next.target
  return { text: next.over ? t().work.over(target, face(next.ms)) : t().work.left(target, face(next.ms)), over: next.over }
}

/** Why the hub did not take something, in the page's language. */
export function refusalWords(told: Told): string {
  if (language() === 'zh' && told.zh) return told.zh
  if (language() === 'en' && told.zh) return told.message // the workflow's own words exist in both
  return t().work.refusedCodes[told.code] ?? t().work.refusedOther(told.code)
}
