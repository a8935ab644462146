//! Rings and says what cannot wait: severe new incidents, and those that became late. What was there when the page came up is
//! neither.
import { createEffect, createSignal } from 'solid-js'
import type { Desk } from '../desk'
import type { Incidents } from '../incidents'
import { t } from '../language'
import { isOver, rings } from '../queue'
import type { Sound } from '../sound'
import { kindName } from './work-words'
import { severitySpoken } from './words'

export function Bells(props: { desk: Desk; incidents: Incidents; sound: Sound }) {
  const [said, setSaid] = createSignal('')
  let known: Set<string> | null = null
  let inTime = new Set<string>()
  createEffect(() => {
    const [items, now] = [props.incidents.items(), props.desk.now()]
    if (!props.incidents.loaded()) return
    const keys = items.map((item) => item.key)
    const { fresh, late } = rings(known ?? new Set(keys), inTime, items, now)
    known = new Set([...(known ?? []), ...keys])
    inTime = new Set(items.filter((item) => !isOver(item, now)).map((item) => item.key))
    const first = fresh[0] ?? late[0]
    if (!first) return
    props.sound.ring(fresh[0] ? 'fresh' : 'late')
    const kind = kindName(props.incidents.kinds, first.incident.kind)
    setSaid(fresh[0] ? t().queue.announceNew(severitySpoken(first.incident), kind) : t().queue.announceOver(kind))
  })
  return (
    <p class="unseen" role="log" aria-live="assertive" data-name="bells">
      {said()}
    </p>
  )
}
