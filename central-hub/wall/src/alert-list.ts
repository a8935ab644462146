//! The list of alerts that a page keeps: pure functions. Owns: order (newest received first), one
//! place per id, the bound. Leaves to desk.ts: when to ask, and what to show.
//! Invariant: an alert never changes its place; a change of it is shown where it is.
import type { Alert } from './wire'

/** Most alerts that a page keeps; older ones stay in the hub. */
export const KEPT = 500

export interface Alerts {
  readonly list: readonly Alert[]
  /** Where older alerts go on in the hub; null if none, or if this page is full. */
  readonly next: string | null
  /** True once an alert was left out because the page was full. */
  readonly full: boolean
}

export const NONE: Alerts = { list: [], next: null, full: false }

/** An alert of the feed: new or changed. */
export function told(alerts: Alerts, alert: Alert, kept = KEPT): Alerts {
  const at = alerts.list.findIndex((other) => other.id === alert.id)
  if (at >= 0) return { ...alerts, list: alerts.list.with(at, alert) }
  return bounded({ ...alerts, list: placed(alerts.list, alert) }, kept)
}

/** The newest page, after a start or a gap. `spared` were told by the feed since it was asked for
 *  and are newer than the page. A page that touches nothing kept replaces all: there is a hole between. */
export function refreshed(alerts: Alerts, page: Alerts, spared: ReadonlySet<string>, kept = KEPT): Alerts {
  const known = new Set(alerts.list.map((alert) => alert.id))
  const touches = page.list.some((alert) => known.has(alert.id) && !spared.has(alert.id))
  const base: Alerts = touches
    ? alerts
    : { list: alerts.list.filter((alert) => spared.has(alert.id)), next: page.next, full: false }
  return joined(base, page.list, spared, kept)
}

/** The next older page. */
export function extended(alerts: Alerts, page: Alerts, spared: ReadonlySet<string>, kept = KEPT): Alerts {
  return joined({ ...alerts, next: page.next }, page.list, spared, kept)
}

function joined(base: Alerts, page: readonly Alert[], spared: ReadonlySet<string>, kept: number): Alerts {
  const byId = new Map(page.map((alert) => [alert.id, alert]))
  let list: readonly Alert[] = base.list.map((alert) => (spared.has(alert.id) ? alert : (byId.get(alert.id) ?? alert)))
  const known = new Set(list.map((alert) => alert.id))
  for (const alert of page) {
    if (known.has(alert.id)) continue
    known.add(alert.id)
    list = placed(list, alert, true)
  }
  return bounded({ ...base, list }, kept)
}

/** Puts an alert in its place; one as old as another goes before it if told, after it if paged. */
function placed(list: readonly Alert[], alert: Alert, after = false): readonly Alert[] {
  const when = Date.parse(alert.received_at)
  let at = list.findIndex((other) => {
    const others = Date.parse(other.received_at)
    return after ? others < when : others <= when
  })
  if (at < 0) at = list.length
  return list.toSpliced(at, 0, alert)
}

function bounded(alerts: Alerts, kept: number): Alerts {
  if (alerts.list.length <= kept) return alerts
  return { list: alerts.list.slice(0, kept), next: null, full: true }
}
