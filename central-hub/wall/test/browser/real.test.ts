//! The real hub's program: the stand-in says the same in the same shapes, and the pages work on the real one.
//! Needs the built program (`cargo build`); `make test` builds it first.
import { chromium } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { CHROMIUM } from '../../dev/chromium.js'
import { startHub } from '../../dev/hub.js'
import { isBuilt, startRealHub } from '../../dev/real.js'

type Said = { status: number; body: any }
type Client = { get(path: string): Promise<Said>; send(method: string, path: string, body: unknown, key?: string): Promise<Said> }

async function signedIn(address: string, token: string): Promise<Client> {
  const ask = async (method: string, path: string, cookie: string, body?: unknown, key?: string): Promise<Said & { cookie: string }> => {
    const bytes = body instanceof Uint8Array
    const response = await fetch(`${address}/api/v1${path}`, {
      method, headers: { cookie, 'content-type': bytes ? 'image/jpeg' : 'application/json', ...(key && { 'idempotency-key': key }) }, body: body === undefined ? null : bytes ? new Uint8Array(body) : JSON.stringify(body),
    })
    const text = await response.text()
    const said = response.headers.get('content-type')?.includes('json') && text ? JSON.parse(text) : null
    return { status: response.status, body: said, cookie: response.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ') }
  }
  const { cookie } = await ask('POST', '/session', '', { token })
  return { get: (path) => ask('GET', path, cookie), send: (method, path, body, key) => ask(method, path, cookie, body, key) }
}

/** The smallest that the hub takes for a JPEG. */
const PHOTO = Uint8Array.from([0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 7, 0xff, 0xd9])

/** Everything that the pages ask of a hub, in one story. */
async function story(operator: Client, chen: Client, unit: () => Promise<unknown>): Promise<[string, Said][]> {
  const said: [string, Said][] = []
  const note = async (name: string, answer: Promise<Said>) => {
    said.push([name, await answer])
    return said.at(-1)![1].body
  }
  await unit()
  await note('session', chen.get('/session'))
  await note('kinds', chen.get('/sites/east/incident-kinds'))
  await note('units', operator.get('/sites/east/units'))
  await note('units of a grid member', chen.get('/sites/east/units'))
  await note('no such kind', chen.send('POST', '/incidents', { site: 'east', kind: 'ghost', words: 'x' }))
  const made = await note('opened', chen.send('POST', '/incidents', { site: 'east', kind: 'quarrel', words: '争吵', place: '东街 12 号', point: { lat: 30.25, lon: 120.15 } }))
  const path = `/incidents/east/${made.incident}`
  await note('list', operator.get('/incidents?state=open&limit=200'))
  await note('one', operator.get(path))
  await note('its alerts', operator.get(`${path}/alerts?limit=50`))
  await note('reported, not given', chen.get(`${path}/steps`))
  const step = (who: Client, wish: object) => who.send('POST', `${path}/steps`, wish)
  await note('acknowledged', step(operator, { step: 'acknowledge', version: 0 }))
  await note('overtaken', step(operator, { step: 'acknowledge', version: 0 }))
  await note('not now', step(operator, { step: 'close', version: 1 }))
  await note('needs a note', step(operator, { step: 'false_alarm', version: 1 }))
  await note('needs a version', step(operator, { step: 'resolve' }))
  await note('needs somebody', step(operator, { step: 'dispatch', version: 1 }))
  await note('no such unit', step(operator, { step: 'dispatch', version: 1, to: { unit: 'ghosts' } }))
  await note('not theirs', step(chen, { step: 'arrive', version: 1 }))
  await note('dispatched', step(operator, { step: 'dispatch', version: 1, to: { member: 'chen' }, note: '东门' }))
  await note('given', chen.get('/my-incidents'))
  await note('accepted', step(chen, { step: 'accept', version: 2 }))
  await note('answered', step(chen, { step: 'answer', question: 'violence', answer: 'no' }))
  await note('no such answer', step(chen, { step: 'answer', question: 'violence', answer: 'perhaps' }))
  await note('photo', chen.send('POST', `${path}/attachments`, PHOTO))
  await note('no photo', chen.send('POST', `${path}/attachments`, new TextEncoder().encode('<html>')))
  await note('note', step(chen, { step: 'note', note: '劝开了' }))
  const now = await note('history', chen.get(`${path}/steps`))
  await note('arrived', step(chen, { step: 'arrive', version: now.version }))
  await note('not for them', step(chen, { step: 'close', version: now.version + 1 }))
  await note('many', operator.send('POST', '/incidents/steps', {
    step: 'resolve', incidents: [{ site: 'east', incident: made.incident, version: now.version + 1 }, { site: 'east', incident: made.incident, version: 0 }, { site: 'east', incident: '01900000-0000-7000-8000-000000000000', version: 0 }],
  }))
  await note('resolved ones', operator.get('/incidents?state=resolved&limit=50'))
  await note('closed', step(operator, { step: 'close', version: now.version + 2 }))
  const [a, b] = [await note('one more', operator.send('POST', '/incidents', { site: 'east', kind: 'rubbish', words: 'a' })), await note('and one', operator.send('POST', '/incidents', { site: 'east', kind: 'rubbish', words: 'b' }))]
  await note('changed meanwhile', operator.send('POST', `/incidents/east/${a.incident}/merge`, { version: 7, with: b.incident }))
  await note('merged', operator.send('POST', `/incidents/east/${a.incident}/merge`, { version: 0, with: b.incident }))
  await note('merged with itself', operator.send('POST', `/incidents/east/${a.incident}/merge`, { version: 1, with: a.incident }))
  await note('what is not in it', operator.send('POST', `/incidents/east/${a.incident}/split`, { version: 1, alerts: ['box-1/e1/1'] }))
  const [key, other] = ['01900000-0000-4000-8000-000000000001', '01900000-0000-4000-8000-000000000002']
  const again = { site: 'east', kind: 'rubbish', words: 'c' }
  const once = await note('once', operator.send('POST', '/incidents', again, key))
  expect(await note('the same again', operator.send('POST', '/incidents', again, key))).toEqual(once)
  await note('the key for something else', operator.send('POST', '/incidents', { ...again, words: 'd' }, key))
  const took = await note('a step once', operator.send('POST', `/incidents/east/${once.incident}/steps`, { step: 'acknowledge', version: 0 }, other))
  expect(await note('again on another version', operator.send('POST', `/incidents/east/${once.incident}/steps`, { step: 'acknowledge', version: 1 }, other))).toEqual(took)
  await note('sites', chen.get('/sites'))
  await note('given now', chen.get('/my-incidents'))
  await note('nothing to split', operator.send('POST', `/incidents/east/${a.incident}/split`, { version: 1, alerts: [] }))
  await note('foreign', chen.get('/incidents/east/01900000-0000-7000-8000-000000000000/steps'))
  return said
}

/** What a page may rely on: names and kinds of values; of a list, what its members have. Texts and numbers may differ. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length ? [value.map(shape).reduce(both)] : []
  if (value === null || typeof value !== 'object') return value === null ? null : typeof value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, name === 'due_at' ? 'a time, or null for a moment' : shape(one)]))
}
function both(a: any, b: any): unknown {
  if (a === null || b === null) return a ?? b
  if (Array.isArray(a) && Array.isArray(b)) return a.length && b.length ? [both(a[0], b[0])] : a.length ? a : b
  if (typeof a !== 'object' || typeof b !== 'object') return a
  return Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].sort().map((name) => [name, name in a && name in b ? both(a[name], b[name]) : (a[name] ?? b[name])]))
}

describe.skipIf(!isBuilt)('the real hub', () => {
  it('and the stand-in answer everything that the pages ask in the same shapes', async () => {
    const real = await startRealHub()
    const stand = await startHub({ roles: ['shift_lead'], people: { chen: { name: '陈网格', roles: ['grid_member'] } } })
    try {
      const token = await real.addUser('chen', '陈网格', 'grid_member')
      const operator = await signedIn(real.address, await real.token())
      const outline = [[120.1, 30.2], [120.2, 30.2], [120.2, 30.3], [120.1, 30.3]]
      const truth = await story(operator, await signedIn(real.address, token), async () => {
        await operator.send('PUT', '/sites/east/units/patrol-2', { name: '巡逻二队', members: [] })
        await operator.send('PUT', '/sites/east/areas/area', { name: '东片', plane: 'wgs84', outline, unit: 'patrol-2' })
      })
      const told = await story(await signedIn(stand.address, 'once'), await signedIn(stand.address, 'as:chen'), async () => stand.incidents.unit({ unit: 'patrol-2', name: '巡逻二队' }))
      const codes = ([name, { status, body }]: [string, Said]) => `${name}: ${status} ${body?.error?.code ?? ''} ${body?.open ?? body?.error?.open ?? ''}`
      expect(told.map(codes)).toEqual(truth.map(codes))
      for (const [at, [name, { body }]] of truth.entries()) expect(shape(told[at]![1].body), name).toEqual(shape(body))
    } finally {
      await Promise.all([real.stop(), stand.stop()])
    }
  })

  it('lets a grid member report, and go from accepting to done on the phone', async () => {
    const real = await startRealHub()
    const browser = await chromium.launch(CHROMIUM)
    try {
      const token = await real.addUser('chen', '陈网格', 'grid_member')
      const operator = await signedIn(real.address, await real.token())
      const page = await browser.newPage({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
      const troubles: string[] = []
      page.on('console', (said) => void (['error', 'warning'].includes(said.type()) && troubles.push(said.text())))
      page.on('pageerror', (error) => void troubles.push(String(error)))
      await page.goto(`${real.address}/login#${token}`)
      await page.locator('.field__link[data-link=there]').waitFor()
      expect(new URL(page.url()).pathname).toBe('/field')
      await page.reload()
      await page.locator('[data-name=report]').tap()
      await page.locator('.report__kind').filter({ hasText: '路灯损坏' }).tap()
      await page.locator('input[name=place]').fill('东街 12 号')
      await page.locator('textarea').fill('灯不亮 <b>x</b>')
      await page.locator('[data-name=submit]').tap()
      await page.locator('.field__list, .field__none').waitFor()
      const listed = await eventually(async () => (await operator.get('/incidents?state=open')).body.incidents[0])
      const path = `/incidents/east/${listed.incident}/steps`
      expect((await operator.send('POST', path, { step: 'dispatch', version: listed.version, to: { member: 'chen' }, note: '东门' })).status).toBe(201)
      await page.reload()
      await page.locator('.card').filter({ hasText: '路灯损坏' }).tap()
      await page.locator('.task__words').filter({ hasText: '<b>x</b>' }).waitFor()
      for (const [step, state] of [['accept', '已派遣'], ['arrive', '已到场']] as const) {
        await page.locator(`[data-name=next][data-step=${step}]`).tap()
        await page.locator('.task .card__state').filter({ hasText: state }).waitFor()
        await page.locator('[data-name=waiting]').waitFor({ state: 'detached' })
      }
      await page.locator('.field__beside [data-name=photo]').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: await page.screenshot() })
      await page.locator('.history__line[data-step=attach] .button').tap()
      await page.waitForFunction(() => ((document.querySelector('img.history__photo') as HTMLImageElement | null)?.naturalWidth ?? 0) > 100)
      await page.locator('[data-name=next][data-step=resolve]').tap()
      await page.locator('textarea').fill('换了灯泡')
      await page.locator('[data-name=send]').tap()
      await page.locator('.field__rest').filter({ hasText: '已处置' }).waitFor()
      const work = await eventually(async () => {
        const { body } = await operator.get(path)
        return body.state === 'resolved' ? body : undefined
      })
      expect(work.history.map((fact: { step: string; by: string }) => `${fact.step} ${fact.by}`)).toEqual([
        'opened chen', 'dispatch admin', 'accept chen', 'arrive chen', 'attach chen', 'resolve chen',
      ])
      expect(troubles).toEqual([])
    } finally {
      await browser.close()
      await real.stop()
    }
  })
})

describe.skipIf(!isBuilt)('the queue on the real hub', () => {
  it('hears of an incident by the feed, works it to the end, and is told who was faster', async () => {
    const real = await startRealHub()
    const browser = await chromium.launch(CHROMIUM)
    try {
      const chen = await signedIn(real.address, await real.addUser('chen', '陈网格', 'grid_member'))
      const li = await signedIn(real.address, await real.addUser('li', '李明', 'operator'))
      const lead = await signedIn(real.address, await real.addUser('wang', '王班长', 'shift_lead'))
      expect((await lead.send('PUT', '/sites/east/units/patrol-2', { name: '巡逻二队', members: ['chen'] })).status).toBe(200)
      const page = await browser.newPage({ viewport: { width: 1600, height: 900 } })
      page.setDefaultTimeout(30_000)
      const troubles: string[] = []
      page.on('console', (said) => void (['error', 'warning'].includes(said.type()) && troubles.push(said.text())))
      page.on('pageerror', (error) => void troubles.push(String(error)))
      const state = (text: string) => page.locator('.case__state').filter({ hasText: text }).waitFor()
      await page.goto(`${real.address}/login#${await real.token()}`)
      await page.locator('.case h2').filter({ hasText: '没有未了结的事件' }).waitFor()
      const made = (await chen.send('POST', '/incidents', { site: 'east', kind: 'quarrel', words: '争吵', place: '东街 12 号' })).body
      const path = `/incidents/east/${made.incident}/steps`
      await page.locator('[data-name=case-kind]').filter({ hasText: '邻里纠纷' }).waitFor()
      await page.locator('.case__clock').filter({ hasText: '确认还剩 0:' }).waitFor()
      await page.keyboard.press('Escape')
      await page.keyboard.press('a')
      await state('已确认')
      await page.keyboard.press('d')
      await page.locator('.ask__choice').filter({ hasText: '巡逻二队' }).waitFor()
      await page.keyboard.press('1')
      await state('已派遣')
      expect((await chen.get('/my-incidents')).body.incidents.length).toBe(1)
      expect((await chen.send('POST', path, { step: 'arrive', version: 2 })).status).toBe(201)
      await state('已到场')
      // this page's next step is overtaken before it hears of the other
      await page.route('**/api/v1/incidents/east/*/steps', async (route) => {
        if (route.request().method() === 'POST') await li.send('POST', path, { step: 'resolve', version: 3 })
        await route.continue()
      })
      await page.keyboard.press('r')
      await page.locator('[data-name=notice]').filter({ hasText: /li 已于 .* 先行“处置完成”/ }).waitFor()
      await page.unroute('**/api/v1/incidents/east/*/steps')
      await state('已处置')
      const [sheet] = await Promise.all([page.waitForEvent('popup'), page.locator('[data-name=handover]').click()])
      await sheet.locator('h1').filter({ hasText: '交接班单' }).waitFor()
      await page.bringToFront()
      await page.keyboard.press('c')
      await page.locator('.case h2').filter({ hasText: '没有未了结的事件' }).waitFor()
      const { history } = (await li.get(path)).body
      expect(history.map((fact: { step: string; by: string }) => `${fact.step} ${fact.by}`)).toEqual(['opened chen', 'acknowledge admin', 'dispatch admin', 'arrive chen', 'resolve li', 'close admin'])
      expect(troubles.filter((trouble) => !trouble.includes('409'))).toEqual([])
    } finally {
      await browser.close()
      await real.stop()
    }
  })
})

async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const begun = Date.now(); ; ) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() - begun > 20_000) throw new Error('it never came to that')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
