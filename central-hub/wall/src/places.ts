//! One place on the page for each alert: the place stays, what is in it may change. So a row keeps its
//! focus and its picture when its alert changes. Owns: which alerts have a place; no more than are kept.
import { createSignal, type Accessor } from 'solid-js'
import type { Alert } from './wire'

export interface Entry {
  readonly id: string
  readonly alert: Accessor<Alert>
  /** When the feed brought it, on this page's clock; 0 if it came with a list. */
  readonly came: number
}

export function openPlaces() {
  const places = new Map<string, { entry: Entry; put: (alert: Alert) => void }>()
  return {
    has: (id: string): boolean => places.has(id),
    of: (alert: Alert): Entry => places.get(alert.id)!.entry,
    /** Puts an alert in its place, a new one if it has none. */
    put(alert: Alert, came: number): Entry {
      const known = places.get(alert.id)
      if (known) {
        known.put(alert)
        return known.entry
      }
      const [read, write] = createSignal(alert)
      const entry = { id: alert.id, alert: read, came }
      places.set(alert.id, { entry, put: (next) => void write(next) })
      return entry
    },
    /** Gives up the places of all but these. */
    only(list: readonly Alert[], also: string | undefined): void {
      const kept = new Set(list.map((alert) => alert.id))
      for (const id of places.keys()) if (!kept.has(id) && id !== also) places.delete(id)
    },
  }
}
