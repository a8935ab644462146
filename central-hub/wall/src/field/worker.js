//! Opens `/field` without a network. Owns: the page's own files of one version, kept when it is installed. Everything else goes
//! to the hub as if there were no worker: no answer of the API and no picture is ever kept here.
//! `FILES` and `VERSION` are put in when the page is built (vite.config.ts).
const FILES = /* files */ []
const VERSION = /* version */ ''
const PAGE = '/field'
const KEPT = `field-${VERSION}`
/** A network that does not answer for so long is none. */
const PATIENCE_MS = 4000

self.addEventListener('install', (event) => {
  const keep = async () => {
    const cache = await caches.open(KEPT)
    await cache.addAll(FILES.map((file) => new Request(file, { cache: 'no-cache', credentials: 'omit' })))
    await self.skipWaiting()
  }
  event.waitUntil(keep())
})

self.addEventListener('activate', (event) => {
  const tidy = async () => {
    const names = await caches.keys()
    await Promise.all(names.filter((name) => name.startsWith('field-') && name !== KEPT).map((name) => caches.delete(name)))
    await self.clients.claim()
  }
  event.waitUntil(tidy())
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin) return
  if (request.mode === 'navigate' && pathname === PAGE) event.respondWith(page(request))
  else if (pathname !== PAGE && FILES.includes(pathname)) event.respondWith(file(request, pathname))
})

/** As the hub has it now; as it was kept, where the hub does not answer. */
async function page(request) {
  const kept = async () => (await caches.match(PAGE, { cacheName: KEPT })) ?? Response.error()
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, null))
  const fresh = fetch(request).catch(() => null)
  const answer = await Promise.race([fresh, late])
  // a proxy in front of a stopped hub answers for it
  return answer?.ok ? answer : kept()
}

/** Named by its content: what was kept is what the hub would give. */
const file = async (request, pathname) => (await caches.match(pathname, { cacheName: KEPT })) ?? fetch(request)
