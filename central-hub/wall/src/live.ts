//! Watching a camera live: one connection to the hub, renewed by itself, ended when nobody looks.
//! Owns: when to connect, when to try again, what to say meanwhile. Leaves to hub.ts: the wire; to view/Live.tsx: how
//! it looks. Invariant: what is not in front of somebody's eyes is not watched.
import * as hub from './hub'

/** `refused` waits for somebody to do something about it; `hidden`: the page is not in front. */
export type LiveMood = 'connecting' | 'live' | 'again' | 'refused' | 'hidden'
export interface LiveSaid {
  mood: LiveMood
  /** Why not, as a code: of the box, or of the hub. */
  why: string | null
}
export interface CameraOf {
  agent: string
  camera: string
}

const LOOK_MS = 1000
/** No new picture for so long: the connection is begun anew. */
export const STALE_MS = 3000
const CONNECT_MS = 10_000
const LONGEST_MS = 10_000
/** What only somebody else can change; the box's own refusals may pass, and are waited for. */
const FINAL = new Set(['not_allowed', 'reason_needed', 'not_found', 'session'])

/** How long to wait before the so-many-th try after a failure, in ms. */
export const waitBefore = (tries: number): number => Math.min(500 * 2 ** tries, LONGEST_MS)

/** Begins to watch; answers how to stop. */
export function watchCamera(of: CameraOf, video: HTMLVideoElement, say: (said: LiveSaid) => void): () => void {
  let over = false
  let serial = 0 // of the connection that counts
  let peer: RTCPeerConnection | null = null
  let place: string | null = null
  let mood: LiveMood = 'connecting'
  let since = 0 // of the connection, then of its latest picture
  let tries = 0
  let waiting: ReturnType<typeof setTimeout> | undefined
  const is = (one: LiveMood) => mood === one // asked anew after a wait
  const tell = (next: LiveMood, why: string | null = null) => say({ mood: (mood = next), why })

  const drop = () => {
    serial++
    clearTimeout(waiting)
    peer?.close()
    if (place) hub.leaveLive(place)
    peer = place = null
    video.srcObject = null
  }
  const again = () => {
    drop()
    tell('again')
    waiting = setTimeout(() => void connect(), waitBefore(tries++))
  }
  const failed = (error: unknown) => {
    const code = error instanceof hub.Refused ? (error.reason === 'session' ? 'session' : error.code) : ''
    if (!FINAL.has(code)) return again()
    drop()
    tell('refused', code)
  }
  const connect = async () => {
    const own = ++serial
    const stale = () => own !== serial
    since = performance.now()
    if (mood !== 'again') tell('connecting')
    try {
      const link = (peer = new RTCPeerConnection())
      const { receiver } = link.addTransceiver('video', { direction: 'recvonly' })
      if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0
      link.onconnectionstatechange = () => void (!stale() && link.connectionState === 'failed' && again())
      video.srcObject = new MediaStream([receiver.track])
      await link.setLocalDescription()
      const begun = await hub.watchLive(of, link.localDescription?.sdp ?? '')
      if (stale()) return hub.leaveLive(begun.place)
      place = begun.place
      await link.setRemoteDescription({ type: 'answer', sdp: begun.answer })
      const shown = () => {
        if (stale()) return
        since = performance.now()
        tries = 0
        if (mood !== 'live') tell('live')
        video.requestVideoFrameCallback(shown)
      }
      video.requestVideoFrameCallback(shown)
    } catch (error) {
      if (!stale()) failed(error)
    }
  }
  const look = async () => {
    if (!peer || mood === 'hidden') return
    const age = performance.now() - since
    if (mood === 'live' ? age > STALE_MS : mood !== 'refused' && age > CONNECT_MS) return again()
    if (mood === 'live') return
    const own = serial
    const state = await hub.liveState(of).catch(() => null)
    if (own !== serial || is('live') || !state) return
    if (state.state === 'refused') tell('refused', state.why ?? 'other')
    else if (mood === 'refused') tell('connecting')
  }
  const turned = () => {
    if (over) return
    if (document.hidden) (drop(), tell('hidden'))
    else if (mood === 'hidden') void ((mood = 'connecting'), connect())
  }

  const looking = setInterval(() => void look(), LOOK_MS)
  document.addEventListener('visibilitychange', turned)
  if (document.hidden) tell('hidden')
  else void connect()
  return () => {
    over = true
    clearInterval(looking)
    document.removeEventListener('visibilitychange', turned)
    drop()
  }
}
