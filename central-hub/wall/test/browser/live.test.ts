//! Live pictures in Chromium against the stand-in hub, whose box never sends one: what the page says then, and that it
//! watches no longer than somebody looks. That pictures come at all is tests/tests/live.rs's.
import { expect, it } from 'vitest'
import { fill } from '../../dev/day.js'
import { openStage } from './stage'

const on = openStage({ viewport: { width: 1600, height: 900 } })

const signIn = async () => {
  fill(on.hub, { count: 3, well: true })
  await on.page.goto(`${on.hub.address}/login#once`)
  await on.page.locator('.link[data-link=live]').waitFor()
  await on.page.locator('[data-name=tab-alerts]').click()
}
const watch = () => on.page.locator('[data-name=watch-camera]').first().click()
const asked = (method: string) => (on.hub.state.requests as string[]).filter((one) => one.startsWith(`${method} /api/v1/cameras/`)).length
const heard = (method: string, times: number) => expect.poll(() => asked(method), { timeout: 10_000 }).toBe(times)

it('says in words how it stands, in both languages, and whom to ask', async () => {
  on.hub.state.live = { state: 'asked' } as never
  await signIn()
  await watch()
  await on.see('.live__mood', '正在接通')
  on.hub.state.live = { state: 'refused', why: 'live_off' } as never
  await on.see('.live__why', '设置不允许观看')
  on.hub.state.live = { state: 'refused', why: 'tired' } as never // of a newer hub
  await on.see('.live__why', '盒子拒绝了')
  on.hub.state.live = { state: 'asked' } as never
  await on.see('.live__mood', '正在接通')
  expect(await on.axe()).toEqual([])
  await on.page.keyboard.press('Escape')
  await heard('DELETE', 1)

  await on.reopen() // the session lasts
  await on.page.goto(`${on.hub.address}/alerts?lang=en`)
  on.hub.state.live = { state: 'refused', why: 'old' } as never
  await watch()
  await on.see('.live__why', 'Update the box')
})

it('tells whoever may not, and asks no more', async () => {
  on.expected = /403/
  on.hub.state.live = { state: 'unwatched', refusing: [403, 'not_allowed'] } as never
  await signIn()
  await watch()
  await on.see('.live__why', '您的角色不能观看')
  const before = asked('POST')
  await on.page.waitForTimeout(1500)
  expect(asked('POST')).toBe(before)
})

it('tries again by itself when the hub is busy', async () => {
  on.expected = /503/
  on.hub.state.live = { state: 'unwatched', refusing: [503, 'busy'] } as never
  await signIn()
  await watch()
  await on.see('.live__mood', '重新接通')
  await expect.poll(() => asked('POST'), { timeout: 10_000 }).toBeGreaterThan(2)
})

it('watches only while the page is in front, and shows the still until a picture comes', async () => {
  await signIn()
  await on.page.keyboard.press('j')
  await on.page.keyboard.press('Enter')
  await on.page.locator('[data-name=watch-live]').first().click()
  await on.see('.live__mood', '正在接通')
  await on.page.locator('.live .still img[data-ready=true]').waitFor()
  await heard('POST', 1)
  await on.page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  await on.see('.live__mood', '已停止观看')
  await heard('DELETE', 1)
  await on.page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: false, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  await heard('POST', 2)
  await on.page.locator('[data-name=watch-live]').first().click()
  await on.page.locator('.live').waitFor({ state: 'detached' })
  await heard('DELETE', 2)
})
