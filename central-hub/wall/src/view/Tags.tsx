//! Small facts beside an alert: its severity, that it is a test, that it came late.
import { Show } from 'solid-js'
import { length, t } from '../language'
import type { Alert, Severity } from '../wire'
import { SeverityShape } from './icons'
import { lateness, severityWord } from './words'

export function SeverityTag(props: { alert: { severity: Severity } }) {
  return (
    <span class="severity" data-severity={props.alert.severity}>
      <SeverityShape severity={props.alert.severity} />
      <span>{severityWord(props.alert)}</span>
    </span>
  )
}

export function Tags(props: { alert: Alert }) {
  return (
    <>
      <Show when={props.alert.test}>
        <span class="tag tag--test">{t().test}</span>
      </Show>
      <Show when={lateness(props.alert)}>{(late) => <span class="tag">{t().late(length(late()))}</span>}</Show>
    </>
  )
}
