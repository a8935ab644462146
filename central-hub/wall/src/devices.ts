//! What state a box's cameras are in as far as the hub can know, and which come first: pure functions.
import type { Agent, AgentState, Camera, CameraHealth, CameraState } from './wire'

/** How loudly a state is shown. */
export type Mood = 'bad' | 'wait' | 'good' | 'dim'

export interface SeenCamera extends Camera {
  agent: string
  health: CameraHealth | null
}

export interface SeenAgent extends Agent {
  seen: SeenCamera[]
}

const CAMERA_MOODS: Record<CameraState, Mood> = {
  live: 'good', connecting: 'wait', stalled: 'bad', offline: 'bad', credentials: 'bad', unsupported: 'bad', unknown: 'dim',
}
const AGENT_MOODS: Record<AgentState, Mood> = { online: 'good', offline: 'bad', unknown: 'dim' }
const RANK: Record<Mood, number> = { bad: 0, wait: 1, dim: 2, good: 3 }

/** A state that this page does not know yet is shown by name, dim. */
export const cameraMood = (state: CameraState): Mood => CAMERA_MOODS[state] ?? 'dim'
export const agentMood = (state: AgentState): Mood => AGENT_MOODS[state] ?? 'dim'

/** The agents as shown: problems first, then by site and name. The cameras of a box that is not online are
 *  unknown, whatever it said last. */
export function seen(agents: readonly Agent[]): SeenAgent[] {
  return agents
    .map((agent) => ({ ...agent, seen: seenCameras(agent) }))
    .sort((a, b) => worst(a) - worst(b) || order(a.site, b.site) || order(a.agent, b.agent))
}

export interface Count {
  agents: number
  online: number
  cameras: number
  live: number
  /** Boxes that are out, and cameras of boxes online that give no picture. */
  bad: number
}

export function count(agents: readonly SeenAgent[]): Count {
  const cameras = agents.flatMap((agent) => agent.seen)
  return {
    agents: agents.length,
    online: agents.filter((agent) => agent.state === 'online').length,
    cameras: cameras.length,
    live: cameras.filter((camera) => camera.state === 'live').length,
    bad:
      agents.filter((agent) => agentMood(agent.state) === 'bad').length +
      cameras.filter((camera) => cameraMood(camera.state) === 'bad').length,
  }
}

function seenCameras(agent: Agent): SeenCamera[] {
  const known = agent.state === 'online'
  return agent.cameras
    .map((camera) => ({
      ...camera,
      agent: agent.agent,
      state: known ? camera.state : ('unknown' as const),
      since: known ? camera.since : agent.since,
      health: (known && agent.health?.cameras.find((health) => health.camera === camera.camera)) || null,
    }))
    .sort((a, b) => RANK[cameraMood(a.state)] - RANK[cameraMood(b.state)] || order(a.camera, b.camera))
}

function worst(agent: SeenAgent): number {
  if (agentMood(agent.state) === 'bad') return -1 // a box that is out takes all its cameras with it
  return Math.min(RANK[agentMood(agent.state)], ...agent.seen.map((camera) => RANK[cameraMood(camera.state)]))
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
