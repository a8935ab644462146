//! The live feed. Owns: one EventSource, its reopening with growing pauses. Leaves to the browser:
//! resuming by Last-Event-ID while the connection lasts; to desk.ts: what the events mean.
import type { Agent, Alert } from './wire'
import type { Incident } from './work-wire'

const SLOWEST_MS = 15_000

export interface Heard {
  /** The feed is open. `anew` is true if nothing vouches for what came before: reload the lists. */
  opened(anew: boolean): void
  /** The feed is gone; the session may have ended. */
  lost(): void
  alert(alert: Alert): void
  agent(agent: Agent): void
  incident(incident: Incident): void
  resync(): void
}

export interface Feed {
  /** Drop the connection and open another at once. */
  reopen(): void
  close(): void
}

export function openFeed(heard: Heard): Feed {
  let source: EventSource
  let tries = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const open = () => {
    // the browser resumes by the last event's id; before the first event there is none to resume by
    let anew = true
    source = new EventSource('/api/v1/feed')
    source.onopen = () => {
      tries = 0
      heard.opened(anew)
    }
    source.onerror = () => {
      heard.lost()
      if (source.readyState !== EventSource.CLOSED) return
      timer = setTimeout(open, pause(tries++))
    }
    const on = <T>(type: string, tell: (value: T) => void) =>
      source.addEventListener(type, (event: MessageEvent<string>) => {
        if (event.lastEventId) anew = false
        const value = parsed<T>(event.data)
        if (value !== undefined) tell(value)
      })
    on('alert', heard.alert)
    on('agent', heard.agent)
    on('incident', heard.incident)
    source.addEventListener('resync', heard.resync)
  }
  const close = () => {
    clearTimeout(timer)
    source.close()
  }
  open()
  return {
    close,
    reopen() {
      close()
      open()
    },
  }
}

/** Spread out, so that a hundred walls do not knock at a restarted hub in the same second. */
function pause(tries: number): number {
  return Math.min(SLOWEST_MS, 1000 * 2 ** tries) * (0.5 + Math.random() / 2)
}

/** One unreadable event must not end the feed. */
function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T
  } catch {
    return undefined
  }
}
