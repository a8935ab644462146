//! Words for what the wire says in codes; a code of a newer hub is shown as it is.
import { t } from '../language'
import type { Alert, Severity } from '../wire'

export const kindWord = (kind: string): string => t().kinds[kind] ?? kind.split('/').pop() ?? kind
export const cameraWord = (alert: { camera: string; camera_name: string | null }): string => alert.camera_name || alert.camera
export const directionWord = (direction: string): string => t().directions[direction] ?? direction
export const classWord = (name: string): string => t().classes[name] ?? name
export const severityWord = (alert: { severity: Severity }): string => t().severity[alert.severity] ?? alert.severity
export const severitySpoken = (alert: { severity: Severity }): string => t().severitySpoken[alert.severity] ?? alert.severity

/** Why there is no picture, or that it is coming. */
export function stillWord(alert: Alert): string {
  if (alert.still.state === 'pending') return t().stillPending
  const reason = alert.still.reason
  if (!reason) return t().stillNone
  return t().stillReasons[reason] ?? t().stillOtherReason(reason)
}

/** How late an alert reached the hub, in ms; 0 if it came at once. */
export function lateness(alert: Alert): number {
  if (alert.time_source === 'media') return 0
  const late = Date.parse(alert.received_at) - Date.parse(alert.at)
  return late > 60_000 ? late : 0
}
