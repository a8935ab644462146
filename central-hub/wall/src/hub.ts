//! Questions to the hub over HTTP. Owns: addresses, time limits, and what a refusal means.
//! Leaves to feed.ts: the live feed; to desk.ts: when to ask.
import { clockOffset } from './time'
import type { Agent, AlertPage } from './wire'

const PATIENCE_MS = 8000

/** Why the hub did not give what was asked. `code` is the hub's own, or the HTTP status. */
export class Refused extends Error {
  constructor(
    readonly reason: 'unreachable' | 'session' | 'too_many' | 'failed',
    readonly code: string,
    /** Seconds to wait, if the hub said so. */
    readonly wait = 0,
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
}

/** A code of the second factor goes with either, where one is set up. */
export type Proof = ({ user: string; password: string } | { token: string }) & { code?: string }

export const session = (): Promise<Oneself> => ask('GET', 'session')
export const signIn = (proof: Proof): Promise<Oneself> => ask('POST', 'session', proof)
export const signOut = (): Promise<void> => ask('DELETE', 'session')
export const agents = async (): Promise<Agent[]> => (await ask<{ agents: Agent[] }>('GET', 'agents')).agents

export function alerts(filter: Filter, before: string | null, limit = 50): Promise<AlertPage> {
  const query = new URLSearchParams({ limit: String(limit) })
  if (before) query.set('before', before)
  if (filter.camera) query.set('camera', filter.camera)
  if (filter.kind) query.set('kind', filter.kind)
  return ask('GET', `alerts?${query}`)
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const request: RequestInit = { method, signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' }
  if (body !== undefined) {
    request.body = JSON.stringify(body)
    request.headers = { 'Content-Type': 'application/json' }
  }
  let response: Response
  try {
    response = await fetch(`/api/v1/${path}`, request)
  } catch {
    throw new Refused('unreachable', 'network')
  }
  hubClockAhead = clockOffset(response.headers.get('Date'), Date.now())
  if (response.ok) return response.status === 204 ? (undefined as T) : await json<T>(response)
  throw await refusal(response)
}

async function json<T>(response: Response): Promise<T> {
  const text = await response.text().catch(() => '')
  try {
    return (text ? JSON.parse(text) : undefined) as T
  } catch {
    throw new Refused('failed', 'not JSON')
  }
}

async function refusal(response: Response): Promise<Refused> {
  const told = (await response.json().catch(() => null)) as { error?: { code?: string } } | null
  const code = told?.error?.code ?? String(response.status)
  if (response.status === 401) return new Refused('session', code)
  if (response.status === 429) return new Refused('too_many', code, Number(response.headers.get('Retry-After')) || 60)
  // a proxy in front of a stopped hub answers for it
  if ([502, 503, 504].includes(response.status)) return new Refused('unreachable', code)
  return new Refused('failed', code)
}
