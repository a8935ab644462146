// Opens the wall by a login link in headless Chromium; prints "ok" when an alert with its picture is shown.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const wall = fileURLToPath(new URL('../../central-hub/wall/package.json', import.meta.url))
const { chromium } = createRequire(wall)('playwright-core')
const bound = 30_000

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
try {
  const page = await browser.newPage({ locale: 'zh-CN', viewport: { width: 1600, height: 900 } })
  const errors = []
  page.on('pageerror', (error) => errors.push(String(error)))
  await page.goto(process.argv[2], { timeout: bound })
  await page.waitForSelector('[data-alert]', { timeout: bound })
  await page.waitForFunction(
    () => [...document.querySelectorAll('[data-alert] img')].some((still) => still.complete && still.naturalWidth > 0),
    undefined,
    { timeout: bound },
  )
  if (errors.length > 0) throw new Error(`the page reports: ${errors.join('; ')}`)
  console.log('ok')
} finally {
  await browser.close()
}
