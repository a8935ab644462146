//! The page of alerts in Chromium against the stand-in hub, under the hub's real content policy.
//! Every test also fails on any console error, page error, policy breach or request elsewhere that it did not name.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { CHROMIUM } from '../../dev/chromium.js'
import { fill } from '../../dev/day.js'
import { startHub } from '../../dev/hub.js'

type Hub = Awaited<ReturnType<typeof startHub>>
let browser: Browser
let hub: Hub
let page: Page
let troubles: string[]
/** Console errors that the faults of a test bring with them: the browser itself logs failed requests. */
let expected: RegExp | null

beforeAll(async () => void (browser = await chromium.launch(CHROMIUM)))
afterAll(() => browser?.close())
beforeEach(async () => {
  hub = await startHub()
  troubles = []
  expected = null
  page = await browser.newPage({ viewport: { width: 1600, height: 900 } })
  page.setDefaultTimeout(12_000)
  page.on('console', (said) => void (['error', 'warning'].includes(said.type()) && troubles.push(said.text())))
  page.on('pageerror', (error) => void troubles.push(String(error)))
  page.on('request', (request) => void (new URL(request.url()).origin !== hub.address && troubles.push(`request to ${request.url()}`)))
  await page.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.sample}`)),
  )
})
afterEach(async () => {
  await page.close()
  await hub.stop()
  expect(troubles.filter((trouble) => !expected?.test(trouble))).toEqual([])
})

const signIn = async (query = '') => {
  await page.goto(`${hub.address}/login${query}#once`)
  await page.locator('.link[data-link=live]').waitFor()
  await page.locator('[data-name=tab-alerts]').click()
}
const see = (selector: string, hasText: string | RegExp) => page.locator(selector).filter({ hasText }).first().waitFor()
const rows = () => page.locator('button.row')
const focused = () => page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset['alert'])

it('signs in by link, and takes the token out of the address at once', async () => {
  fill(hub, { count: 3 })
  await signIn()
  expect(new URL(page.url()).pathname + new URL(page.url()).hash).toBe('/alerts')
  await rows().nth(2).waitFor()
  await page.reload()
  await rows().nth(2).waitFor() // the session lasts
})

it('says in words why a link or a password does not work', async () => {
  expected = /401|429/
  await page.goto(`${hub.address}/login#wrong`)
  await see('.login__trouble', '登录链接已用过或已过期')
  expect(page.url()).not.toContain('wrong')
  const tryWith = async (password: string) => {
    await page.locator('input[name=user]:enabled').fill('guard')
    await page.locator('input[name=password]').fill(password)
    await page.locator('button[type=submit]').click()
  }
  await tryWith('bad')
  await see('.login__trouble', '用户名或密码不对')
  hub.state.tries = 9
  await tryWith('bad')
  await see('.login__trouble', /90|1分钟.*30秒/)
  hub.state.tries = 0
  await tryWith('lamp')
  await page.locator('.link[data-link=live]').waitFor()
})

it('asks for the six digits of a second factor, after a link and after a password, and shows who is signed in', async () => {
  expected = /401/
  await hub.stop()
  hub = await startHub({ code: '123456' })
  fill(hub, { count: 1 })
  await page.goto(`${hub.address}/login#once`)
  await see('.login__said', '六位数字')
  await page.locator('input[name=code]').fill('654321')
  await page.keyboard.press('Enter')
  await see('.login__trouble', '数字不对')
  await page.getByRole('button', { name: '换一个用户' }).click()
  await page.locator('input[name=user]').fill('guard')
  await page.locator('input[name=password]').fill('lamp')
  await page.keyboard.press('Enter')
  await see('.login__said', '六位数字')
  expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).name)).toBe('code')
  await page.locator('input[name=code]').fill('123456')
  await page.keyboard.press('Enter')
  await page.locator('.link[data-link=live]').waitFor()
  await see('.bar__who', '王值班')
  expect(await page.locator('.bar__who').getAttribute('title')).toContain('guard')
})

it('shows alerts as they come, newest first, and changes in place', async () => {
  fill(hub, { well: true, count: 0 })
  await signIn()
  await see('.quiet h2', '尚无告警，一切正常')
  const first = hub.alert({ still: { state: 'pending' } })
  await see('.large', '越线')
  await see('.large .still', '图片传输中')
  const second = hub.alert({ kind: 'LoiteringDetector/ObjectIsLoitering', camera_name: '后院', severity: 'high' })
  await see('.large', '徘徊逗留')
  expect(await rows().evaluateAll((all) => all.map((row) => (row as HTMLElement).dataset['alert']))).toEqual([second.id, first.id])
  await see('[data-name=announcer]', '新告警：中级别，越线，东门')
  hub.change(first.id, { still: { state: 'sent', url: `/api/v1/alerts/${first.id}/still` } })
  await page.locator(`.row[data-alert="${first.id}"] img[data-ready=true]`).waitFor()
  await page.locator(`.row[data-alert="${first.id}"] .still__box`).waitFor()
  hub.alert({ still: { state: 'none', reason: 'redaction_failed' } })
  await see('.large .still', '人脸遮挡未能完成')
})

it('does not say that all is well while cameras are blind', async () => {
  fill(hub, { count: 0 })
  await signIn()
  await see('.quiet h2', '有 3 处看不到画面')
  await see('.camera[data-camera=gate-out]', /密码错误.*\n?.*更正/s)
  await see('.agent[data-agent=box-west]', '检查盒子的电源和网络')
  expect(await page.locator('.agent').first().getAttribute('data-agent')).toBe('box-west')
  hub.agent({ ...hub.state.agents.find((agent: { agent: string }) => agent.agent === 'box-west'), state: 'online' })
  await see('.devices__verdict', '2 处需要处理')
})

it('keeps the place of an operator who has chosen an alert', async () => {
  fill(hub, { count: 20 })
  await signIn()
  await rows().nth(19).waitFor()
  await page.keyboard.press('j')
  await page.keyboard.press('ArrowDown')
  const chosen = await focused()
  const before = await page.locator(`.row[data-alert="${chosen}"]`).boundingBox()
  for (let n = 0; n < 3; n++) hub.alert({ camera_name: `新 ${n}` })
  await see('.stream__new', '3 条新告警')
  expect(await page.locator(`.row[data-alert="${chosen}"]`).boundingBox()).toEqual(before)
  expect(await focused()).toBe(chosen)
  await see('.large', '新 2') // the large one is always the newest
  await page.keyboard.press('Escape')
  await page.locator('.stream__new').waitFor({ state: 'detached' })
  await see('li:first-child .row', '新 2')
})

it('is worked by keys alone', async () => {
  fill(hub, { count: 5 })
  await signIn()
  await rows().nth(4).waitFor()
  await page.keyboard.press('j')
  const first = await focused()
  await page.keyboard.press('Enter')
  await see('dialog.detail', first!)
  await page.keyboard.press('j')
  await page.locator('dialog.detail').filter({ hasNotText: first! }).waitFor()
  await page.keyboard.press('k')
  await see('dialog.detail', first!)
  await page.keyboard.press('Escape')
  await page.locator('dialog').waitFor({ state: 'detached' })
  expect(await focused()).toBe(first)
  await page.keyboard.press('?')
  await see('dialog.keys', '在告警之间移动')
  await page.keyboard.press('Escape')
  await page.locator('dialog').waitFor({ state: 'detached' })
})

it('speaks both languages and remembers which', async () => {
  fill(hub, { count: 2 })
  await signIn('?lang=en')
  await see('.bar', 'Live')
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('en')
  await page.locator('[data-name=language]').click()
  await see('.bar', '实时')
  expect(page.url()).not.toContain('lang=')
  await page.reload()
  await see('.bar', '实时')
  await page.keyboard.press('l')
  await see('.bar', 'Live')
  await page.reload()
  await see('.bar', 'Live')
})

it('says that it is not live when the feed drops, and misses nothing', async () => {
  expected = /503|ERR_INCOMPLETE|network error/i
  fill(hub, { count: 2 })
  await signIn()
  await rows().nth(1).waitFor()
  hub.closeFeed()
  await see('.bar', '正在重新连接')
  const missed = hub.alert({ camera_name: '错过的' })
  hub.openFeed()
  await page.locator('.link[data-link=live]').waitFor()
  await page.locator(`.row[data-alert="${missed.id}"]`).waitFor()
  expect(await rows().count()).toBe(3)
})

it('says so when the hub does not answer at all, and catches up by itself', async () => {
  expected = /ERR_/
  fill(hub, { count: 2 })
  await signIn()
  await rows().nth(1).waitFor()
  await page.clock.install()
  hub.silence()
  await see('.bar', '正在重新连接')
  await page.clock.fastForward(25_000)
  await see('.silent', '不是现在的情况')
  hub.wake()
  const missed = hub.alert({}, true)
  await page.clock.fastForward(20_000)
  await page.locator('.link[data-link=live]').waitFor()
  await page.locator(`.row[data-alert="${missed.id}"]`).waitFor()
  await page.locator('.silent').waitFor({ state: 'detached' })
})

it('goes to the login page when the session has ended, and when somebody signs out', async () => {
  expected = /401|ERR_INCOMPLETE/
  fill(hub, { count: 1 })
  await signIn()
  hub.endSessions()
  await see('.login', '登录已过期')
  expect(new URL(page.url()).pathname).toBe('/login')
  await page.locator('input[name=user]').fill('guard')
  await page.locator('input[name=password]').fill('lamp')
  await page.keyboard.press('Enter')
  await page.locator('.link[data-link=live]').waitFor()
  await page.getByRole('button', { name: '退出' }).click()
  await see('.login', '已退出')
  expect(hub.state.sessions.size).toBe(0)
})

it('shows markup in names as text', async () => {
  const evil = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
  fill(hub, { count: 0 })
  hub.agent({ ...hub.state.agents[0], name: evil, site: evil, site_name: evil, cameras: [{ ...hub.state.agents[0].cameras[0], name: evil }] })
  await signIn()
  hub.alert({ camera_name: evil, site: evil, kind: `X/${evil}`, object_class: evil, direction: evil, rule_name: evil, still: { state: 'none', reason: evil } })
  await see('.large', evil)
  await page.locator('.large').click()
  await see('dialog.detail', evil)
  expect(await page.evaluate(() => [Reflect.get(window, 'hurt'), document.scripts.length, document.querySelectorAll('img').length])).toEqual([undefined, 1, 0])
})

it('calls a site by its name, and keeps its id in the details', async () => {
  fill(hub, { count: 1 })
  for (const agent of hub.state.agents) hub.agent({ ...agent, site_name: '东街市场' })
  await signIn()
  await see('.bar__site', '东街市场')
  hub.alert({ site: hub.state.agents[0].site })
  await page.locator('.large').click()
  await see('dialog.detail', `东街市场（${hub.state.agents[0].site}）`)
})

it('reads older alerts on demand and narrows by camera and kind', async () => {
  fill(hub, { count: 70 })
  await signIn()
  await rows().nth(49).waitFor()
  await page.getByRole('button', { name: '更早的告警' }).click()
  await rows().nth(69).waitFor()
  await see('.stream__end', '没有更早的告警了')
  await page.getByLabel('按摄像机筛选').selectOption('dock')
  await page.locator('.row').filter({ hasText: '北围栏' }).first().waitFor({ state: 'detached' })
  await see('.row', '装卸平台')
  const shown = await rows().count()
  hub.alert({ camera: 'gate', camera_name: '东门' })
  await see('.large', '东门')
  expect(await rows().count()).toBe(shown)
  hub.alert({ camera: 'dock', camera_name: '装卸平台' })
  await page.waitForFunction((before) => document.querySelectorAll('button.row').length === before + 1, shown)
})

it('keeps at most 500 alerts', async () => {
  fill(hub, { count: 0 })
  await signIn()
  await page.locator('.quiet').waitFor()
  for (let n = 0; n < 520; n++) hub.alert({ still: { state: 'none' }, rule: `r${n}` })
  await page.waitForFunction(() => document.querySelectorAll('button.row').length === 500)
  await see('.stream__end', '本页只保留最新 500 条')
})

it.each([['zh', 1600, 900], ['en', 1600, 900], ['zh', 420, 900]])('has no serious finding of axe (%s, %i wide)', async (lang, width, height) => {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const check = async (where: string) => {
    const findings = await page.evaluate(async () => {
      const engine = Reflect.get(window, 'axe') as typeof import('axe-core')
      const { violations } = await engine.run(document, { resultTypes: ['violations'] })
      return violations
        .filter((one) => one.impact === 'serious' || one.impact === 'critical')
        .map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`)
    })
    expect(findings, where).toEqual([])
  }
  expected = /401/
  await page.setViewportSize({ width, height })
  await page.addInitScript(axe)
  fill(hub, { count: 12 })
  await page.goto(`${hub.address}/login?lang=${lang}`)
  await page.locator('.login').waitFor()
  await check('login')
  await page.goto(`${hub.address}/?lang=${lang}`)
  await page.locator('.login').waitFor()
  await page.locator('input[name=user]').fill('guard')
  await page.locator('input[name=password]').fill('lamp')
  await page.keyboard.press('Enter')
  await page.locator('[data-name=tab-alerts]').click()
  await rows().nth(11).waitFor()
  await check('wall')
  await rows().first().click()
  await page.locator('dialog[open]').waitFor()
  await check('detail')
})
