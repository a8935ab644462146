//! The stand-in hub's incidents: the same addresses, shapes, refusals and rules as the real one has (test/browser/real.test.ts
//! holds the two against each other). Keeps everything in memory; time runs by this machine's clock. Never shipped.
import { randomUUID } from 'node:crypto'

const KINDS = [
  ['fire_lane_blocked', 'high', '消防通道堵塞', 'blocked fire lane'], ['quarrel', 'medium', '邻里纠纷', 'quarrel between neighbours'],
  ['help_needed', 'high', '群众求助', 'somebody needs help'], ['road_damage', 'medium', '道路损坏', 'damaged road'],
  ['street_light', 'low', '路灯损坏', 'broken street light'], ['rubbish', 'low', '垃圾堆积', 'heap of rubbish'],
  ['water_leak', 'medium', '水管漏水', 'leaking water pipe'], ['other', 'low', '其他', 'something else'],
].map(([kind, severity, zh, en]) => ({ kind, name: { zh, en }, severity, procedure: kind === 'quarrel' }))

/** central-hub/procedures/quarrel.toml. */
const QUARREL = {
  name: { zh: '邻里纠纷', en: 'quarrel between neighbours' },
  questions: [
    { id: 'violence', text: { zh: '是否有人动手或持有器械？', en: 'Does anybody hit others, or hold a weapon?' }, answers: [
      { id: 'yes', text: { zh: '是', en: 'yes' }, next: 'police' }, { id: 'no', text: { zh: '否', en: 'no' }, next: 'injured' }] },
    { id: 'police', text: { zh: '拨打 110，并请在场人员保持距离。', en: 'Call the police (110) and ask people there to keep apart.' }, answers: [
      { id: 'called', text: { zh: '已报警', en: 'called' }, next: 'injured' }] },
    { id: 'injured', text: { zh: '是否有人受伤？', en: 'Is anybody hurt?' }, answers: [
      { id: 'yes', text: { zh: '是', en: 'yes' }, next: 'ambulance' }, { id: 'no', text: { zh: '否', en: 'no' }, next: 'mediator' }] },
    { id: 'ambulance', text: { zh: '拨打 120。', en: 'Call an ambulance (120).' }, answers: [{ id: 'called', text: { zh: '已呼叫', en: 'called' }, next: 'mediator' }] },
    { id: 'mediator', text: { zh: '通知网格员或调解员到场。', en: 'Send the grid member or a mediator.' }, answers: [
      { id: 'sent', text: { zh: '已通知', en: 'sent' } }, { id: 'not_needed', text: { zh: '不需要', en: 'not needed' } }] },
  ],
}
const ALL = ['acknowledge', 'dispatch', 'accept', 'arrive', 'resolve', 'close', 'false_alarm', 'reopen', 'note', 'attach', 'assign', 'pause', 'resume', 'answer']
const ZH = {
  acknowledge: '确认', dispatch: '派遣', accept: '接单', arrive: '到场', resolve: '处置完成', close: '结案', false_alarm: '标为误报', reopen: '重新打开',
  note: '备注', attach: '附件', assign: '指派', pause: '暂停计时', resume: '恢复计时', answer: '回答',
}
const PROGRESS = { new: 0, acknowledged: 1, dispatched: 2, on_scene: 3, resolved: 4, closed: 5, false_alarm: 5 }
const REACHES = { acknowledge: 'acknowledged', dispatch: 'dispatched', accept: 'dispatched', arrive: 'on_scene', resolve: 'resolved', close: 'closed', false_alarm: 'false_alarm' }
const RANK = { critical: 0, high: 1, medium: 2, low: 3 }
const iso = (ms) => new Date(ms).toISOString()
const settled = (it) => PROGRESS[it.state] >= 4
const decides = (step) => !['note', 'attach', 'answer'].includes(step)

class Refusal extends Error {
  constructor(status, code, more = {}) {
    super(code)
    Object.assign(this, { status, code, more })
  }
}

/** @param {{send: (type: string, value: unknown) => void, alertsOf: (incident: string) => any[]}} hub */
export function startIncidents({ send, alertsOf }) {
  const state = { list: /** @type {any[]} */ ([]), units: /** @type {any[]} */ ([]), photos: new Map(), serial: 0, once: new Map(), places: new Map() }
  const tell = (it) => send('incident', listed(it))

  const make = (part) => {
    const now = part.clock_from ?? Date.now()
    return {
      incident: randomUUID(), site: 'east', origin: 'alerts', kind: 'LineDetector/Crossed', family: 'perimeter', test: false, severity: 'medium', state: 'new',
      version: 0, opened_at: now, last_at: now, clock_from: now, alerts: 1, cameras: [], opener: null, by_hand: false, alias_of: null,
      reopened: 0, reached: [], assigned: null, accepted: null, paused: false, overdue: [], level: 0, report: null, history: [],
      targets: { acknowledge: 60_000, dispatch: 300_000 }, ...part,
    }
  }
  const fact = (it, step, by, role, more = {}) => {
    const at = Math.max(Date.now(), ...it.history.map((one) => Date.parse(one.at) + 1))
    const line = { id: randomUUID(), incident: it.incident, at: iso(at), step, by, role, data: {}, ...more }
    it.history.push(line)
    return line
  }
  const deadlines = (it) => {
    if (it.test || settled(it) || it.paused) return []
    return Object.entries(it.targets)
      .filter(([target]) => PROGRESS[it.state] < PROGRESS[{ acknowledge: 'acknowledged', dispatch: 'dispatched', arrive: 'on_scene', resolve: 'resolved' }[target]])
      .map(([target, ms]) => ({ target, at: iso(it.clock_from + ms) }))
      .sort((a, b) => (a.at < b.at ? -1 : 1))
  }
  const due = (it) => deadlines(it).find((one) => !it.overdue.includes(one.target))?.at ?? null
  const listed = (it) => ({
    site: it.site, incident: it.incident, origin: it.origin, kind: it.kind, family: it.family, test: it.test, severity: it.severity, state: it.state,
    version: it.version, opened_at: iso(it.opened_at), last_at: iso(it.last_at), clock_from: iso(it.clock_from), due_at: due(it), alerts: it.alerts,
    cameras: it.cameras, opener: it.opener, by_hand: it.by_hand, alias_of: it.alias_of,
    assigned: it.assigned, level: it.level, paused: it.paused, overdue: it.overdue, deadlines: deadlines(it),
    place: it.report?.place ?? null, words: it.report?.words ?? null,
  })
  const isOpen = (it, role, step) => {
    const worked = ['acknowledged', 'dispatched', 'on_scene'].includes(it.state)
    switch (step) {
      case 'acknowledge': return it.state === 'new'
      case 'dispatch': case 'assign': case 'false_alarm': return it.state === 'new' || worked
      case 'accept': return !settled(it) && it.state !== 'on_scene' && it.assigned !== null && it.accepted === null
      case 'arrive': return ['acknowledged', 'dispatched'].includes(it.state) && it.assigned !== null
      case 'resolve': return worked
      case 'close': return it.state === 'resolved'
      case 'reopen': return it.state === 'resolved' || (settled(it) && role === 'shift_lead')
      case 'pause': return worked && !it.paused
      case 'resume': return it.paused
      case 'answer': return !['closed', 'false_alarm'].includes(it.state)
      default: return true
    }
  }
  const isGiven = (it, who) => it.assigned?.member === who.user || unitsOf(who).includes(it.assigned?.unit)
  const unitsOf = (who) => state.units.filter((unit) => unit.members.includes(who.user)).map((unit) => unit.unit)
  const isTheirs = (it, who, step) => who.role !== 'grid_member' || isGiven(it, who) || (it.report?.reporter === who.user && ['note', 'attach'].includes(step))
  const forRole = (who, step) => who.role !== 'grid_member' || ['accept', 'arrive', 'resolve', 'note', 'attach', 'answer'].includes(step)
  const openTo = (it, who) => ALL.filter((step) => forRole(who, step) && isTheirs(it, who, step) && isOpen(it, who.role, step))
  const course = (it) => {
    if (it.kind !== 'quarrel') return null
    const given = new Map(it.history.filter((one) => one.step === 'answer').map((one) => [one.data.question, one.data.answer]))
    const answered = []
    let next = QUARREL.questions[0]
    while (next && given.has(next.id)) {
      const answer = next.answers.find((one) => one.id === given.get(next.id))
      answered.push({ question: next.id, text: next.text, answer: answer.id, answer_text: answer.text })
      next = QUARREL.questions.find((one) => one.id === answer.next) ?? null
    }
    return { name: QUARREL.name, answered, next: next ?? null }
  }
  const view = (it, who) => ({
    site: it.site, incident: it.incident, kind: it.kind, severity: it.severity, state: it.state, version: it.version, due_at: due(it),
    clock_from: iso(it.clock_from), reopened: it.reopened, reached: it.reached, assigned: it.assigned, accepted: it.accepted, paused: it.paused,
    overdue: it.overdue, level: it.level, deadlines: deadlines(it), open: openTo(it, who), procedure: course(it), report: it.report, history: it.history,
  })
  const found = (site, incident, who) => {
    let it = state.list.find((one) => one.site === site && one.incident === incident)
    while (it?.alias_of) it = state.list.find((one) => one.incident === it.alias_of)
    const sees = it && (who.role !== 'grid_member' || isGiven(it, who) || it.report?.reporter === who.user)
    if (!sees) throw new Refusal(404, 'not_found')
    return it
  }
  const refuse = (it, who, status, code, zh, message, more = {}) => {
    throw new Refusal(status, code, { message, zh, state: it.state, version: it.version, open: openTo(it, who), ...more })
  }
  const take = (it, who, asked) => {
    const { step, note, to } = asked
    if (!ALL.includes(step)) throw new Refusal(400, 'bad_request')
    if (['dispatch', 'assign'].includes(step) && !(to?.member || state.units.some((unit) => unit.unit === to?.unit))) throw new Refusal(422, 'needs_assignee')
    const next = course(it)?.next
    if (step === 'answer' && !(next?.id === asked.question && next.answers.some((one) => one.id === asked.answer))) throw new Refusal(422, 'no_such_answer')
    if (decides(step) && asked.version === undefined) throw new Refusal(428, 'needs_version')
    if (asked.version !== undefined && asked.version !== it.version) {
      const last = it.history.findLast((one) => ALL.includes(one.step)) ?? { by: 'hub', step: 'reopen', at: iso(it.clock_from) }
      const words = { by: last.by, did: last.step, at: last.at }
      refuse(it, who, 409, 'overtaken', `${last.by} 已先行“${ZH[last.step]}”，请重新查看事件`, `${last.by} was faster: "${last.step}"; look at the incident again`, words)
    }
    if (!forRole(who, step)) refuse(it, who, 403, 'not_for_role', `网格员不能“${ZH[step]}”，请联系值班员`, `"${step}" is not for grid members; ask an operator`)
    if (!isTheirs(it, who, step)) refuse(it, who, 403, 'not_yours', '该事件指派给别人，不是您', 'this incident is given to others, not to you')
    if (!isOpen(it, who.role, step)) refuse(it, who, 409, 'not_now', `事件当前不能“${ZH[step]}”`, `"${step}" is not open now`)
    if (['note', 'pause', 'false_alarm', 'reopen'].includes(step) && !note?.trim()) refuse(it, who, 422, 'needs_note', `“${ZH[step]}”需要填写说明`, `"${step}" needs a note that says why`)
    const line = fact(it, step, who.user, who.role, { data: step === 'answer' ? { question: asked.question, answer: asked.answer } : {}, ...(note?.trim() && { note }), ...(to && { to }) })
    apply(it, line)
    it.version++
    tell(it)
    return it
  }
  const apply = (it, { step, by, at, to }) => {
    if (step === 'reopen') Object.assign(it, { state: 'new', reopened: it.reopened + 1, reached: [], accepted: null, overdue: [], level: 0, clock_from: Date.parse(at) })
    const reaches = step === 'reopen' ? 'acknowledged' : REACHES[step]
    if (reaches && PROGRESS[reaches] > PROGRESS[it.state]) {
      it.state = reaches
      it.reached.push({ state: reaches, at, by })
    }
    if (step === 'dispatch' || step === 'assign') it.assigned = to
    if (step === 'dispatch') it.accepted = null
    if (step === 'accept') it.accepted = { at, by }
    if (step === 'pause') it.paused = true
    if (step === 'resume' || settled(it)) it.paused = false
  }
  const open = (who, asked) => {
    const kind = KINDS.find((one) => one.kind === asked.kind)
    if (!kind || !asked.words?.trim()) throw new Refusal(422, 'unprocessable')
    const it = make({ site: asked.site, kind: kind.kind, family: kind.kind, severity: asked.severity ?? kind.severity, origin: who.role === 'grid_member' ? 'grid' : 'operator', alerts: 0 })
    it.report = { reporter: who.user, words: asked.words, place: asked.place ?? null, x: null, y: null, lat: asked.point?.lat ?? null, lon: asked.point?.lon ?? null, area: null }
    fact(it, 'opened', who.user, who.role, { note: asked.words })
    if (asked.point && state.units[0]) {
      it.report.area = 'area'
      it.assigned = { unit: state.units[0].unit }
      fact(it, 'assign', 'hub', 'hub', { data: { area: 'area' }, to: it.assigned })
    }
    state.list.push(it)
    tell(it)
    return it
  }
  const urgent = (a, b) => a.test - b.test || RANK[a.severity] - RANK[b.severity] || a.clock_from - b.clock_from
  const mine = (who) =>
    state.list.filter((it) => !settled(it) && !it.alias_of && isGiven(it, who)).sort(urgent).map((it) => ({
      site: it.site, incident: it.incident, kind: it.kind, name: KINDS.find((one) => one.kind === it.kind)?.name ?? null, severity: it.severity, state: it.state,
      version: it.version, due_at: due(it), opened_at: iso(it.clock_from), words: it.report?.words ?? null, place: it.report?.place ?? null,
      cameras: it.cameras.map(({ agent, camera }) => ({ agent, camera, name: null, place: null, lat: null, lon: null, ...state.places.get(`${agent}/${camera}`) })), still: stillOf(it),
    }))
  const stillOf = (it) => {
    const alert = alertsOf(it.incident).find((one) => one.still.state === 'sent')
    return alert ? { alert: alert.id, url: alert.still.url } : null
  }
  /** What was answered under an `Idempotency-Key`; the same key with something else is refused. */
  const once = async (who, key, content, act) => {
    if (!key) return act()
    const before = state.once.get(`${who.user} ${key}`)
    if (before && before.content !== content) throw new Refusal(422, 'key_used')
    const answer = before?.answer ?? (await act())
    state.once.set(`${who.user} ${key}`, { content, answer })
    return structuredClone(answer)
  }

  return {
    state,
    unit: (unit) => void state.units.push({ site: 'east', members: [], ...unit }),
    /** Opens one without anybody asking. */
    add(part = {}, quietly = false) {
      const it = make(part)
      state.list.push(it)
      if (!quietly) tell(it)
      return it
    },
    /** The hub's own marks, and what changes by alerts. */
    mark(it, step, data, part = {}) {
      fact(it, step, 'hub', 'hub', { data })
      Object.assign(it, part)
      tell(it)
    },
    /** Somebody else does something. */
    act: (it, user, wish, role = 'operator') => take(it, { user, role }, { version: it.version, ...wish }),
    /** Answers a request of the API, or says that it is none of these. */
    async answer(method, path, query, who, body, say, picture, key) {
      try {
        return await this.route(method, path, query, who, body, say, picture, key)
      } catch (why) {
        if (!(why instanceof Refusal)) throw why
        say(why.status, { error: { code: why.code, message: why.code, ...why.more } })
        return true
      }
    },
    /** Whether an alert's picture is theirs to see. */
    mayLook: (who, alert) => who.role !== 'grid_member' || state.list.some((it) => it.incident === alert.incident && isGiven(it, who)),
    async route(method, path, query, who, body, say, picture, key) {
      const json = async () => JSON.parse(String(await body()))
      const atTheWall = who.role !== 'grid_member'
      const [, site, incident, part, file] = /^\/incidents\/([^/]+)\/([^/]+)(?:\/(steps|alerts|attachments|split|merge))?(?:\/([^/]+))?$/.exec(path) ?? []
      if (!['operator', 'shift_lead', 'grid_member'].includes(who.role) && /^\/(incidents|my-incidents|sites)(\/|$)/.test(path)) return say(403, { error: { code: 'not_allowed', message: 'your roles do not allow this' } }), true
      if (path === '/my-incidents') return say(200, { incidents: mine(who) }), true
      if (path === '/incidents' && method === 'POST') {
        const asked = await json()
        return say(201, await once(who, key, JSON.stringify(['open', asked]), () => structuredClone(view(open(who, asked), who)))), true
      }
      if (path === '/incidents' && method === 'GET') return say(200, page(query, atTheWall)), true
      if (path === '/incidents/steps') {
        const { incidents, ...wish } = await json()
        const results = incidents.map(({ site, incident, version }) => {
          try {
            const it = take(found(site, incident, who), who, { ...wish, version })
            return { status: 201, state: it.state, version: it.version, site, incident }
          } catch (why) {
            if (!(why instanceof Refusal)) throw why
            return { status: why.status, error: { code: why.code, message: why.code, ...why.more }, site, incident }
          }
        })
        return say(200, { results }), true
      }
      const [, place, list] = /^\/sites\/([^/]+)\/(incident-kinds|units)$/.exec(path) ?? []
      if (list === 'incident-kinds') return say(200, { kinds: KINDS }), true
      if (list === 'units') return atTheWall ? say(200, { units: state.units.filter((unit) => unit.site === decodeURIComponent(place)) }) : say(403, { error: { code: 'not_allowed', message: 'not allowed' } }), true
      if (!site) return false
      if (part === 'steps' && method === 'POST') {
        const asked = await json()
        const { version: _based, ...wanted } = asked
        const act = () => structuredClone(view(take(found(decodeURIComponent(site), decodeURIComponent(incident), who), who, asked), who))
        return say(201, await once(who, key, JSON.stringify([path, wanted]), act)), true
      }
      const it = found(decodeURIComponent(site), decodeURIComponent(incident), who)
      if (part === 'steps') return say(200, view(it, who)), true
      if (part === 'split' || part === 'merge') {
        const asked = await json()
        if (who.role === 'grid_member') throw new Refusal(403, 'not_allowed')
        if (part === 'merge' && asked.with === it.incident) throw new Refusal(400, 'same_incident')
        if (asked.version !== it.version) throw new Refusal(409, 'changed_meanwhile')
        if (part === 'split') {
          const chosen = alertsOf(it.incident).filter((alert) => asked.alerts.includes(alert.id))
          if (asked.alerts.length === 0) throw new Refusal(400, 'nothing_chosen')
          if (chosen.length < asked.alerts.length) throw new Refusal(400, 'not_in_it')
          if (chosen.length === it.alerts) throw new Refusal(400, 'nothing_left')
          Object.assign(it, { version: it.version + 1, by_hand: true })
          const made = make({ ...listed(it), incident: randomUUID(), alerts: chosen.length, version: 0, state: 'new', by_hand: true, opened_at: it.opened_at, last_at: it.last_at, clock_from: it.clock_from })
          it.alerts -= chosen.length
          for (const alert of chosen) Object.assign(alert, { incident: made.incident, because: { how: 'split' } })
          state.list.push(made)
          tell(it), tell(made)
          return say(201, listed(made)), true
        }
        const other = found(it.site, asked.with, who)
        Object.assign(it, { version: it.version + 1, by_hand: true })
        const [stays, goes] = it.opened_at <= other.opened_at ? [it, other] : [other, it]
        stays.alerts += goes.alerts
        goes.alias_of = stays.incident
        fact(stays, 'absorbed', 'hub', 'hub', { data: { incident: goes.incident } })
        tell(goes), tell(stays)
        return say(200, listed(stays)), true
      }
      if (part === 'alerts') return say(200, { alerts: alertsOf(it.incident), next: null }), true
      if (part === 'attachments' && method === 'POST') {
        const bytes = await body()
        const act = () => {
          if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new Refusal(415, 'no_photo')
          const id = randomUUID()
          state.photos.set(id, bytes)
          fact(it, 'attach', who.user, who.role, { data: { file: id } })
          it.version++
          tell(it)
          return { file: id, media_type: 'image/jpeg', url: `/api/v1/incidents/${it.site}/${it.incident}/attachments/${id}` }
        }
        return say(201, await once(who, key, `${path} ${bytes.toString('base64')}`, act)), true
      }
      if (part === 'attachments') return state.photos.has(file) ? picture(state.photos.get(file)) : say(404, { error: { code: 'not_found', message: 'no photo' } }), true
      return say(200, listed(it)), true
    },
  }

  function page(query, atTheWall) {
    const wanted = query.get('state') ?? 'open'
    const fits = (it) => !it.alias_of && (wanted === 'open' ? !settled(it) : wanted === 'all' || it.state === wanted)
    const newest = query.get('order') ? query.get('order') === 'newest' : wanted !== 'open'
    const list = atTheWall ? state.list.filter(fits).sort(newest ? (a, b) => b.opened_at - a.opened_at : urgent) : []
    return { incidents: list.slice(0, Number(query.get('limit')) || 50).map(listed), next: null, change: 1 }
  }
}
