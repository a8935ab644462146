//! Ages and lengths of time in the units that a person would say: pure functions over milliseconds.

export type Unit = 'second' | 'minute' | 'hour' | 'day'
export interface Part {
  value: number
  unit: Unit
}

const SECONDS: Record<Unit, number> = { second: 1, minute: 60, hour: 3600, day: 86400 }

/** One unit, rounded down; a time to come counts as now. */
export function ageParts(ms: number): Part {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const unit: Unit = seconds < 60 ? 'second' : seconds < 3600 ? 'minute' : seconds < 86400 ? 'hour' : 'day'
  return { value: Math.floor(seconds / SECONDS[unit]), unit }
}

/** At most two units, the smaller left out if nought. */
export function lengthParts(ms: number): Part[] {
  const whole = ageParts(ms)
  const rest = Math.max(0, Math.floor(ms / 1000)) - whole.value * SECONDS[whole.unit]
  const smaller: Unit | undefined = ({ second: undefined, minute: 'second', hour: 'minute', day: 'hour' } as const)[whole.unit]
  const value = smaller ? Math.floor(rest / SECONDS[smaller]) : 0
  return smaller && value > 0 ? [whole, { value, unit: smaller }] : [whole]
}

/** How far the hub's clock is ahead of this machine's, from a response's Date (whole seconds); small
 *  differences are the Date's own coarseness and count as none. */
export function clockOffset(date: string | null, now: number): number {
  const told = date ? Date.parse(date) : NaN
  if (Number.isNaN(told)) return 0
  const offset = told + 500 - now
  return Math.abs(offset) < 2500 ? 0 : offset
}
