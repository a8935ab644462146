//! The page of alerts in Chromium against the stand-in hub, under the hub's real content policy.
import { expect, it } from 'vitest'
import { fill } from '../../dev/day.js'
import { startHub } from '../../dev/hub.js'
import { openStage } from './stage'

const on = openStage({ viewport: { width: 1600, height: 900 } })

const signIn = async (query = '') => {
  await on.page.goto(`${on.hub.address}/login${query}#once`)
  await on.page.locator('.link[data-link=live]').waitFor()
  await on.page.locator('[data-name=tab-alerts]').click()
}
const rows = () => on.page.locator('button.row')
const focused = () => on.page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset['alert'])

it('signs in by link, and takes the token out of the address at once', async () => {
  fill(on.hub, { count: 3 })
  await signIn()
  expect(new URL(on.page.url()).pathname + new URL(on.page.url()).hash).toBe('/alerts')
  await rows().nth(2).waitFor()
  await on.page.reload()
  await rows().nth(2).waitFor() // the session lasts
})

it('says in words why a link or a password does not work', async () => {
  on.expected = /401|429/
  await on.page.goto(`${on.hub.address}/login#wrong`)
  await on.see('.login__trouble', '登录链接已用过或已过期')
  expect(on.page.url()).not.toContain('wrong')
  const tryWith = async (password: string) => {
    await on.page.locator('input[name=user]:enabled').fill('guard')
    await on.page.locator('input[name=password]').fill(password)
    await on.page.locator('button[type=submit]').click()
  }
  await tryWith('bad')
  await on.see('.login__trouble', '用户名或密码不对')
  on.hub.state.tries = 9
  await tryWith('bad')
  await on.see('.login__trouble', /90|1分钟.*30秒/)
  on.hub.state.tries = 0
  await tryWith('lamp')
  await on.page.locator('.link[data-link=live]').waitFor()
})

it('asks for the six digits of a second factor, after a link and after a password, and shows who is signed in', async () => {
  on.expected = /401/
  await on.hub.stop()
  on.hub = await startHub({ code: '123456' })
  fill(on.hub, { count: 1 })
  await on.page.goto(`${on.hub.address}/login#once`)
  await on.see('.login__said', '六位数字')
  await on.page.locator('input[name=code]').fill('654321')
  await on.page.keyboard.press('Enter')
  await on.see('.login__trouble', '数字不对')
  await on.page.getByRole('button', { name: '换一个用户' }).click()
  await on.page.locator('input[name=user]').fill('guard')
  await on.page.locator('input[name=password]').fill('lamp')
  await on.page.keyboard.press('Enter')
  await on.see('.login__said', '六位数字')
  expect(await on.page.evaluate(() => (document.activeElement as HTMLInputElement).name)).toBe('code')
  await on.page.locator('input[name=code]').fill('123456')
  await on.page.keyboard.press('Enter')
  await on.page.locator('.link[data-link=live]').waitFor()
  await on.see('.bar__who', '王值班')
  expect(await on.page.locator('.bar__who').getAttribute('title')).toContain('guard')
})

it('shows alerts as they come, newest first, and changes in place', async () => {
  fill(on.hub, { well: true, count: 0 })
  await signIn()
  await on.see('.quiet h2', '尚无告警，一切正常')
  const first = on.hub.alert({ still: { state: 'pending' } })
  await on.see('.large', '越线')
  await on.see('.large .still', '图片传输中')
  const second = on.hub.alert({ kind: 'LoiteringDetector/ObjectIsLoitering', camera_name: '后院', severity: 'high' })
  await on.see('.large', '徘徊逗留')
  expect(await rows().evaluateAll((all) => all.map((row) => (row as HTMLElement).dataset['alert']))).toEqual([second.id, first.id])
  await on.see('[data-name=announcer]', '新告警：中级别，越线，东门')
  on.hub.change(first.id, { still: { state: 'sent', url: `/api/v1/alerts/${first.id}/still` } })
  await on.page.locator(`.row[data-alert="${first.id}"] img[data-ready=true]`).waitFor()
  await on.page.locator(`.row[data-alert="${first.id}"] .still__box`).waitFor()
  on.hub.alert({ still: { state: 'none', reason: 'redaction_failed' } })
  await on.see('.large .still', '人脸遮挡未能完成')
})

it('does not say that all is well while cameras are blind', async () => {
  fill(on.hub, { count: 0 })
  await signIn()
  await on.see('.quiet h2', '有 3 处看不到画面')
  await on.see('.camera[data-camera=gate-out]', /密码错误.*\n?.*更正/s)
  await on.see('.agent[data-agent=box-west]', '检查盒子的电源和网络')
  expect(await on.page.locator('.agent').first().getAttribute('data-agent')).toBe('box-west')
  on.hub.agent({ ...on.hub.state.agents.find((agent: { agent: string }) => agent.agent === 'box-west'), state: 'online' })
  await on.see('.devices__verdict', '2 处需要处理')
})

it('keeps the place of an operator who has chosen an alert', async () => {
  fill(on.hub, { count: 20 })
  await signIn()
  await rows().nth(19).waitFor()
  await on.page.keyboard.press('j')
  await on.page.keyboard.press('ArrowDown')
  const chosen = await focused()
  const before = await on.page.locator(`.row[data-alert="${chosen}"]`).boundingBox()
  for (let n = 0; n < 3; n++) on.hub.alert({ camera_name: `新 ${n}` })
  await on.see('.stream__new', '3 条新告警')
  expect(await on.page.locator(`.row[data-alert="${chosen}"]`).boundingBox()).toEqual(before)
  expect(await focused()).toBe(chosen)
  await on.see('.large', '新 2') // the large one is always the newest
  await on.page.keyboard.press('Escape')
  await on.page.locator('.stream__new').waitFor({ state: 'detached' })
  await on.see('li:first-child .row', '新 2')
})

it('is worked by keys alone', async () => {
  fill(on.hub, { count: 5 })
  await signIn()
  await rows().nth(4).waitFor()
  await on.page.keyboard.press('j')
  const first = await focused()
  await on.page.keyboard.press('Enter')
  await on.see('dialog.detail', first!)
  await on.page.keyboard.press('j')
  await on.page.locator('dialog.detail').filter({ hasNotText: first! }).waitFor()
  await on.page.keyboard.press('k')
  await on.see('dialog.detail', first!)
  await on.page.keyboard.press('Escape')
  await on.page.locator('dialog').waitFor({ state: 'detached' })
  expect(await focused()).toBe(first)
  await on.page.keyboard.press('?')
  await on.see('dialog.keys', '在告警之间移动')
  await on.page.keyboard.press('Escape')
  await on.page.locator('dialog').waitFor({ state: 'detached' })
})

it('speaks both languages and remembers which', async () => {
  fill(on.hub, { count: 2 })
  await signIn('?lang=en')
  await on.see('.bar', 'Live')
  expect(await on.page.evaluate(() => document.documentElement.lang)).toBe('en')
  await on.page.locator('[data-name=language]').click()
  await on.see('.bar', '实时')
  expect(on.page.url()).not.toContain('lang=')
  await on.page.reload()
  await on.see('.bar', '实时')
  await on.page.keyboard.press('l')
  await on.see('.bar', 'Live')
  await on.page.reload()
  await on.see('.bar', 'Live')
})

it('says that it is not live when the feed drops, and misses nothing', async () => {
  on.expected = /503|ERR_INCOMPLETE|network error/i
  fill(on.hub, { count: 2 })
  await signIn()
  await rows().nth(1).waitFor()
  on.hub.closeFeed()
  await on.see('.bar', '正在重新连接')
  const missed = on.hub.alert({ camera_name: '错过的' })
  on.hub.openFeed()
  await on.page.locator('.link[data-link=live]').waitFor()
  await on.page.locator(`.row[data-alert="${missed.id}"]`).waitFor()
  expect(await rows().count()).toBe(3)
})

it('says so when the hub does not answer at all, and catches up by itself', async () => {
  on.expected = /ERR_/
  fill(on.hub, { count: 2 })
  await signIn()
  await rows().nth(1).waitFor()
  await on.page.clock.install()
  on.hub.silence()
  await on.see('.bar', '正在重新连接')
  await on.page.clock.fastForward(25_000)
  await on.see('.silent', '不是现在的情况')
  on.hub.wake()
  const missed = on.hub.alert({}, true)
  await on.page.clock.fastForward(20_000)
  await on.page.locator('.link[data-link=live]').waitFor()
  await on.page.locator(`.row[data-alert="${missed.id}"]`).waitFor()
  await on.page.locator('.silent').waitFor({ state: 'detached' })
})

it('goes to the login page when the session has ended, and when somebody signs out', async () => {
  on.expected = /401|ERR_INCOMPLETE/
  fill(on.hub, { count: 1 })
  await signIn()
  on.hub.endSessions()
  await on.see('.login', '登录已过期')
  expect(new URL(on.page.url()).pathname).toBe('/login')
  await on.page.locator('input[name=user]').fill('guard')
  await on.page.locator('input[name=password]').fill('lamp')
  await on.page.keyboard.press('Enter')
  await on.page.locator('.link[data-link=live]').waitFor()
  await on.page.getByRole('button', { name: '退出' }).click()
  await on.see('.login', '已退出')
  expect(on.hub.state.sessions.size).toBe(0)
})

it('shows markup in names as text', async () => {
  const evil = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
  fill(on.hub, { count: 0 })
  on.hub.agent({ ...on.hub.state.agents[0], name: evil, site: evil, site_name: evil, cameras: [{ ...on.hub.state.agents[0].cameras[0], name: evil }] })
  await signIn()
  on.hub.alert({ camera_name: evil, site: evil, kind: `X/${evil}`, object_class: evil, direction: evil, rule_name: evil, still: { state: 'none', reason: evil } })
  await on.see('.large', evil)
  await on.page.locator('.large').click()
  await on.see('dialog.detail', evil)
  expect(await on.page.evaluate(() => [Reflect.get(window, 'hurt'), document.scripts.length, document.querySelectorAll('img').length])).toEqual([undefined, 1, 0])
})

it('calls a site by its name, and keeps its id in the details', async () => {
  fill(on.hub, { count: 1 })
  for (const agent of on.hub.state.agents) on.hub.agent({ ...agent, site_name: '东街市场' })
  await signIn()
  await on.see('.bar__site', '东街市场')
  on.hub.alert({ site: on.hub.state.agents[0].site })
  await on.page.locator('.large').click()
  await on.see('dialog.detail', `东街市场（${on.hub.state.agents[0].site}）`)
})

it('reads older alerts on demand and narrows by camera and kind', async () => {
  fill(on.hub, { count: 70 })
  await signIn()
  await rows().nth(49).waitFor()
  await on.page.getByRole('button', { name: '更早的告警' }).click()
  await rows().nth(69).waitFor()
  await on.see('.stream__end', '没有更早的告警了')
  await on.page.getByLabel('按摄像机筛选').selectOption('dock')
  await on.page.locator('.row').filter({ hasText: '北围栏' }).first().waitFor({ state: 'detached' })
  await on.see('.row', '装卸平台')
  const shown = await rows().count()
  on.hub.alert({ camera: 'gate', camera_name: '东门' })
  await on.see('.large', '东门')
  expect(await rows().count()).toBe(shown)
  on.hub.alert({ camera: 'dock', camera_name: '装卸平台' })
  await on.page.waitForFunction((before) => document.querySelectorAll('button.row').length === before + 1, shown)
})

it('keeps at most 500 alerts', async () => {
  fill(on.hub, { count: 0 })
  await signIn()
  await on.page.locator('.quiet').waitFor()
  for (let n = 0; n < 520; n++) on.hub.alert({ still: { state: 'none' }, rule: `r${n}` })
  await on.page.waitForFunction(() => document.querySelectorAll('button.row').length === 500)
  await on.see('.stream__end', '本页只保留最新 500 条')
})

it.each([['zh', 1600, 900], ['en', 1600, 900], ['zh', 420, 900]])('has no serious finding of axe (%s, %i wide)', async (lang, width, height) => {
  const check = async (where: string) => expect(await on.axe(), where).toEqual([])
  on.expected = /401/
  await on.page.setViewportSize({ width, height })
  fill(on.hub, { count: 12 })
  await on.page.goto(`${on.hub.address}/login?lang=${lang}`)
  await on.page.locator('.login').waitFor()
  await check('login')
  await on.page.goto(`${on.hub.address}/?lang=${lang}`)
  await on.page.locator('.login').waitFor()
  await on.page.locator('input[name=user]').fill('guard')
  await on.page.locator('input[name=password]').fill('lamp')
  await on.page.keyboard.press('Enter')
  await on.page.locator('[data-name=tab-alerts]').click()
  await rows().nth(11).waitFor()
  await check('wall')
  await rows().first().click()
  await on.page.locator('dialog[open]').waitFor()
  await check('detail')
})
