//! Questions to the hub over HTTP. Owns: addresses, time limits, and what a refusal means.
//! Leaves to feed.ts: the live feed; to desk.ts: when to ask.
import { askReason } from './reason'
import { clockOffset } from './time'
import type { Agent, AlertPage, LiveState } from './wire'
import type { Asked, Given, Incident, IncidentAlert, IncidentPage, Kind, Result, Site, Told, Unit, Which, Wish, Work } from './work-wire'

const PATIENCE_MS = 8000
/** The hub's code where it wants to know first what somebody looks for. */
const NEEDS_REASON = 'reason_needed'
/** A photo on a thin line takes its time. */
const PHOTO_PATIENCE_MS = 90_000

/** Why the hub did not give what was asked. `code` is the hub's own, or the HTTP status. */
export class Refused extends Error {
  constructor(
    readonly reason: 'unreachable' | 'session' | 'too_many' | 'failed',
    readonly code: string,
    /** Seconds to wait, if the hub said so. */
    readonly wait = 0,
    /** What the hub said about it. */
    readonly told: Told | null = null,
  ) {
    super(`hub refused: ${reason} (${code})`)
  }
}

export interface Filter {
  camera: string
  kind: string
}

/** The hub's clock minus this machine's, in ms, as of the last answer. */
export let hubClockAhead = 0

/** Who is signed in. */
export interface Oneself {
  user: string
  name?: string | null
  /** Roles, each at a site or (null) at all. */
  grants?: { role: string; site: string | null }[]
}

/** A code of the second factor goes with either, where one is set up. */
export type Proof = ({ user: string; password: string } | { token: string }) & { code?: string }

export const session = (): Promise<Oneself> => ask('GET', 'session')
export const signIn = (proof: Proof): Promise<Oneself> => ask('POST', 'session', { body: proof })
export const signOut = (): Promise<void> => ask('DELETE', 'session')
/** What one looks for, where the hub asks; holds for a while. */
export const giveReason = (reason: string): Promise<void> => ask('PUT', 'session/reason', { body: { reason } })
export const sites = async (): Promise<Site[]> => (await ask<{ sites: Site[] }>('GET', 'sites')).sites
export const agents = async (): Promise<Agent[]> => (await ask<{ agents: Agent[] }>('GET', 'agents')).agents

export function alerts(filter: Filter, before: string | null, limit = 50): Promise<AlertPage> {
  const query = new URLSearchParams({ limit: String(limit) })
  if (before) query.set('before', before)
  if (filter.camera) query.set('camera', filter.camera)
  if (filter.kind) query.set('kind', filter.kind)
  return ask('GET', `alerts?${query}`)
}

// -- live pictures -----------------------------------------------------------------------------
const liveOf = (of: { agent: string; camera: string }): string => `cameras/${encodeURIComponent(of.agent)}/${encodeURIComponent(of.camera)}/live`

export const liveState = (of: { agent: string; camera: string }): Promise<LiveState> => ask('GET', liveOf(of))
/** Offers to watch (WHEP); the hub's answer, and where it is ended. */
export async function watchLive(of: { agent: string; camera: string }, offer: string): Promise<{ answer: string; place: string }> {
  const response = await send(liveOf(of), { method: 'POST', body: offer, headers: { 'Content-Type': 'application/sdp' }, signal: AbortSignal.timeout(PATIENCE_MS) })
  if (!response.ok) {
    const why = await refusal(response)
    if (why.code === NEEDS_REASON && (await askReason())) return watchLive(of, offer)
    throw why
  }
  return { answer: await response.text(), place: response.headers.get('Location') ?? '' }
}
/** Ends it, also while the page goes away. */
export function leaveLive(place: string): void {
  if (place.startsWith('/api/v1/cameras/')) void fetch(place, { method: 'DELETE', keepalive: true }).catch(() => {})
}

// -- incidents ---------------------------------------------------------------------------------
const one = (which: Which): string => `incidents/${encodeURIComponent(which.site)}/${encodeURIComponent(which.incident)}`

export const incidents = (state: string, limit = 200): Promise<IncidentPage> => ask('GET', `incidents?state=${state}&limit=${limit}`)
export const incident = (which: Which): Promise<Incident> => ask('GET', one(which))
export const alertsOf = async (which: Which, limit = 50): Promise<IncidentAlert[]> =>
  (await ask<{ alerts: IncidentAlert[] }>('GET', `${one(which)}/alerts?limit=${limit}`)).alerts
export const work = (which: Which): Promise<Work> => ask('GET', `${one(which)}/steps`)
/** `key`: minted for what somebody wants; under the same one the hub does it once, however often it is sent. */
export const takeStep = (which: Which, wish: Wish, key: string): Promise<Work> => ask('POST', `${one(which)}/steps`, { body: wish, key })
export const takeSteps = async (wish: Omit<Wish, 'version'>, on: (Which & { version: number })[]): Promise<Result[]> =>
  (await ask<{ results: Result[] }>('POST', 'incidents/steps', { body: { ...wish, incidents: on } })).results
/** Takes alerts out into an incident of their own; that one. */
export const split = (which: Which, version: number, alerts: readonly string[]): Promise<Incident> => ask('POST', `${one(which)}/split`, { body: { version, alerts } })
/** Makes two one: the older of them. */
export const merge = (which: Which, version: number, other: string): Promise<Incident> => ask('POST', `${one(which)}/merge`, { body: { version, with: other } })
export const openIncident = (asked: Asked, key: string): Promise<Work> => ask('POST', 'incidents', { body: asked, key })
export const addPhoto = (which: Which, photo: Blob, key: string): Promise<{ file: string; url: string }> =>
  ask('POST', `${one(which)}/attachments`, { body: photo, key, patience: PHOTO_PATIENCE_MS })
export const photoAddress = (which: Which, file: string): string => `/api/v1/${one(which)}/attachments/${encodeURIComponent(file)}`
export const given = async (): Promise<Given[]> => (await ask<{ incidents: Given[] }>('GET', 'my-incidents')).incidents
export const kinds = async (site: string): Promise<Kind[]> =>
  (await ask<{ kinds: Kind[] }>('GET', `sites/${encodeURIComponent(site)}/incident-kinds`)).kinds
export const units = async (site: string): Promise<Unit[]> =>
  (await ask<{ units: Unit[] }>('GET', `sites/${encodeURIComponent(site)}/units`)).units

/** What became of a picture that the browser could not show: to be tried again, kept back for want of a reason, or broken. */
export async function askPicture(address: string): Promise<'again' | 'withheld' | 'broken'> {
  const response = await fetch(address, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => null)
  if (!response) return 'broken'
  if (response.ok) return 'again'
  if ((await refusal(response)).code !== NEEDS_REASON) return 'broken'
  return (await askReason()) ? 'again' : 'withheld'
}

interface Sent {
  body?: unknown
  key?: string
  patience?: number
}

async function ask<T>(method: string, path: string, sent: Sent = {}): Promise<T> {
  try {
    return await askOnce<T>(method, path, sent)
  } catch (why) {
    if (why instanceof Refused && why.code === NEEDS_REASON && (await askReason())) return askOnce<T>(method, path, sent)
    throw why
  }
}

async function askOnce<T>(method: string, path: string, { body, key, patience = PATIENCE_MS }: Sent): Promise<T> {
  const headers = new Headers()
  const request: RequestInit = { method, headers, signal: AbortSignal.timeout(patience), cache: 'no-store' }
  if (body instanceof Blob) {
    request.body = body
    headers.set('Content-Type', body.type || 'application/octet-stream')
  } else if (body !== undefined) {
    request.body = JSON.stringify(body)
    headers.set('Content-Type', 'application/json')
  }
  if (key) headers.set('Idempotency-Key', key)
  const response = await send(path, request)
  if (response.ok) return response.status === 204 ? (undefined as T) : await json<T>(response)
  throw await refusal(response)
}

async function send(path: string, request: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(`/api/v1/${path}`, request)
  } catch {
    throw new Refused('unreachable', 'network')
  }
  hubClockAhead = clockOffset(response.headers.get('Date'), Date.now())
  return response
}

async function json<T>(response: Response): Promise<T> {
  const text = await response.text().catch(() => {
    throw new Refused('unreachable', 'cut short') // it may have been done all the same
  })
  try {
    return (text ? JSON.parse(text) : undefined) as T
  } catch {
    throw new Refused('failed', 'not JSON')
  }
}

async function refusal(response: Response): Promise<Refused> {
  const said = (await response.json().catch(() => null)) as { error?: Told } | null
  const told = said?.error ?? null
  const code = told?.code ?? String(response.status)
  if (response.status === 401) return new Refused('session', code)
  if (response.status === 429) return new Refused('too_many', code, Number(response.headers.get('Retry-After')) || 60)
  // a proxy in front of a stopped hub answers for it
  if ([502, 503, 504].includes(response.status)) return new Refused('unreachable', code)
  return new Refused('failed', code, 0, told)
}
