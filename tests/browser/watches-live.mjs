//! `node watches-live.mjs LINK CAMERA`: signs in, opens a camera of the list of devices, and waits for its live picture. Prints one
//! JSON object: how long the first picture took after the click, how many came in ten seconds, their size, and the longest gap.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const wall = fileURLToPath(new URL('../../central-hub/wall/', import.meta.url))
const { chromium } = createRequire(wall)('playwright-core')
const [link, camera] = process.argv.slice(2)
const SECONDS = 10

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--allow-loopback-in-peer-connection'],
})
const troubles = []
try {
  const page = await browser.newPage({ viewport: { width: 1600, height: 900 } })
  page.setDefaultTimeout(60_000)
  page.on('console', (said) => said.type() === 'error' && troubles.push(said.text()))
  page.on('pageerror', (error) => troubles.push(String(error)))
  await page.goto(link)
  await page.locator('[data-name=tab-alerts]').click()
  const button = page.locator(`[data-camera="${camera}"] [data-name=watch-camera]`)
  await button.waitFor()
  const clicked = Date.now()
  await button.click()
  await page.locator('.live[data-mood=live]').waitFor()
  const first = Date.now() - clicked
  const seen = await page.evaluate(async (seconds) => {
    const video = document.querySelector('.live video')
    const times = []
    await new Promise((done) => {
      const shown = (now) => (times.push(now), video.requestVideoFrameCallback(shown))
      video.requestVideoFrameCallback(shown)
      setTimeout(done, seconds * 1000)
    })
    const gaps = times.slice(1).map((time, at) => time - times[at])
    return { pictures: times.length, longest_gap_ms: Math.round(Math.max(...gaps)), width: video.videoWidth, height: video.videoHeight }
  }, SECONDS)
  await page.keyboard.press('Escape')
  await page.locator('.live').waitFor({ state: 'detached' })
  console.log(JSON.stringify({ first_picture_ms: first, ...seen, troubles }))
} finally {
  await browser.close()
}
