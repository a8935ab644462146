//! The grid member's page on a phone, against the stand-in hub: every tap, with and without a network, and against others.
import { crc32, deflateSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { startHub } from '../../dev/hub.js'
import { EVIL, openStage } from './stage'

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, permissions: ['geolocation'], geolocation: { latitude: 30.25, longitude: 120.15, accuracy: 12 } }
const PEOPLE = { chen: { name: '陈网格', roles: ['grid_member'] }, zhao: { name: '赵网格', roles: ['grid_member'] } }
const on = openStage(PHONE, () => startHub({ people: PEOPLE }))

/** A PNG of 2 by 2, as a phone's gallery might give it; the page makes a JPEG of it. */
const chunk = (type: string, data: Buffer) => {
  const body = Buffer.concat([Buffer.from(type), data])
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}
const PHOTO = Buffer.concat([
  Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', Buffer.from([0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0])),
  chunk('IDAT', deflateSync(Buffer.from([0, 200, 40, 40, 40, 200, 40, 0, 40, 40, 200, 200, 200, 40]))), chunk('IEND', Buffer.alloc(0)),
])
const MINE = { assigned: { member: 'chen' } }
const report = (words: string, place: string | null = '东街 12 号') => ({ reporter: 'guard', words, place, x: null, y: null, lat: 30.25, lon: 120.15, area: null })

const signIn = async (who = 'chen', query = '') => {
  await on.page.goto(`${on.hub.address}/login${query}#as:${who}`)
  await on.page.locator('.field__link[data-link=there]').waitFor()
}
const openCard = async (text: string) => {
  await on.page.locator('.card').filter({ hasText: text }).click()
  await on.page.locator('.task__kind').waitFor()
}
const next = (step: string) => on.page.locator(`[data-name=next][data-step=${step}]`)
const posts = (part: string) => on.hub.state.requests.filter((line: string) => line.startsWith('POST') && line.includes(part))
const steps = (incident: { history: { step: string; by: string }[] }) => incident.history.map((fact) => `${fact.step} ${fact.by}`)
/** The worker has what it needs. (`ready` would ask by the address of the login.) */
const keptPage = () => on.page.waitForFunction(async () => (await navigator.serviceWorker.getRegistration('/field'))?.active?.state === 'activated')
const settledOutbox = () => on.page.waitForFunction(() => document.querySelector('[data-name=waiting]') === null)

it('leads a grid member to their page, and shows what is given to them alone', async () => {
  on.hub.incidents.unit({ unit: 'patrol-2', name: '巡逻二队', members: ['chen'] })
  on.hub.incidents.add({ kind: 'street_light', severity: 'low', report: report('灯不亮'), ...MINE })
  on.hub.incidents.add({ kind: 'quarrel', report: report('争吵'), assigned: { unit: 'patrol-2' } })
  on.hub.incidents.add({ kind: 'rubbish', report: report('别人的'), assigned: { member: 'zhao' } })
  await signIn()
  expect(new URL(on.page.url()).pathname).toBe('/field')
  await on.see('.card', '邻里纠纷')
  await on.see('.card', '路灯损坏')
  expect(await on.page.locator('.card').count()).toBe(2)
  await on.page.reload()
  await on.see('.card', '东街 12 号')
})

it('goes from accepting to done, with a photo and words, each in the hub once', async () => {
  const it_ = on.hub.incidents.add({ kind: 'street_light', report: report('灯不亮'), ...MINE })
  await signIn()
  await openCard('路灯损坏')
  await next('accept').tap()
  await on.see('.card__state', '已派遣')
  await next('arrive').tap()
  await on.see('.card__state', '已到场')
  await on.page.locator('.field__beside [data-name=photo]').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: PHOTO })
  await on.see('.history__line', '照片')
  await next('resolve').tap()
  await on.page.locator('[data-name=photo]').setInputFiles({ name: 'b.png', mimeType: 'image/png', buffer: PHOTO })
  await on.page.locator('.photos__small').waitFor()
  await on.page.locator('textarea').fill('换了灯泡')
  await on.page.locator('[data-name=send]').tap()
  await on.see('.field__rest', '已处置')
  await settledOutbox()
  expect(steps(it_).sort()).toEqual(['accept chen', 'arrive chen', 'attach chen', 'attach chen', 'resolve chen'])
  expect([...on.hub.incidents.state.photos.values()].every((bytes) => bytes[0] === 0xff && bytes[1] === 0xd8)).toBe(true)
  await on.see('.history__line', '换了灯泡')
  await on.page.locator('.history__line[data-step=attach] .button').first().tap()
  await on.page.waitForFunction(() => (document.querySelector('img.history__photo') as HTMLImageElement | null)?.naturalWidth === 2)
  on.hub.incidents.act(it_, 'wang', { step: 'note', note: '谢谢' })
  await on.page.evaluate(() => window.dispatchEvent(new Event('online')))
  await on.see('.history__line', '谢谢')
  expect(await on.page.locator('img.history__photo').count()).toBe(1) // what was opened stays open
  await on.page.goBack()
  await on.see('.field__none', '现在没有派给您的事件')
})

it('keeps what is tapped without a network, and sends each once when there is one', async () => {
  on.expected = /ERR_INTERNET_DISCONNECTED/
  const it_ = on.hub.incidents.add({ kind: 'street_light', report: report('灯不亮'), ...MINE })
  await signIn()
  await openCard('路灯损坏')
  await on.see('.task__words', '灯不亮')
  await on.page.context().setOffline(true)
  await on.see('.field__link', '无网络')
  await next('accept').tap()
  await on.see('[data-name=waiting]', '1 项等待发送')
  await next('arrive').tap()
  await on.page.locator('.field__beside [data-name=photo]').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: PHOTO })
  await on.see('[data-name=waiting]', '3 项等待发送')
  await on.see('[data-name=waiting]', '接单 · 到场 · 照片')
  expect(it_.history).toEqual([])
  await on.page.context().setOffline(false)
  await settledOutbox()
  await on.see('.card__state', '已到场')
  expect(steps(it_)).toEqual(['accept chen', 'arrive chen', 'attach chen'])
  expect(on.hub.incidents.state.photos.size).toBe(1)
})

it('keeps it on the phone when the page is closed, and sends it when it is opened again', async () => {
  const it_ = on.hub.incidents.add({ kind: 'street_light', report: report('灯不亮'), ...MINE })
  on.expected = /ERR_/
  await signIn()
  await openCard('路灯损坏')
  on.hub.silence()
  await next('accept').tap()
  await on.see('[data-name=waiting]', '接单')
  await on.reopen()
  on.hub.wake()
  expect(it_.history).toEqual([])
  await on.page.goto(`${on.hub.address}/field`)
  await on.see('.card__state', '已派遣')
  expect(steps(it_)).toEqual(['accept chen'])
})

it('sends nothing twice when answers are lost on the way', async () => {
  on.expected = /ERR_/
  const it_ = on.hub.incidents.add({ kind: 'street_light', report: report('灯不亮'), ...MINE })
  await signIn()
  await openCard('路灯损坏')
  for (const step of ['accept', 'arrive']) {
    on.hub.state.losing = 1
    await next(step).tap()
    await on.page.waitForFunction(() => document.querySelector('[data-name=waiting]') !== null)
    await on.page.evaluate(() => window.dispatchEvent(new Event('online')))
    await settledOutbox()
  }
  await on.see('.card__state', '已到场')
  await on.page.locator('[data-name=note]').tap()
  on.hub.state.losing = 1
  await on.page.locator('textarea').fill('灯杆倾斜')
  await on.page.locator('[data-name=send]').tap()
  await on.page.waitForFunction(() => document.querySelector('[data-name=waiting]') !== null)
  await on.page.evaluate(() => window.dispatchEvent(new Event('online')))
  await settledOutbox()
  expect(steps(it_)).toEqual(['accept chen', 'arrive chen', 'note chen'])
  expect(posts('/steps').length).toBe(3)
})

it('says who was faster, and what they did, and sends nothing that built on it', async () => {
  on.expected = /ERR_INTERNET_DISCONNECTED/
  const it_ = on.hub.incidents.add({ kind: 'street_light', report: report('灯不亮'), ...MINE })
  await signIn()
  await openCard('路灯损坏')
  await on.page.context().setOffline(true)
  await next('accept').tap()
  await next('arrive').tap()
  await on.see('[data-name=waiting]', '接单 · 到场')
  on.hub.incidents.act(it_, 'wang', { step: 'false_alarm', note: '是影子' })
  await on.page.context().setOffline(false)
  await on.see('[data-name=stopped]', /wang 已于 .* 先行“误报”/)
  await on.see('[data-name=stopped]', '前一步没有成功')
  expect(steps(it_)).toEqual(['false_alarm wang'])
  await on.page.getByRole('button', { name: '知道了' }).first().tap()
  await on.page.getByRole('button', { name: '知道了' }).first().tap()
  await on.page.locator('[data-name=stopped]').waitFor({ state: 'detached' })
  await on.see('.card__state', '误报')
})

it('is not stopped by a note that somebody wrote meanwhile', async () => {
  const it_ = on.hub.incidents.add({ kind: 'street_light', report: report('灯不亮'), ...MINE })
  await signIn()
  await openCard('路灯损坏')
  on.hub.incidents.act(it_, 'wang', { step: 'note', note: '带上梯子' })
  await next('accept').tap()
  await on.see('.card__state', '已派遣')
  await on.see('.history__line', '带上梯子')
  expect(steps(it_)).toEqual(['note wang', 'accept chen'])
})

it('opens a new incident by hand: kind, place, position, words, photo', async () => {
  on.hub.incidents.unit({ unit: 'patrol-2', name: '巡逻二队', members: ['chen'] })
  await signIn()
  await on.page.locator('[data-name=report]').tap()
  await on.page.locator('.report__kind').filter({ hasText: '路灯损坏' }).waitFor()
  await on.page.locator('[data-name=submit]').tap()
  await on.see('.field__bad', '请选择类型')
  await on.page.locator('.report__kind').filter({ hasText: '路灯损坏' }).tap()
  await on.page.locator('input[name=place]').fill('东街 12 号')
  await on.page.getByRole('button', { name: '附上当前位置' }).tap()
  await on.see('.report__position', '约 12 米')
  await on.page.locator('textarea').fill('灯不亮')
  await on.page.locator('[data-name=photo]').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: PHOTO })
  await on.page.locator('.photos__small').waitFor()
  await on.page.locator('[data-name=submit]').tap()
  await on.see('.card', '路灯损坏')
  await settledOutbox()
  const made = on.hub.incidents.state.list[0]!
  expect(made.report).toMatchObject({ reporter: 'chen', words: '灯不亮', place: '东街 12 号', lat: 30.25, lon: 120.15 })
  expect(steps(made)).toEqual(['opened chen', 'assign hub', 'attach chen'])
})

it('opens it once when the answer is lost, wherever it is lost', async () => {
  on.expected = /ERR_/
  const reportIt = async (words: string) => {
    await on.page.locator('[data-name=report]').tap()
    await on.page.locator('.report__kind').first().tap()
    await on.page.locator('textarea').fill(words)
    await on.page.locator('[data-name=submit]').tap()
  }
  const words = () => on.hub.incidents.state.list.map((one) => one.report.words)
  await signIn()
  on.hub.state.losing = 1
  await reportIt('回答断在半路')
  await on.page.waitForFunction(() => !document.querySelector('[data-name=waiting]')?.textContent?.includes('正在发送'))
  await on.page.evaluate(() => window.dispatchEvent(new Event('online')))
  await settledOutbox()
  expect(words()).toEqual(['回答断在半路'])
  // the browser itself sends it once more, on a connection that it used before
  on.hub.state.breaking = 1
  await reportIt('回答没有来')
  await on.page.waitForFunction(() => document.querySelector('textarea') === null)
  await on.page.evaluate(() => window.dispatchEvent(new Event('online')))
  await settledOutbox()
  expect(words()).toEqual(['回答断在半路', '回答没有来'])
  expect(posts('/incidents').length).toBeGreaterThan(words().length)
})

it('keeps one photo and one note of each, though they arrive twice', async () => {
  on.expected = /ERR_/
  const it_ = on.hub.incidents.add({ kind: 'street_light', report: report('灯不亮'), ...MINE })
  await signIn()
  await openCard('路灯损坏')
  for (const fault of ['losing', 'breaking'] as const) {
    on.hub.state[fault] = 1
    await on.page.locator('.field__beside [data-name=photo]').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: PHOTO })
    await on.page.waitForFunction(() => document.querySelector('[data-name=waiting]') !== null)
    await on.page.evaluate(() => window.dispatchEvent(new Event('online')))
    await settledOutbox()
  }
  on.hub.state.breaking = 1
  await on.page.locator('[data-name=note]').tap()
  await on.page.locator('textarea').fill('灯杆倾斜')
  await on.page.locator('[data-name=send]').tap()
  await on.page.evaluate(() => window.dispatchEvent(new Event('online')))
  await on.see('.history__line', '灯杆倾斜')
  await settledOutbox()
  expect(steps(it_)).toEqual(['attach chen', 'attach chen', 'note chen'])
  expect(posts('/attachments').length).toBeGreaterThan(2)
  expect(on.hub.incidents.state.photos.size).toBe(2)
})

it('says where the cameras are that saw it, and shows their picture to whom it is given', async () => {
  on.hub.incidents.state.places.set('box-1/gate', { name: '东门', place: '东街 12 号门口', lat: 30.25, lon: 120.15 })
  const it_ = on.hub.incidents.add({ cameras: [{ agent: 'box-1', camera: 'gate' }], ...MINE })
  on.hub.alert({ incident: it_.incident }, true)
  await signIn()
  await on.see('.card__place', '东街 12 号门口')
  await openCard('越线')
  await on.see('.task__place', '东街 12 号门口')
  expect(await on.page.getByRole('link', { name: '在地图中打开' }).getAttribute('href')).toBe('geo:30.25,120.15')
  expect(on.hub.state.requests.filter((line: string) => line.endsWith('/still'))).toEqual([])
  await on.page.locator('[data-name=still]').tap()
  await on.page.waitForFunction(() => ((document.querySelector('img.task__still') as HTMLImageElement | null)?.naturalWidth ?? 0) > 0)
})

it('opens without a network, with what was tapped, and keeps no answer of the hub', async () => {
  on.expected = /ERR_INTERNET_DISCONNECTED/
  const it_ = on.hub.incidents.add({ kind: 'street_light', report: report('灯不亮'), ...MINE })
  await signIn()
  await openCard('路灯损坏')
  await keptPage()
  await on.page.context().setOffline(true)
  await next('accept').tap()
  await on.see('[data-name=waiting]', '1 项等待发送')
  await on.page.reload()
  await on.see('[data-name=waiting]', '接单')
  await on.see('.field__link', '无网络')
  await on.page.goto(`${on.hub.address}/field`)
  await on.see('.field__none', '现在没有网络')
  await on.see('[data-name=waiting]', '接单')
  expect(it_.history).toEqual([])
  const kept = await on.page.evaluate(async () => {
    const names = await caches.keys()
    const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()))
    return { names: names.length, paths: requests.flat().map((request) => new URL(request.url).pathname.replace(/-[\w-]+\./, '.')).sort() }
  })
  expect(kept).toEqual({ names: 1, paths: ['/assets/index.css', '/assets/index.js', '/field', '/mark.svg'] })
  // the policy holds for what was kept, too
  expect(await on.page.evaluate(() => {
    try {
      document.createElement('div').innerHTML = '<i></i>'
      return 'markup'
    } catch (why) {
      return (why as Error).name
    }
  })).toBe('TypeError')
  on.expected = /ERR_INTERNET_DISCONNECTED|TrustedHTML|policy: require-trusted-types-for/
  await on.page.context().setOffline(false)
  await settledOutbox()
  await on.see('.card__state', '已派遣')
  expect(steps(it_)).toEqual(['accept chen'])
  // whoever signs out is not remembered
  await on.page.getByRole('button', { name: '退出' }).tap()
  await on.page.locator('.login').waitFor()
  expect(await on.page.evaluate(() => localStorage.getItem('signalbox.field.who'))).toBeNull()
})

it('leaves every other page to the network', async () => {
  on.expected = /ERR_INTERNET_DISCONNECTED/
  await signIn()
  await keptPage()
  await on.page.context().setOffline(true)
  await expect(on.page.goto(`${on.hub.address}/alerts`)).rejects.toThrow('ERR_INTERNET_DISCONNECTED')
})

it('asks the next question of the procedure', async () => {
  const it_ = on.hub.incidents.add({ kind: 'quarrel', report: report('争吵'), ...MINE })
  await signIn()
  await openCard('邻里纠纷')
  await on.see('.procedure__question', '是否有人动手')
  await on.page.locator('.procedure .button').filter({ hasText: '否' }).tap()
  await on.see('.procedure__question', '是否有人受伤')
  expect(it_.history[0].data).toEqual({ question: 'violence', answer: 'no' })
})

it('sends only what its owner tapped, when somebody else signs in at the same phone', async () => {
  on.expected = /ERR_|401/
  const it_ = on.hub.incidents.add({ kind: 'street_light', report: report('灯不亮'), ...MINE })
  await signIn()
  await openCard('路灯损坏')
  on.hub.silence()
  await next('accept').tap()
  await on.see('[data-name=waiting]', '接单')
  on.hub.wake()
  on.hub.state.sessions.clear()
  await on.page.goto(`${on.hub.address}/login#as:zhao`)
  await on.see('[data-name=outbox]', 'chen 还有 1 项等待发送')
  expect(it_.history).toEqual([])
  on.hub.state.sessions.clear()
  await on.page.goto(`${on.hub.address}/login#as:chen`)
  await on.see('.card__state', '已派遣')
})

it('shows markup in every stored text as text', async () => {
  const it_ = on.hub.incidents.add({ kind: `X/${EVIL}`, report: { ...report(EVIL, EVIL), reporter: EVIL }, ...MINE })
  on.hub.incidents.act(it_, EVIL, { step: 'note', note: EVIL })
  on.hub.incidents.act(it_, EVIL, { step: 'assign', note: EVIL, to: { member: 'chen' } })
  await signIn()
  await on.see('.card', 'onerror')
  await openCard('onerror')
  await on.see('.history__line', 'onerror')
  await on.see('.task__words', 'onerror')
  expect(await on.hurt()).toEqual(['unhurt', 1, 0])
})

it.each([['zh', 360], ['en', 430]])('has no serious finding of axe, nothing too small to tap, and nothing wider than the phone (%s, %i wide)', async (lang, width) => {
  await on.page.setViewportSize({ width, height: 780 })
  const it_ = on.hub.incidents.add({ kind: 'quarrel', severity: 'high', report: report('两家因停车争吵，声音很大'), clock_from: Date.now() - 90_000, ...MINE })
  on.hub.incidents.add({ kind: 'LineDetector/Crossed', severity: 'critical', ...MINE })
  on.hub.incidents.act(it_, 'wang', { step: 'dispatch', to: { member: 'chen' }, note: '东门' })
  const check = async (where: string) => {
    expect(await on.axe(), where).toEqual([])
    const small = await on.page.evaluate(() =>
      [...document.querySelectorAll('button, a, select, textarea, label.button, label.report__kind, input:not(.unseen)')]
        .map((one) => ({ box: one.getBoundingClientRect(), name: one.textContent }))
        .filter(({ box }) => box.height > 0 && (box.height < 44 || box.width < 44)).map(({ name, box }) => `${name} ${box.width}x${box.height}`))
    expect(small, where).toEqual([])
    expect(await on.page.evaluate(() => document.documentElement.scrollWidth - innerWidth), where).toBe(0)
  }
  await signIn('chen', `?lang=${lang}`)
  await on.page.locator('.card').nth(1).waitFor()
  await check('list')
  await on.page.locator('.card').last().tap()
  await on.page.locator('[data-name=next]').waitFor()
  await check('task')
  await on.page.locator('[data-name=note]').tap()
  await check('note')
  await on.page.locator('[data-name=back]').tap()
  await on.page.locator('[data-name=report]').tap()
  await on.page.locator('.report__kind').first().waitFor()
  await check('report')
  const zoom = await on.page.locator('meta[name=viewport]').getAttribute('content')
  expect(zoom).not.toMatch(/user-scalable|maximum-scale/)
})
