//! A day at a site that does not exist: boxes, cameras, and alerts, for looking at the page.

const minutes = (n) => new Date(Date.now() - n * 60_000).toISOString()
const camera = (id, name, state, ago, reason = null) => ({ camera: id, name, state, since: minutes(ago), reason, width: 1920, height: 1080 })
const health = (cores, memory, cameras, open = 0, stills = 0) => ({
  at: minutes(0), cpu_cores: cores, memory_bytes: memory * 2 ** 20, spool_bytes: 40e6, spool_open_records: open, stills_waiting: stills,
  cameras: cameras.map(([id, fps]) => ({ camera: id, decoded_fps: fps, analysed_fps: fps, replaced_frames: 0, damaged_frames: 0, latency_ms: 210 })),
})

const SITE = '滨江物流园'

/** Boxes and cameras; `well` without the problems. */
export function agents(well = false) {
  return [
    {
      site: SITE, agent: 'box-east', name: '东区盒子', state: 'online', version: '0.1.0', since: minutes(3000), last_seen: minutes(0),
      cameras: [
        camera('gate', '东门', 'live', 2900), camera('gate-out', '东门外侧', well ? 'live' : 'credentials', 12), camera('fence-n', '北围栏', 'live', 2900),
        camera('fence-e', '东围栏', 'live', 610), camera('parking', '停车场', 'live', 2900),
      ],
      health: health(2.4, 812, [['gate', 12.5], ['gate-out', 10], ['fence-n', 10], ['fence-e', 10], ['parking', 12.4]]),
    },
    {
      site: SITE, agent: 'box-yard', name: '库区盒子', state: 'online', version: '0.1.0', since: minutes(800), last_seen: minutes(0),
      cameras: [
        camera('dock', '装卸平台', 'live', 790), camera('hall-a', 'A 库通道', 'live', 790), camera('hall-b', 'B 库通道', well ? 'live' : 'stalled', 4),
        camera('cold', '冷库门', well ? 'live' : 'connecting', 0.3),
      ],
      health: health(1.7, 640, [['dock', 12.5], ['hall-a', 9.8], ['hall-b', 10], ['cold', 10]], 3, 2),
    },
    {
      site: SITE, agent: 'box-west', name: '西门盒子', state: well ? 'online' : 'offline', version: '0.1.0', since: minutes(26), last_seen: minutes(26),
      cameras: [camera('west', '西门', 'live', 900), camera('west-road', '西门道路', 'live', 900)], health: health(0.9, 410, [['west', 12], ['west-road', 12]]),
    },
  ]
}

const CROSSED = 'LineDetector/Crossed'
const INSIDE = 'FieldDetector/ObjectsInside'
const LOITERING = 'LoiteringDetector/ObjectIsLoitering'
const HAPPENINGS = [
  { agent: 'box-east', camera: 'fence-n', camera_name: '北围栏', kind: CROSSED, severity: 'high', direction: 'right', scene: 'fence', rule: 'fence-line', rule_name: '围栏警戒线' },
  { agent: 'box-east', camera: 'gate', camera_name: '东门', kind: LOITERING, severity: 'medium', scene: 'gate', rule: 'gate-area', rule_name: '门前区域' },
  { agent: 'box-yard', camera: 'hall-a', camera_name: 'A 库通道', kind: INSIDE, severity: 'medium', scene: 'hall', rule: 'aisle', rule_name: '夜间禁入', narrow: true },
  { agent: 'box-yard', camera: 'dock', camera_name: '装卸平台', kind: CROSSED, severity: 'low', direction: 'left', scene: 'yard', object_class: 'Car', rule: 'dock-line', rule_name: null },
  { agent: 'box-east', camera: 'parking', camera_name: '停车场', kind: INSIDE, severity: 'low', scene: 'yard', rule: 'parking', rule_name: null },
  { agent: 'box-east', camera: 'fence-e', camera_name: '东围栏', kind: CROSSED, severity: 'high', direction: 'left', scene: 'fence', rule: 'fence-line', rule_name: '围栏警戒线' },
]

/** The n-th thing that happens; after every tenth, one of the rarer cases. */
export function happening(n, ago = 0) {
  const at = minutes(ago)
  const plain = { site: SITE, ...HAPPENINGS[(n * 5) % HAPPENINGS.length], at, received_at: at, confidence: 0.6 + ((n * 13) % 37) / 100 }
  if (n % 10 === 3) return { ...plain, still: { state: 'none', reason: 'redaction_failed' } }
  if (n % 10 === 5) return { ...plain, test: true, severity: 'low' }
  if (n % 10 === 8) return { ...plain, at: minutes(ago + 18), time_source: 'agent', uncertainty_ms: 900 }
  if (n % 10 === 6) return { ...plain, still: { state: 'pending' } }
  return plain
}

/** Fills a hub with a morning. */
export function fill(hub, { well = false, count = 70 } = {}) {
  for (const agent of agents(well)) hub.agent(agent, true)
  for (let n = count; n > 0; n--) hub.alert(happening(n, 0.15 + n * n * 0.11 + n * 0.8), true)
}

const report = (words, place) => ({ reporter: 'guard', words, place, x: null, y: null, lat: 30.25, lon: 120.15, area: null })

/** What a grid member has to do this morning; who they are. */
export const STREET = { chen: { name: '陈网格', roles: ['grid_member'] } }
export function fillStreet(hub) {
  const mine = { assigned: { member: 'chen' } }
  const since = (seconds) => Date.now() - seconds * 1000
  hub.incidents.add({ kind: 'fire_lane_blocked', severity: 'high', report: report('面包车挡住消防通道', '西门停车场'), clock_from: since(40), ...mine }, true)
  const quarrel = hub.incidents.add({
    kind: 'quarrel', report: report('两家因停车争吵，声音很大', '东街 12 号门前'), clock_from: since(200), targets: { acknowledge: 60_000, dispatch: 300_000, arrive: 900_000 }, ...mine,
  }, true)
  hub.incidents.act(quarrel, '王值班', { step: 'dispatch', to: { member: 'chen' }, note: '东街 12 号门前，请先劝开' })
  hub.incidents.add({ kind: 'street_light', severity: 'low', report: report('路灯不亮', '市场北门'), clock_from: since(3000), targets: { acknowledge: 14_400_000 }, ...mine }, true)
}

/** Open incidents of every sort, with alerts, people to send, and something that is late. */
export function fillQueue(hub) {
  const since = (seconds) => Date.now() - seconds * 1000
  const at = (seconds) => new Date(since(seconds)).toISOString()
  hub.incidents.unit({ site: SITE, unit: 'patrol-1', name: '巡逻一队', members: ['li', 'zhou'] })
  hub.incidents.unit({ site: SITE, unit: 'patrol-2', name: '巡逻二队', members: ['chen'] })
  const seen = (part, alerts, seconds) => {
    const cameras = [...new Map(alerts.map((one) => [one.camera, { agent: one.agent, camera: one.camera }])).values()]
    const it = hub.incidents.add({ site: SITE, cameras, alerts: alerts.length, kind: alerts[0].kind, severity: alerts[0].severity, clock_from: since(seconds), ...part }, true)
    alerts.forEach((alert, n) => {
      const why = n === 0 ? { how: 'opened' } : alert.camera === alerts[0].camera
        ? { how: 'linked', agent: alert.agent, camera: alert.camera, relation: 'same', gap_ms: 8000, first: since(seconds), last: since(seconds - 8 * n) }
        : { how: 'linked', agent: alerts[0].agent, camera: alerts[0].camera, relation: 'near', metres: 35, gap_ms: 12_000, first: since(seconds), last: since(seconds - 8 * n) }
      const told = hub.alert({ site: SITE, ...alert, at: at(seconds - 8 * n), received_at: at(seconds - 8 * n), incident: it.incident, because: why }, true)
      it.opener ??= told.id
    })
    return it
  }
  const [fence, gate, hall, dock, parking, fence2] = HAPPENINGS
  seen({ severity: 'critical' }, [fence, { ...fence2, agent: 'box-east' }, fence], 34)
  seen({}, [gate], 96)
  seen({}, [hall, hall], 21)
  const light = hub.incidents.add({ site: SITE, kind: 'street_light', severity: 'low', origin: 'grid', alerts: 0, clock_from: since(5400), targets: { acknowledge: 14_400_000 }, report: { reporter: 'chen', words: '市场北门路灯不亮', place: '市场北门', x: null, y: null, lat: null, lon: null, area: null } }, true)
  hub.incidents.act(light, 'guard', { step: 'acknowledge' })
  const quarrel = hub.incidents.add({ site: SITE, kind: 'quarrel', origin: 'operator', alerts: 0, clock_from: since(260), targets: { acknowledge: 60_000, dispatch: 300_000, arrive: 900_000 }, report: { reporter: 'guard', words: '两家因停车争吵，声音很大', place: '东街 12 号门前', x: null, y: null, lat: 30.25, lon: 120.15, area: null } }, true)
  hub.incidents.act(quarrel, 'guard', { step: 'dispatch', to: { unit: 'patrol-2' } })
  hub.incidents.act(quarrel, 'chen', { step: 'accept' }, 'grid_member')
  const late = seen({}, [dock], 400)
  hub.incidents.act(late, 'guard', { step: 'acknowledge' })
  hub.incidents.mark(late, 'overdue', { target: 'dispatch', since: since(100) }, { overdue: ['dispatch'] })
  hub.incidents.mark(late, 'escalated', { level: 1, because: 'dispatch', since: since(100) }, { level: 1 })
  const done = seen({}, [parking], 1800)
  hub.incidents.act(done, 'guard', { step: 'dispatch', to: { unit: 'patrol-1' } })
  hub.incidents.act(done, 'li', { step: 'resolve', note: '司机已驶离' })
}
