//! A hub that is not one, for development and tests: the built page under the real policy, the API with
//! alerts made here, and the faults of a hub on command. Keeps everything in memory. Never shipped.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startIncidents } from './incidents.js'
import { drawn } from './scenes.js'

const DIST = fileURLToPath(new URL('../dist/', import.meta.url))
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }
const POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'; require-trusted-types-for 'script'"

/** Starts it on a free port (or the one given) and answers with its hands.
 *  `user`: who may sign in, with which password, called what; `code`: what the second factor shows, where one is
 *  set up; `tokens`: one-time links; `roles`: of that user; `people`: others, who sign in by the link `as:USER`; `reasonFor`:
 *  what nobody sees without a reason (`view_still`, `view_photo`). */
export async function startHub({ port = 0, user = 'guard', name = '王值班', password = 'lamp', code = '', tokens = ['once'], roles = ['operator'], people = {}, reasonFor = /** @type {string[]} */ ([]) } = {}) {
  const everybody = { [user]: { name, roles }, ...people }
  const state = {
    /** @type {any[]} */ alerts: [],
    /** @type {any[]} */ agents: [],
    stills: new Map(), sessions: new Map(), tokens: new Set(tokens),
    reasons: new Map(),
    feeds: new Set(), events: [], serial: 0, seq: 0, tries: 0, feedOpen: true, silent: false, feedRequests: 0,
    /** How many answers to what is sent (POST) are lost on the way, after it was done: within the answer, or before it. */ losing: 0, breaking: 0, requests: [],
    live: { state: 'asked' },
  }
  const send = (type, value) => {
    const event = { id: ++state.serial, type, text: `id: ${state.serial}\nevent: ${type}\ndata: ${JSON.stringify(value)}\n\n` }
    state.events.push(event)
    for (const feed of state.feeds) feed.write(event.text)
  }
  const incidents = startIncidents({ send, alertsOf: (incident) => state.alerts.filter((alert) => alert.incident === incident) })
  const server = createServer((request, response) => {
    state.requests.push(`${request.method} ${request.url}`)
    if (state.silent) return void request.socket.destroy()
    answer(state, { user, password, code, everybody, incidents, reasonFor }, request, response).catch((error) => {
      response.writeHead(500, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify({ error: { code: 'broken', message: String(error) } }))
    })
  })
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  const dropFeeds = () => state.feeds.forEach((feed) => feed.destroy())
  return {
    state,
    incidents,
    address: `http://127.0.0.1:${server.address().port}`,
    /** Adds an alert; `quietly` only to the list. Answers with it. */
    alert(part = {}, quietly = false) {
      const alert = alertOf(state, part)
      state.alerts.unshift(alert)
      if (!quietly) send('alert', alert)
      return alert
    },
    change(id, part) {
      const at = state.alerts.findIndex((alert) => alert.id === id)
      state.alerts[at] = { ...state.alerts[at], ...part }
      send('alert', state.alerts[at])
    },
    agent(agent, quietly = false) {
      state.agents = [...state.agents.filter((other) => other.agent !== agent.agent), agent]
      if (!quietly) send('agent', agent)
    },
    resync: () => send('resync', {}),
    /** Cuts the feed and refuses a new one until opened again. */
    closeFeed: () => ((state.feedOpen = false), dropFeeds()),
    openFeed: () => void (state.feedOpen = true),
    /** Nothing answers any more, as if the machine were off. */
    silence: () => ((state.silent = true), dropFeeds()),
    wake: () => void (state.silent = false),
    endSessions: () => (state.sessions.clear(), dropFeeds()),
    async stop() {
      dropFeeds()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function alertOf(state, part) {
  const seq = ++state.seq
  const agent = part.agent ?? 'box-1'
  const object = part.object_class ?? 'Human'
  const { svg, box } = drawn({ scene: part.scene ?? 'gate', seed: part.seed ?? seq, object, narrow: part.narrow })
  const id = `${agent}/1/${seq}`
  state.stills.set(id, svg)
  const at = part.at ?? new Date().toISOString()
  const { scene: _scene, seed: _seed, narrow: _narrow, ...told } = part
  return {
    id, site: 'east', agent, epoch: 1, seq, camera: 'gate', camera_name: '东门', kind: 'LineDetector/Crossed', rule: 'line-1',
    rule_name: null, severity: 'medium', direction: null, track: seq, object_class: object, confidence: 0.87, box, test: false, at,
    time_source: 'camera', uncertainty_ms: 40, received_at: at, ended_at: null, not_durable: false,
    incident: null, because: null, still: { state: 'sent', url: `/api/v1/alerts/${id}/still` }, ...told,
  }
}

async function answer(state, proof, request, response) {
  const url = new URL(request.url, 'http://hub')
  const say = (status, value, headers = {}) => {
    // a connection that breaks before the answer makes Chromium send the request again by itself
    if (state.breaking > 0 && request.method === 'POST' && status === 201) return state.breaking--, void request.socket.destroy()
    if (state.losing > 0 && request.method === 'POST' && status === 201) {
      state.losing--
      response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': 9999 })
      response.write('{', () => request.socket.destroy())
      return
    }
    response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers })
    response.end(value === undefined ? undefined : JSON.stringify(value))
  }
  const refuse = (status, code, headers) => say(status, { error: { code, message: code } }, headers)
  if (!url.pathname.startsWith('/api/')) return page(url.pathname, response)
  const path = url.pathname.slice('/api/v1'.length)
  const cookie = /session=(\w+)/.exec(request.headers.cookie ?? '')?.[1]
  if (path === '/session' && request.method === 'POST') {
    const asked = JSON.parse(await body(request))
    if (++state.tries > 5) return refuse(429, 'too_many_tries', { 'Retry-After': '90' })
    const other = /^as:(\w+)$/.exec(asked.token ?? '')?.[1]
    if (other && proof.everybody[other]) return enter(state, proof, other, say)
    const good = asked.token ? state.tokens.has(asked.token) : asked.user === proof.user && asked.password === proof.password
    if (!good) return refuse(401, 'wrong')
    if (proof.code && asked.code === undefined) return refuse(401, 'code_needed')
    if (proof.code && asked.code !== proof.code) return refuse(401, 'wrong_code')
    state.tokens.delete(asked.token)
    state.tries = 0
    return enter(state, proof, proof.user, say)
  }
  if (!state.sessions.has(cookie)) return refuse(401, 'no_session')
  if (path === '/session' && request.method === 'DELETE') return state.sessions.delete(cookie), say(204)
  const who = oneself(proof, state.sessions.get(cookie))
  if (path === '/session') return say(200, who)
  const atTheWall = who.grants.some((grant) => grant.role !== 'grid_member')
  if (path === '/session/reason') {
    state.reasons.set(cookie, JSON.parse(await body(request)).reason)
    return say(204)
  }
  const mayLook = (look) => !proof.reasonFor.includes(look) || state.reasons.has(cookie)
  if (/\/attachments\/./.test(path) && !mayLook('view_photo')) return refuse(403, 'reason_needed')
  if (path === '/sites') return say(200, { sites: sitesOf(state, proof.incidents, who) })
  const picture = (bytes) => (response.writeHead(200, { 'Content-Type': 'image/jpeg' }), response.end(bytes))
  const acting = { user: who.user, role: who.grants[0]?.role ?? '' }
  if (await proof.incidents.answer(request.method, path, url.searchParams, acting, () => bytesOf(request), say, picture, request.headers['idempotency-key'])) return
  const still = /^\/alerts\/(.+)\/still$/.exec(path)
  const seen = still && state.alerts.find((alert) => alert.id === decodeURIComponent(still[1]))
  if (still && !(seen && proof.incidents.mayLook(acting, seen))) return refuse(404, 'not_found')
  if (still && !mayLook('view_still')) return refuse(403, 'reason_needed')
  if (!atTheWall && !still) return refuse(403, 'not_allowed')
  if (path === '/agents') return say(200, { agents: state.agents })
  if (/^\/cameras\/[^/]+\/[^/]+\/live/.test(path)) return live(state, request, response, say, refuse)
  if (path === '/alerts') return say(200, alertPage(state, url.searchParams))
  if (path === '/feed') return feed(state, request, response, refuse)
  const svg = still && state.stills.get(decodeURIComponent(still[1]))
  if (!svg) return refuse(404, 'not_found')
  response.writeHead(200, { 'Content-Type': 'image/svg+xml', 'Cache-Control': 'private, max-age=3600' })
  response.end(svg)
}

const oneself = (proof, user) => ({
  user, name: proof.everybody[user].name, grants: proof.everybody[user].roles.map((role) => ({ role, site: role === 'grid_member' ? 'east' : null })),
  second_factor: false, second_factor_wanted: false, has_second_factor: false, reason: null,
})

/** Where there are boxes or incidents; a grid member holds the one site alone. */
function sitesOf(state, incidents, who) {
  const sites = who.grants.every((grant) => grant.site) ? who.grants.map((grant) => grant.site) : [...state.agents, ...incidents.state.list].map((one) => one.site)
  return [...new Set(sites)].sort().map((site) => ({ site, name: site === 'east' ? '东街' : null }))
}

function enter(state, proof, user, say) {
  const key = `k${state.sessions.size}x${Date.now()}`
  state.sessions.set(key, user)
  say(200, oneself(proof, user), { 'Set-Cookie': `session=${key}; HttpOnly; SameSite=Strict; Path=/` })
}

function alertPage(state, query) {
  const limit = Math.min(Number(query.get('limit')) || 50, 200)
  const fits = (alert) => ['camera', 'agent', 'site', 'kind'].every((key) => !query.get(key) || alert[key] === query.get(key))
  const before = query.get('before') ? Number(query.get('before')) : Infinity
  const fitting = state.alerts.filter((alert) => fits(alert) && alert.seq < before)
  const alerts = fitting.slice(0, limit)
  return { alerts, next: fitting.length > limit ? String(alerts.at(-1).seq) : null, change: state.serial }
}

/** No picture ever comes from here: what a hub says whose box sends none. `state.live`: as the hub says it, and with
 *  what it refuses whoever wants to watch. */
async function live(state, request, response, say, refuse) {
  if (request.method === 'DELETE') return say(200, undefined)
  if (request.method === 'GET') return say(200, { state: state.live.state, why: state.live.why })
  const offer = await body(request)
  if (state.live.refusing) return refuse(...state.live.refusing)
  const place = `${request.url}/v${state.requests.length}`
  response.writeHead(201, { 'Content-Type': 'application/sdp', Location: place })
  response.end(answerTo(offer))
}

/** What a browser takes for an answer, of somebody who is never reached. */
function answerTo(offer) {
  const type = /a=rtpmap:(\d+) H264/.exec(offer)?.[1]
  return [
    'v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0', 'a=ice-lite', `m=video 9 UDP/TLS/RTP/SAVPF ${type}`, 'c=IN IP4 0.0.0.0', 'a=mid:0',
    'a=ice-ufrag:nobody', 'a=ice-pwd:nobodynobodynobodynobody', `a=fingerprint:sha-256 ${Array(32).fill('AA').join(':')}`, 'a=setup:passive', 'a=sendonly',
    'a=rtcp-mux', `a=rtpmap:${type} H264/90000`, '',
  ].join('\r\n')
}

function feed(state, request, response, refuse) {
  state.feedRequests++
  if (!state.feedOpen) return refuse(503, 'closed')
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  response.write('retry: 300\n\n')
  const last = Number(request.headers['last-event-id'])
  if (last) for (const event of state.events) if (event.id > last) response.write(event.text)
  state.feeds.add(response)
  response.on('close', () => state.feeds.delete(response))
}

async function page(path, response) {
  const name = extname(path) ? normalize(path).replace(/^(\.\.[/\\])+/, '') : 'index.html'
  const file = await readFile(join(DIST, name)).catch(() => null)
  response.writeHead(file ? 200 : 404, {
    'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream', 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff',
  })
  response.end(file ?? 'not found')
}

const body = async (request) => String(await bytesOf(request))

async function bytesOf(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts)
}
