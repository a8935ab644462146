//! Shapes that say the same as the word beside them, so that nothing depends on colour alone.
//! All are hidden from a screen reader: the word is always there.
import { Match, Switch } from 'solid-js'
import type { Severity } from '../wire'

/** The mark: a signal with its arm raised, in its box. The same drawing as public/mark.svg. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="mark__box" x="2" y="2" width="28" height="28" rx="7" />
      <path class="mark__post" d="M11 26V7M7.5 26h7" />
      <path class="mark__arm" d="M11 10.5 24 6.4" />
      <circle class="mark__lamp" cx="19" cy="19" r="3.4" />
    </svg>
  )
}

/** Critical: an octagon, high: a triangle, medium: a diamond, low: a circle. */
export function SeverityShape(props: { severity: Severity }) {
  return (
    <svg class="shape" viewBox="0 0 24 24" aria-hidden="true">
      <Switch fallback={<circle class="shape__body" cx="12" cy="12" r="8.5" />}>
        <Match when={props.severity === 'critical'}>
          <path class="shape__body" d="M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4Z" />
          <path class="shape__cut" d="M8.6 6v7.4M8.6 16.8v.9M15.4 6v7.4M15.4 16.8v.9" />
        </Match>
        <Match when={props.severity === 'high'}>
          <path class="shape__body" d="M12 2.2 23 21.4H1Z" />
          <path class="shape__cut" d="M12 9v5.6M12 17.4v.9" />
        </Match>
        <Match when={props.severity === 'medium'}>
          <path class="shape__body" d="M12 1.6 22.4 12 12 22.4 1.6 12Z" />
        </Match>
      </Switch>
    </svg>
  )
}

const STATE_PATHS: Record<string, string> = {
  live: 'M3.5 8.4 6.6 11.4 12.5 4.8',
  online: 'M3.5 8.4 6.6 11.4 12.5 4.8',
  connecting: 'M8 2.5A5.5 5.5 0 1 1 2.5 8',
  care: 'M8 2.8v6.4M8 12.6v.3',
  stalled: 'M5.5 3.5v9M10.5 3.5v9',
  offline: 'M4 4l8 8M12 4l-8 8',
  credentials: 'M10.5 5.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0ZM8 8v5.5M8 11h2.5',
  unsupported: 'M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM4.2 4.2l7.6 7.6',
  unknown: 'M5.6 6a2.4 2.4 0 1 1 3.6 2.1C8.4 8.6 8 9 8 9.9M8 12.4v.3',
}

/** A state of a box or camera. */
export function StateIcon(props: { state: string }) {
  return (
    <svg class="state-icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={STATE_PATHS[props.state] ?? STATE_PATHS['unknown']} />
    </svg>
  )
}

export function Arrow(props: { to: string }) {
  return (
    <svg class="arrow" viewBox="0 0 16 16" aria-hidden="true">
      <path d={props.to === 'left' ? 'M13.5 8h-11M7 3 2.3 8 7 13' : 'M2.5 8h11M9 3l4.7 5L9 13'} />
    </svg>
  )
}

export function SoundIcon(props: { on: boolean }) {
  return (
    <svg class="state-icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={props.on ? 'M2.5 6v4h2.6L9 13V3L5.1 6ZM11.4 5.4a4 4 0 0 1 0 5.2' : 'M2.5 6v4h2.6L9 13V3L5.1 6ZM11.2 6.2l3.4 3.6M14.6 6.2l-3.4 3.6'} />
    </svg>
  )
}
