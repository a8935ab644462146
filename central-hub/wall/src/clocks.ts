//! Which clock of an incident runs, and what it shows: pure functions. The hub decides what is overdue and when; this only
//! reads its timetable between two answers.
import type { Incident, Target } from './work-wire'

export interface Running {
  target: Target
  /** ms left, or ms over. */
  ms: number
  over: boolean
}

/** What was missed longest, else what comes due next; null if nothing runs. */
export function running(work: Pick<Incident, 'deadlines' | 'paused'>, now: number): Running | null {
  if (work.paused) return null
  const first = work.deadlines
    .map(({ target, at }) => ({ target, at: Date.parse(at) }))
    .sort((a, b) => a.at - b.at)[0]
  return first ? { target: first.target, ms: Math.abs(first.at - now), over: first.at <= now } : null
}

/** "4:05", "1:04:05"; whole seconds, as on a clock. */
export function face(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const two = (value: number) => String(value).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes}:${two(seconds % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}
