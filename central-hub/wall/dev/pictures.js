//! `node dev/pictures.js FOLDER`: the page photographed in both languages and several sizes, to be looked at.
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { fill, fillQueue, fillStreet, happening, STREET } from './day.js'
import { startHub } from './hub.js'
import { CHROMIUM } from './chromium.js'

const folder = process.argv[2] ?? '.'
const browser = await chromium.launch(CHROMIUM)
const signedIn = async (hub, size, lang) => {
  const page = await browser.newPage({ viewport: size })
  hub.state.tokens.add('picture')
  await page.goto(`${hub.address}/login?lang=${lang}#picture`)
  await page.locator('.link[data-link=live]').waitFor()
  await page.locator('[data-name=tab-alerts]').click()
  await page.locator('.devices h2').waitFor()
  return page
}
const take = async (page, name, whole = false) => {
  await page.locator('.still img[data-ready=true]').first().waitFor({ timeout: 3000 }).catch(() => {})
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: whole })
}
const WIDE = { width: 1920, height: 1080 }
const busy = await startHub()
fill(busy)
for (const lang of ['zh', 'en']) {
  const page = await signedIn(busy, WIDE, lang)
  busy.alert(happening(0))
  await page.locator('.large[data-fresh=true]').waitFor()
  await take(page, `wall-${lang}`)
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  busy.alert(happening(1))
  busy.alert(happening(2))
  await page.locator('.stream__new').waitFor()
  await take(page, `held-${lang}`)
  await page.keyboard.press('Enter')
  await page.locator('dialog[open]').waitFor()
  await take(page, `detail-${lang}`)
  await page.close()
  const narrow = await signedIn(busy, { width: 420, height: 900 }, lang)
  await take(narrow, `narrow-${lang}`)
  await narrow.close()
}
const small = await signedIn(busy, { width: 1366, height: 768 }, 'zh')
await take(small, 'laptop-zh')
busy.closeFeed()
await small.locator('.link[data-link=reconnecting]').waitFor()
await take(small, 'reconnecting-zh')
busy.openFeed()
const tablet = await signedIn(busy, { width: 1024, height: 768 }, 'en')
await take(tablet, 'tablet-en')
const calm = await startHub()
fill(calm, { well: true, count: 0 })
await take(await signedIn(calm, WIDE, 'zh'), 'empty-zh')
const blind = await startHub()
fill(blind, { count: 0 })
await take(await signedIn(blind, WIDE, 'en'), 'blind-en')
const login = await browser.newPage({ viewport: WIDE })
await login.goto(`${calm.address}/login?lang=zh#wrong`)
await login.locator('.login__trouble').waitFor()
await take(login, 'login-zh')
for (const [lang, size] of [['zh', { width: 1366, height: 768 }], ['en', { width: 1366, height: 768 }], ['zh', WIDE], ['en', WIDE]]) {
  const queue = await startHub() // anew each time: its clocks run
  fill(queue, { count: 4 })
  fillQueue(queue)
  const page = await browser.newPage({ viewport: size })
  await page.goto(`${queue.address}/login?lang=${lang}#once`)
  await page.waitForFunction(() => document.querySelectorAll('.entry[data-over=true]').length === 2)
  await page.locator('.history__line, .side__none').first().waitFor()
  await take(page, `queue-${lang}-${size.width}`)
  await page.keyboard.press('Escape')
  await page.keyboard.press('d')
  await page.locator('.ask__choice').first().waitFor()
  await take(page, `dispatch-${lang}-${size.width}`)
  await page.keyboard.press('Escape')
  await page.locator('.entry__mark input').first().click()
  await page.locator('.entry__mark input').nth(2).click({ modifiers: ['Shift'] })
  await page.locator('[data-name=bulk]').waitFor()
  await take(page, `bulk-${lang}-${size.width}`)
  await page.close()
  await queue.stop()
}
const street = await startHub({ people: STREET })
fillStreet(street)
for (const lang of ['zh', 'en']) {
  const context = await browser.newContext({ viewport: { width: 390, height: 760 }, isMobile: true, hasTouch: true })
  const phone = await context.newPage()
  await phone.goto(`${street.address}/login?lang=${lang}#as:chen`)
  await phone.locator('.card').nth(2).waitFor()
  await take(phone, `field-${lang}`)
  await phone.locator('[data-name=report]').tap()
  await phone.locator('.report__kind').first().waitFor()
  await take(phone, `field-report-${lang}`)
  await phone.locator('[data-name=back]').tap()
  await phone.locator('.card').nth(1).tap()
  await phone.locator('[data-name=next]').waitFor()
  await take(phone, `field-task-${lang}`)
  await context.setOffline(true)
  await phone.locator('[data-name=next]').tap()
  await phone.locator('[data-name=waiting]').waitFor()
  await phone.mouse.move(0, 0)
  await take(phone, `field-away-${lang}`)
  await context.close() // the step is never sent: the next language begins where this one did
}
await browser.close()
await Promise.all([street.stop(), busy.stop(), calm.stop(), blind.stop()])

