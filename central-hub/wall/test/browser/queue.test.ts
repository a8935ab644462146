//! The operator's queue against the stand-in hub: what comes first, one-key steps, conflicts, storms, sound.
import { expect, it } from 'vitest'
import { fill, fillQueue } from '../../dev/day.js'
import { startHub } from '../../dev/hub.js'
import { EVIL, openStage } from './stage'

const on = openStage({ viewport: { width: 1600, height: 900 } }, () => startHub())
const unit = { unit: 'patrol-2', name: '巡逻二队', members: ['chen'] }

const signIn = async (query = '') => {
  await on.page.goto(`${on.hub.address}/login${query}#once`)
  await on.page.locator('.link[data-link=live]').waitFor()
}
const entry = (text: string) => on.page.locator('.entry').filter({ hasText: text })
const look = async (text: string) => {
  await entry(text).locator('.entry__look').click()
  await on.page.locator(`[data-name=case-kind]`).filter({ hasText: text }).waitFor()
}
const press = (key: string) => on.page.keyboard.press(key)
const state = (text: string) => on.see('.case__state', text)
const ready = (step: string) => on.page.locator(`[data-name=next-step][data-step=${step}]:enabled`).waitFor()
const did = (incident: { history: { step: string; by: string }[] }) => incident.history.map((fact) => `${fact.step} ${fact.by}`)
const eventually = async (look: () => unknown, wanted: unknown) => {
  for (const begun = Date.now(); Date.now() - begun < 30_000; await new Promise((resolve) => setTimeout(resolve, 30))) if (JSON.stringify(look()) === JSON.stringify(wanted)) return
  expect(look()).toEqual(wanted)
}

it('puts what needs somebody now first: the worst, then the late, and says which and how long', async () => {
  const since = (seconds: number) => ({ clock_from: Date.now() - seconds * 1000 })
  on.hub.incidents.add({ kind: 'street_light', severity: 'low', ...since(10) })
  on.hub.incidents.add({ kind: 'rubbish', severity: 'medium', ...since(20) })
  on.hub.incidents.add({ kind: 'water_leak', severity: 'medium', ...since(95) })
  on.hub.incidents.add({ kind: 'help_needed', severity: 'critical', ...since(5) })
  on.hub.incidents.add({ kind: 'other', severity: 'high', state: 'resolved', ...since(900) })
  on.hub.incidents.add({ kind: 'quarrel', severity: 'high', state: 'acknowledged', ...since(70) })
  await signIn()
  await on.page.waitForFunction(() => document.querySelectorAll('.entry').length === 6 && document.querySelectorAll('.entry[data-over=true]').length === 1)
  expect(await on.page.locator('.entry__kind').allTextContents()).toEqual(['群众求助', '水管漏水', '垃圾堆积', '路灯损坏', '邻里纠纷', '其他'])
  expect(await on.page.locator('.entries__group').allTextContents()).toEqual(['需要处理', '处置中', '待结案'])
  await on.see('[data-name=case-kind]', '群众求助')
  await ready('acknowledge')
  await on.see('.entry', /水管漏水.*超时 \d+:\d\d/s)
  await on.see('.tab__count', '4')
})

it('is worked by one key a step, from new to closed', async () => {
  on.hub.incidents.unit(unit)
  const it_ = on.hub.incidents.add({ severity: 'high', cameras: [{ agent: 'box-east', camera: 'gate' }] })
  fill(on.hub, { count: 0 })
  await signIn()
  await ready('acknowledge')
  await press('Escape') // a key right after the page chose by itself counts for nothing: it may have meant another one
  await press('a')
  await state('已确认')
  await ready('dispatch')
  await press('d')
  await on.see('.ask__choice', '巡逻二队')
  expect(await on.page.locator('dialog textarea').inputValue()).toBe('东门 · 东街')
  await press('1')
  await state('已派遣')
  await on.see('.case__waits', '等待 patrol-2 到场')
  await on.see('.history__line', '东门')
  on.hub.incidents.act(it_, 'chen', { step: 'accept' }, 'operator')
  on.hub.incidents.act(it_, 'chen', { step: 'arrive' }, 'operator')
  await state('已到场')
  await ready('resolve')
  await press('r')
  await state('已处置')
  await ready('close')
  await press('c')
  await on.see('.case h2', '没有未了结的事件')
  expect(did(it_)).toEqual(['acknowledge guard', 'dispatch guard', 'accept chen', 'arrive chen', 'resolve guard', 'close guard'])
})

it('marks a false alarm with a reason by two keys, and takes notes', async () => {
  const it_ = on.hub.incidents.add({ severity: 'high' })
  await signIn()
  await look('越线')
  await ready('acknowledge')
  await press('n')
  await on.page.locator('dialog textarea').fill('看过了，aaa')
  await press('Enter')
  await on.see('.history__line', '看过了')
  await press('f')
  await on.see('.ask__choice', '动物')
  await press('2')
  await on.see('.case h2', '没有未了结的事件')
  expect(did(it_)).toEqual(['note guard', 'false_alarm guard'])
  expect(it_.history[1].note).toBe('动物')
})

it('tells plainly who was faster, and does nothing', async () => {
  on.expected = /409/
  const it_ = on.hub.incidents.add({ severity: 'high' })
  await signIn()
  await look('越线')
  await ready('acknowledge')
  it_.version++ // somebody did something that this page has not heard of yet
  it_.history.push({ id: 'x', incident: it_.incident, at: new Date().toISOString(), step: 'acknowledge', by: '李明', role: 'operator', data: {} })
  it_.state = 'acknowledged'
  await press('a')
  await on.see('[data-name=notice]', /没有执行 李明 已于 .* 先行“确认”/)
  await state('已确认')
  expect(did(it_)).toEqual(['acknowledge 李明'])
  await on.page.locator('[data-name=notice] .button').click()
  await on.page.locator('[data-name=notice]').waitFor({ state: 'detached' })
})

it('means the incident that a window was opened for, whatever others do meanwhile', async () => {
  on.expected = /409/
  on.hub.incidents.unit(unit)
  const asked = on.hub.incidents.add({ kind: 'quarrel', severity: 'high' })
  const other = on.hub.incidents.add({ kind: 'rubbish', severity: 'low' })
  await signIn()
  await look('邻里纠纷')
  await ready('acknowledge')
  await press('d')
  await on.see('.ask__choice', '巡逻二队')
  on.hub.incidents.act(asked, '李明', { step: 'false_alarm', note: '是影子' })
  await on.see('[data-name=case-kind]', '垃圾堆积')
  await press('1')
  await on.see('[data-name=notice]', '李明')
  expect([did(asked), did(other)]).toEqual([['false_alarm 李明'], []])
})

it('is not stopped by a note that somebody wrote meanwhile', async () => {
  on.expected = /409/
  const it_ = on.hub.incidents.add({ severity: 'high' })
  await signIn()
  await look('越线')
  await ready('acknowledge')
  it_.history.push({ id: 'x', incident: it_.incident, at: new Date().toISOString(), step: 'note', by: '李明', role: 'operator', note: '看到了', data: {} })
  it_.version++ // this page has not heard of it yet
  await press('a')
  await state('已确认')
  expect(did(it_)).toEqual(['note 李明', 'acknowledge guard'])
})

it('takes one step for a key that is held down or pressed twice', async () => {
  const it_ = on.hub.incidents.add({ severity: 'high' })
  await signIn()
  await look('越线')
  await ready('acknowledge')
  await on.page.evaluate(() => {
    for (let n = 0; n < 5; n++) document.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', bubbles: true, repeat: n > 1 }))
  })
  await state('已确认')
  expect(did(it_)).toEqual(['acknowledge guard'])
})

it('says so when a step may not have arrived', async () => {
  on.expected = /ERR_/
  on.hub.incidents.add({ severity: 'high' })
  await signIn()
  await look('越线')
  await ready('acknowledge')
  on.hub.silence()
  await press('a')
  await on.see('[data-name=notice]', '没有收到中心的回答')
  on.hub.wake()
})

it('does the same for many in a storm, and says which were not done', async () => {
  const storm = Array.from({ length: 30 }, (_, n) => on.hub.incidents.add({ severity: 'medium', clock_from: Date.now() - n * 10 }, true))
  on.hub.incidents.add({ kind: 'quarrel', severity: 'high' }, true)
  await signIn()
  await on.page.locator('.entry').nth(30).waitFor()
  await entry('越线').first().locator('.entry__look').click()
  await press('X')
  await on.see('[data-name=bulk]', '已选 30 个事件')
  storm[7].version++
  await press('f')
  await press('3')
  await on.see('[data-name=notice]', /误报: 29|29 个已误报/)
  await on.see('[data-name=notice]', '1 个没有成功')
  expect(storm.filter((one) => one.state === 'false_alarm').length).toBe(29)
  expect(on.hub.state.requests.filter((line: string) => line === 'POST /api/v1/incidents/steps').length).toBe(1)
  await on.page.waitForFunction(() => document.querySelectorAll('.entry').length === 2)
  // by hand: a range with the mouse, and out again
  await on.page.locator('.entry__mark input').first().click()
  await on.page.locator('.entry__mark input').last().click({ modifiers: ['Shift'] })
  await on.see('[data-name=bulk]', '已选 2 个事件')
  await press('Escape')
  await on.page.locator('[data-name=bulk]').waitFor({ state: 'detached' })
})

it('shows what comes in by the feed, keeps what is looked at, and holds the order under the pointer', async () => {
  on.hub.incidents.add({ kind: 'street_light', severity: 'low' })
  await signIn()
  await look('路灯损坏')
  const box = await on.page.locator('.entries__box').boundingBox()
  await on.page.mouse.move(box!.x + 50, box!.y + 60)
  await on.page.mouse.move(box!.x + 55, box!.y + 65)
  const fresh = on.hub.incidents.add({ kind: 'help_needed', severity: 'critical' })
  await on.see('.stream__new', '1 个新事件')
  await on.see('[data-name=case-kind]', '路灯损坏')
  await on.page.locator('.stream__new').click()
  await on.page.waitForFunction(() => document.querySelector('.entry__kind')?.textContent === '群众求助')
  await on.see('[data-name=case-kind]', '路灯损坏')
  await press('Escape')
  await on.see('[data-name=case-kind]', '群众求助')
  on.hub.incidents.act(fresh, 'li', { step: 'false_alarm', note: 'x' })
  await on.see('[data-name=case-kind]', '路灯损坏')
})

it('does not bring back what was over while the list was under way', async () => {
  const over = on.hub.incidents.add({ kind: 'rubbish', severity: 'low' })
  on.hub.incidents.add({ kind: 'quarrel', severity: 'high' })
  await signIn()
  await entry('垃圾堆积').waitFor()
  let release!: () => void
  const held = new Promise<void>((resolve) => (release = resolve))
  const under = on.page.waitForRequest(/incidents\?state=open/)
  await on.page.route(/incidents\?state=open/, async (route) => {
    const answer = await route.fetch()
    await held
    await route.fulfill({ response: answer })
  })
  on.hub.resync()
  await under
  await eventually(() => on.hub.state.requests.filter((line: string) => line.includes('state=open')).length >= 2, true)
  on.hub.incidents.act(over, 'li', { step: 'false_alarm', note: 'x' })
  await entry('垃圾堆积').waitFor({ state: 'detached' })
  const answered = on.page.waitForResponse(/incidents\?state=open/)
  release()
  await answered
  on.hub.incidents.add({ kind: 'street_light', severity: 'low' })
  await entry('路灯损坏').waitFor() // the page has gone on since
  expect(await entry('垃圾堆积').count()).toBe(0)
})

it('rings for a severe new one and for one that becomes late, once the operator allows it', async () => {
  await on.page.addInitScript(() => {
    const real = AudioContext.prototype.createOscillator
    AudioContext.prototype.createOscillator = function () {
      document.documentElement.dataset['tones'] = String(Number(document.documentElement.dataset['tones'] ?? 0) + 1)
      return real.call(this)
    }
  })
  const tones = () => on.page.evaluate(() => Number(document.documentElement.dataset['tones'] ?? 0))
  const slow = on.hub.incidents.add({ kind: 'street_light', severity: 'low' })
  await signIn()
  await ready('acknowledge')
  on.hub.incidents.add({ kind: 'quarrel', severity: 'high' })
  await on.see('[data-name=bells]', '新事件：高级别，邻里纠纷')
  expect(await tones()).toBe(0)
  await on.page.locator('[data-name=sound]').click()
  await on.see('[data-name=sound]', '声音开')
  const allowed = await tones()
  expect(allowed).toBe(3)
  on.hub.incidents.add({ kind: 'rubbish', severity: 'low' })
  await entry('垃圾堆积').waitFor()
  expect(await tones()).toBe(allowed)
  on.hub.incidents.add({ kind: 'help_needed', severity: 'critical' })
  await on.see('[data-name=bells]', '新事件：紧急级别，群众求助')
  expect(await tones()).toBe(allowed + 3)
  on.hub.incidents.mark(slow, 'overdue', { target: 'acknowledge' }, { targets: { acknowledge: -1000 } })
  await on.see('[data-name=bells]', '超时：路灯损坏')
  expect(await tones()).toBe(allowed + 7)
  await on.page.locator('[data-name=sound]').click()
  on.hub.incidents.add({ kind: 'fire_lane_blocked', severity: 'high' })
  await on.see('[data-name=bells]', '消防通道堵塞')
  expect(await tones()).toBe(allowed + 7)
})

it('opens an incident by hand and looks at it', async () => {
  fill(on.hub, { count: 0 })
  await signIn()
  await press('o')
  await on.page.locator('.report__kind').filter({ hasText: '邻里纠纷' }).click()
  await on.page.locator('dialog input[name=place]').fill('东街 12 号')
  await on.page.locator('dialog textarea').fill('两家争吵')
  await on.page.locator('[data-name=submit]').click()
  await on.see('[data-name=case-kind]', '邻里纠纷')
  await on.see('.case__place', '东街 12 号')
  await on.see('.procedure__question', '是否有人动手')
  await on.page.locator('.procedure .button').filter({ hasText: '是' }).click()
  await on.see('.procedure__question', '拨打 110')
  await eventually(() => did(on.hub.incidents.state.list[0]!), ['opened guard', 'answer guard'])
})

it('shows the still, the alerts and why each is there, and the stream stays one key away', async () => {
  fill(on.hub, { count: 3 })
  fillQueue(on.hub)
  await signIn()
  await on.see('[data-name=case-kind]', '越线')
  await on.page.locator('.case__still img[data-ready=true]').waitFor()
  expect(await on.page.locator('.thumb').count()).toBe(3)
  await on.page.locator('.thumb').nth(1).click()
  await on.see('.because', '距“北围栏” 35 米，相隔 12')
  await on.page.locator('.thumb').nth(2).click()
  await on.see('.because', '首个告警，开启了本事件')
  // neither the ticking clock nor a change elsewhere asks for them again
  const asked = () => on.hub.state.requests.filter((line: string) => /\/(alerts|steps|incident-kinds)/.test(line)).length
  const before = asked()
  const second = await on.page.locator('.bar__clock').textContent()
  await on.page.waitForFunction((then) => Number(document.querySelector('.bar__clock')?.textContent?.slice(-1)) === (Number(then?.slice(-1)) + 3) % 10, second)
  expect(asked()).toBe(before)
  await press('g')
  await on.page.locator('button.row').first().waitFor()
  expect(new URL(on.page.url()).pathname).toBe('/alerts')
  await on.page.goBack()
  await on.page.locator('.entry').first().waitFor()
})

it('splits an incident, and makes two one, by hand', async () => {
  on.expected = /409/
  fill(on.hub, { count: 0 })
  fillQueue(on.hub)
  await signIn()
  await on.see('[data-name=case-kind]', '越线')
  await on.page.locator('.thumb').nth(2).waitFor()
  await on.page.locator('.case__out input').nth(1).click()
  await on.see('[data-name=split]', '选中的 1 条告警')
  const it_ = on.hub.incidents.state.list.find((one) => one.severity === 'critical')!
  it_.version++ // somebody was faster
  await on.page.locator('[data-name=split]').click()
  await on.see('[data-name=notice]', '没有执行')
  it_.version--
  await on.page.locator('[data-name=split]').click()
  await on.page.waitForFunction(() => document.querySelectorAll('.entry[data-severity=critical]').length === 2)
  await on.page.locator('[data-name=split]').waitFor({ state: 'detached' })
  await on.page.locator('.entry[data-severity=critical] .entry__mark input').first().click()
  await on.page.locator('.entry[data-severity=critical] .entry__mark input').last().click()
  await on.page.locator('[data-name=merge]').click()
  await on.page.waitForFunction(() => document.querySelectorAll('.entry[data-severity=critical]').length === 1)
  await on.page.locator('[data-name=bulk]').waitFor({ state: 'detached' })
  expect(on.hub.incidents.state.list.filter((one) => one.severity === 'critical').map((one) => (one.alias_of ? 'part' : one.alerts)).sort()).toEqual([3, 'part'])
})

it('knows from the list who is late, called in and sent, and asks for the work on those alone that are looked at', async () => {
  const since = (seconds: number) => ({ clock_from: Date.now() - seconds * 1000 })
  for (let n = 0; n < 70; n++) on.hub.incidents.add({ kind: 'rubbish', severity: 'low', ...since(20 + n / 10) }, true)
  on.hub.incidents.add({ kind: 'water_leak', severity: 'low', level: 1, overdue: ['acknowledge'], ...since(95) }, true)
  on.hub.incidents.add({ kind: 'quarrel', severity: 'low', state: 'dispatched', assigned: { unit: 'patrol-2' }, report: { reporter: 'chen', words: '争吵', place: '东街 12 号', x: null, y: null, lat: null, lon: null, area: null }, ...since(30) }, true)
  await signIn()
  await ready('acknowledge')
  await on.page.waitForFunction(() => document.querySelectorAll('.entry').length === 72)
  await on.see('.entry', /水管漏水.*超时 \d+:\d\d.*第 1 级/s)
  await on.see('.entry', /邻里纠纷.*东街 12 号.*→ patrol-2/s)
  const asked = (part: RegExp) => on.hub.state.requests.filter((line: string) => part.test(line)).length
  await eventually(() => asked(/GET .*\/steps$/), 3)
  expect(asked(/GET .*\/incidents\?/)).toBe(2)
  await press('j')
  await press('j')
  await eventually(() => asked(/GET .*\/steps$/), 5)
  console.log(`requests for a queue of 72: ${on.hub.state.requests.filter((line: string) => line.startsWith('GET /api/')).length}`)
})

it('takes a key that comes before it is known which steps are open', async () => {
  on.hub.incidents.add({ kind: 'quarrel', severity: 'high' })
  const last = on.hub.incidents.add({ kind: 'street_light', severity: 'low' })
  for (let n = 0; n < 6; n++) on.hub.incidents.add({ kind: 'rubbish', severity: 'medium' })
  await signIn()
  await ready('acknowledge')
  let release!: () => void
  const held = new Promise<void>((resolve) => (release = resolve))
  await on.page.route(`**/incidents/east/${last.incident}/steps`, async (route) => {
    if (route.request().method() === 'GET') await held
    await route.continue()
  })
  await look('路灯损坏')
  await press('a')
  release()
  await state('已确认')
  expect(did(last)).toEqual(['acknowledge guard'])
})

it('asks once what somebody looks for, where the hub wants to know, and shows the pictures then', async () => {
  on.expected = /403/
  await on.hub.stop()
  on.hub = await startHub({ reasonFor: ['view_still', 'view_photo'] })
  fill(on.hub, { count: 0 })
  fillQueue(on.hub)
  await signIn()
  await on.page.locator('[data-name=reason]').waitFor()
  expect(await on.axe()).toEqual([])
  await on.page.locator('[data-name=give-reason]').click()
  await on.see('.ask__trouble', '请填写理由')
  await press('Escape')
  await on.page.locator('[data-name=reason]').waitFor({ state: 'detached' })
  await on.page.locator('[data-name=look-after-all]').click()
  await on.page.locator('[data-name=reason] input').fill('第 7 号案件')
  await press('Enter')
  await on.page.locator('.case__still img[data-ready=true]').waitFor()
  expect([...on.hub.state.reasons.values()]).toEqual(['第 7 号案件'])
  expect(await on.page.locator('[data-name=reason]').count()).toBe(0)
})

it('says in words why nothing was split', async () => {
  on.expected = /400/
  for (const [lang, words] of [['zh', '不能拆出全部告警'], ['en', 'Not all alerts can be taken out']] as const) {
    on.hub.state.tokens.add('once')
    const it_ = on.hub.incidents.add({ severity: 'critical', alerts: 3 })
    for (let n = 0; n < 2; n++) on.hub.alert({ incident: it_.incident, because: { how: 'opened' } }, true)
    await signIn(`?lang=${lang}`)
    await on.page.locator('.thumb').nth(1).waitFor()
    it_.alerts = 2 // one of three went elsewhere; this page has not heard of it yet
    for (const n of [0, 1]) await on.page.locator('.case__out input').nth(n).click()
    await on.page.locator('[data-name=split]').click()
    await on.see('[data-name=notice]', words)
    on.hub.incidents.act(it_, 'li', { step: 'false_alarm', note: 'x' })
    await on.page.locator('.entry').waitFor({ state: 'detached' })
  }
})

it('follows an incident that has become part of another', async () => {
  const a = on.hub.incidents.add({ kind: 'quarrel', severity: 'high' })
  const b = on.hub.incidents.add({ kind: 'rubbish', severity: 'low' })
  await signIn()
  await look('垃圾堆积')
  on.hub.incidents.mark(a, 'absorbed', { incident: b.incident })
  b.alias_of = a.incident
  on.hub.incidents.mark(b, 'absorbed', {})
  await entry('垃圾堆积').waitFor({ state: 'detached' })
  await on.see('[data-name=case-kind]', '邻里纠纷')
})

it('shows the alerts alone to whoever may not see incidents', async () => {
  on.expected = /403/
  await on.hub.stop()
  on.hub = await startHub({ roles: ['installer'] })
  on.hub.alert({})
  await signIn()
  await on.page.locator('button.row').first().waitFor()
  expect(await on.page.locator('.tab').count()).toBe(0)
})

it('shows markup in every stored text as text', async () => {
  on.hub.incidents.unit({ unit: EVIL, name: EVIL, members: [EVIL] })
  const it_ = on.hub.incidents.add({
    kind: `X/${EVIL}`, severity: 'critical', site: 'east', cameras: [{ agent: EVIL, camera: EVIL }], alerts: 2, origin: 'operator',
    report: { reporter: EVIL, words: EVIL, place: EVIL, x: null, y: null, lat: null, lon: null, area: null },
  })
  for (const how of [{ how: 'opened' }, { how: 'linked', agent: EVIL, camera: EVIL, relation: 'near', metres: 3, gap_ms: 1, first: 0, last: 1 }])
    on.hub.alert({ incident: it_.incident, because: how, camera_name: EVIL, kind: EVIL, still: { state: 'none', reason: EVIL } })
  on.hub.incidents.act(it_, EVIL, { step: 'note', note: EVIL })
  on.hub.incidents.act(it_, EVIL, { step: 'assign', to: { unit: EVIL } })
  await signIn()
  await look('onload')
  await on.see('.case__words', 'onerror')
  await on.see('.history__line', 'onerror')
  await on.page.locator('.thumb').first().click()
  await on.see('.because', 'onerror')
  await press('d')
  await on.see('.ask__choice', 'onerror')
  expect(await on.hurt()).toEqual(['unhurt', 1, 0])
})

it.each([['zh', 1366, 768], ['en', 1366, 768], ['zh', 1920, 1080], ['en', 1920, 1080]])('cuts no kind, clock, place or step short (%s, %i wide)', async (lang, width, height) => {
  await on.page.setViewportSize({ width, height })
  fill(on.hub, { count: 4 })
  fillQueue(on.hub)
  await signIn(`?lang=${lang}`)
  await on.page.locator('.entry').nth(6).waitFor()
  const cut = () =>
    on.page.evaluate(() =>
      [...document.querySelectorAll('.entry__kind, .entry__clock, .entry__place, .entry__state, .entry__severity, .entry__more span, .case .button, .tab, .panel-head h2, .case__head *, .ask__choice')]
        .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline' || (one.matches('.entry__kind') && one.scrollHeight > one.clientHeight + 2))
        .map((one) => `${one.className}: ${one.textContent}`))
  await on.page.locator('[data-name=next-step]').waitFor()
  expect(await cut(), 'queue').toEqual([])
  for (const n of [3, 4, 5]) {
    await on.page.locator('.entry__look').nth(n).click()
    await on.page.locator('.history__line').first().waitFor()
    expect(await cut(), `entry ${n}`).toEqual([])
  }
  await on.page.locator('.entry__mark input').first().click()
  await on.page.locator('[data-name=bulk]').waitFor()
  expect(await cut(), 'bulk').toEqual([])
})

it.each([['zh', 1600, 900], ['en', 1366, 768], ['zh', 420, 900]])('has no serious finding of axe (%s, %i wide)', async (lang, width, height) => {
  await on.page.setViewportSize({ width, height })
  fill(on.hub, { count: 4 })
  fillQueue(on.hub)
  await signIn(`?lang=${lang}`)
  await on.page.locator('.entry').nth(6).waitFor()
  await on.page.locator('[data-name=next-step]').waitFor()
  expect(await on.axe(), 'queue').toEqual([])
  await on.page.locator('.entry__look').last().click()
  expect(await on.axe(), 'the last').toEqual([])
  await on.page.locator('.entry__mark input').first().click()
  await on.page.locator('[data-name=bulk]').waitFor()
  expect(await on.axe(), 'bulk').toEqual([])
  await press('Escape')
  await on.page.locator('[data-name=bulk]').waitFor({ state: 'detached' })
  await on.page.locator('.case [data-step=dispatch]').first().click()
  await on.page.locator('.ask__choice').first().waitFor()
  expect(await on.axe(), 'dispatch').toEqual([])
  await press('Escape')
  await on.page.locator('dialog').waitFor({ state: 'detached' })
  await on.page.locator('[data-name=open-by-hand]').click()
  await on.page.locator('.report__kind').first().waitFor()
  expect(await on.axe(), 'by hand').toEqual([])
})
