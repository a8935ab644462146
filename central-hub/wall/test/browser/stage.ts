//! What every browser test stands on: Chromium, the built page, a hub, and an eye on everything that goes wrong. A test
//! also fails on any console error, page error, policy breach or request elsewhere that it did not name in `expected`.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { CHROMIUM } from '../../dev/chromium.js'
import { startHub } from '../../dev/hub.js'

export type Hub = Awaited<ReturnType<typeof startHub>>

/** Markup in every way in which it could run, for every stored text. */
export const EVIL = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>"\'><svg onload=window.hurt=1>{{7*7}}javascript:window.hurt=1'

const axeSource = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export interface Stage {
  browser: Browser
  hub: Hub
  page: Page
  /** Console errors that the faults of a test bring with them: the browser itself logs failed requests. */
  expected: RegExp | null
  troubles: string[]
  see(selector: string, hasText: string | RegExp): Promise<void>
  /** Another browser's page, with the same eye on it. */
  another(): Promise<Page>
  /** Closes the page and opens an empty one in the same browser. */
  reopen(): Promise<void>
  /** Serious findings of axe where the page is now. */
  axe(page?: Page): Promise<string[]>
  /** Whether any stored text ran, or became markup. */
  hurt(page?: Page): Promise<unknown>
}

export function openStage(options: BrowserContextOptions, hub: () => Promise<Hub> = startHub): Stage {
  const stage = { expected: null, troubles: [] } as unknown as Stage
  const watched = async (context: BrowserContext) => {
    const page = await context.newPage()
    page.setDefaultTimeout(30_000)
    page.on('console', (said) => void (['error', 'warning'].includes(said.type()) && stage.troubles.push(said.text())))
    page.on('pageerror', (error) => void stage.troubles.push(String(error)))
    page.on('request', (request) => void (new URL(request.url()).origin !== stage.hub.address && stage.troubles.push(`request to ${request.url()}`)))
    await page.addInitScript(await axeSource)
    await page.addInitScript(() =>
      document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.sample}`)),
    )
    return page
  }
  stage.see = (selector, hasText) => stage.page.locator(selector).filter({ hasText }).first().waitFor()
  stage.another = async () => watched(await stage.browser.newContext(options))
  stage.reopen = async () => {
    const context = stage.page.context()
    await stage.page.close()
    stage.page = await watched(context)
  }
  stage.axe = async (page = stage.page) => {
    return page.evaluate(async () => {
      const engine = Reflect.get(window, 'axe') as typeof import('axe-core')
      const { violations } = await engine.run(document, { resultTypes: ['violations'] })
      return violations
        .filter((one) => one.impact === 'serious' || one.impact === 'critical')
        .map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`)
    })
  }
  stage.hurt = (page = stage.page) =>
    page.evaluate(() => [Reflect.get(window, 'hurt') ?? 'unhurt', document.scripts.length, document.querySelectorAll('img[src="x"], svg[onload]').length])

  beforeAll(async () => void (stage.browser = await chromium.launch(CHROMIUM)))
  afterAll(() => stage.browser?.close())
  beforeEach(async () => {
    stage.hub = await hub()
    stage.troubles = []
    stage.expected = null
    stage.page = await stage.another()
  })
  afterEach(async () => {
    await Promise.all(stage.browser.contexts().map((context) => context.close()))
    await stage.hub.stop()
    expect(stage.troubles.filter((trouble) => !stage.expected?.test(trouble))).toEqual([])
  })
  return stage
}
