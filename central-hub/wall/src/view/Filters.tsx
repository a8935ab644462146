//! Narrowing the stream to one camera or one kind.
import { createMemo, For } from 'solid-js'
import type { Desk } from '../desk'
import { t } from '../language'
import { kindWord } from './words'

const KINDS = ['LineDetector/Crossed', 'FieldDetector/ObjectsInside', 'LoiteringDetector/ObjectIsLoitering']

export function Filters(props: { desk: Desk }) {
  const cameras = createMemo(() => {
    const names = new Map<string, string>()
    for (const agent of props.desk.devices()) for (const camera of agent.seen) names.set(camera.camera, camera.name || camera.camera)
    return [...names].sort(([a], [b]) => (a < b ? -1 : 1))
  })
  const change = (part: 'camera' | 'kind') => (event: Event) =>
    props.desk.setFilter({ ...props.desk.filter(), [part]: (event.currentTarget as HTMLSelectElement).value })
  return (
    <div class="filters">
      <select aria-label={t().filterCamera} onChange={change('camera')} data-on={props.desk.filter().camera !== ''}>
        <option value="">{t().allCameras}</option>
        <For each={cameras()}>{([id, name]) => <option value={id} selected={props.desk.filter().camera === id}>{name}</option>}</For>
      </select>
      <select aria-label={t().filterKind} onChange={change('kind')} data-on={props.desk.filter().kind !== ''}>
        <option value="">{t().allKinds}</option>
        <For each={KINDS}>{(kind) => <option value={kind}>{kindWord(kind)}</option>}</For>
      </select>
    </div>
  )
}
