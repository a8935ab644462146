//! Why an alert is in its incident, in words.
import type { Desk } from '../../desk'
import { length, number, t } from '../../language'
import type { IncidentAlert } from '../../work-wire'
import { cameraName } from './place'

export function Because(props: { desk: Desk; alert: IncidentAlert }) {
  return <span class="because">{becauseWords(props.desk, props.alert)}</span>
}

function becauseWords(desk: Desk, { because }: IncidentAlert): string {
  const words = t().queue.because
  if (!because) return words.unknown
  if (because.how !== 'linked') return words[because.how] ?? words.unknown
  const camera = cameraName(desk, because.agent, because.camera)
  const gap = length(because.gap_ms)
  if (because.relation === 'same') return words.same(gap)
  return because.relation === 'near' ? words.near(camera, number(because.metres ?? 0), gap) : words.neighbour(camera, gap)
}
