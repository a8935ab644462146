//! What the hub says, as it says it. Owns: the shapes of its JSON. Leaves to texts.ts: words for them.
//! Unknown kinds, states and reasons of a newer hub are kept as they are and shown by name.

export type Severity = 'low' | 'medium' | 'high' | 'critical'
export type AgentState = 'online' | 'offline' | 'unknown'
export type CameraState = 'connecting' | 'live' | 'stalled' | 'offline' | 'credentials' | 'unsupported' | 'unknown'

/** Fractions of the picture, 0..1, origin at the top left. */
export interface Box {
  left: number
  top: number
  width: number
  height: number
}

export interface StillState {
  state: 'pending' | 'sent' | 'none'
  reason?: string | null
  url?: string | null
}

export interface Alert {
  /** agent/epoch/seq: the same alert told twice has the same id. */
  id: string
  site: string
  agent: string
  epoch: number | string
  seq: number
  camera: string
  camera_name: string | null
  kind: string
  rule: string
  rule_name: string | null
  severity: Severity
  direction: string | null
  track: number | string | null
  object_class: string | null
  confidence: number | null
  box: Box | null
  test: boolean
  at: string
  time_source: 'camera' | 'agent' | 'media'
  uncertainty_ms: number | null
  received_at: string
  ended_at: string | null
  not_durable: boolean
  still: StillState
}

export interface AlertPage {
  alerts: Alert[]
  next: string | null
}

export interface Camera {
  camera: string
  name: string | null
  state: CameraState
  since: string | null
  reason: string | null
  width: number | null
  height: number | null
}

export interface CameraHealth {
  camera: string
  decoded_fps: number
  analysed_fps: number
  replaced_frames: number
  damaged_frames: number
  decoder_restarts?: number
  latency_ms: number
}

export interface Health {
  at: string
  cpu_cores: number
  memory_bytes: number
  spool_bytes: number
  spool_open_records: number
  stills_waiting: number
  cameras: CameraHealth[]
}

export interface Agent {
  site: string
  /** What people call the site; the hub's settings say it. */
  site_name?: string | null
  agent: string
  name: string | null
  state: AgentState
  version: string | null
  since: string | null
  last_seen: string | null
  cameras: Camera[]
  health: Health | null
  /** What the hub wishes the box's configuration to be; absent where it wishes nothing. */
  config?: AgentConfig | null
}

/** How it stands with a camera's live picture. */
export interface LiveState {
  state: 'unwatched' | 'asked' | 'arriving' | 'refused'
  /** Why its box refuses, as a code. */
  why?: string
}

export interface ConfigWhy {
  code: string
  camera?: string
  detail?: string
  seconds?: number
}

export interface AgentConfig {
  generation: number
  state: 'pending' | 'trying' | 'applied' | 'refused' | 'rolled_back'
  /** One plain English sentence, from the box. */
  reason: string | null
  /** The same in a form for every language, where it is a usual reason. */
  why?: ConfigWhy | null
  applied: number | null
  /** On trial, where that is not the newest. */
  trying?: number | null
}

/** Where the still of an alert is; an address that leaves the hub is not followed. */
export function stillAddress(alert: Alert): string {
  const told = alert.still.url
  if (told && /^\/(?![/\\])/.test(told)) return told
  return `/api/v1/alerts/${alert.id.split('/').map(encodeURIComponent).join('/')}/still`
}
