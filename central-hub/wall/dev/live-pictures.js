//! `node dev/live-pictures.js LINK FOLDER`: the alerts of a running hub, photographed in both languages.
//! LINK is the one-time link that `make demo` prints. The pictures head the README and the guide.
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { CHROMIUM } from './chromium.js'

const [link, folder] = process.argv.slice(2)
if (!link || !folder) {
  console.error('usage: node dev/live-pictures.js LINK FOLDER')
  process.exit(2)
}
const WAIT = 60_000
const browser = await chromium.launch(CHROMIUM)
const page = await browser.newPage({ viewport: { width: 1600, height: 900 } })
const live = () => page.locator('.link[data-link=live]').waitFor({ timeout: WAIT })
await page.goto(link)
await live()
for (const [query, name] of [['zh', 'zh-CN'], ['en', 'en']]) {
  await page.goto(`${new URL(link).origin}/alerts?lang=${query}`)
  await live()
  await page.locator('.large > .still img[data-ready=true]').waitFor({ timeout: WAIT })
  await page.screenshot({ path: join(folder, `wall.${name}.png`) })
}
await browser.close()
