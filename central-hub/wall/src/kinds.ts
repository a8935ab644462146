//! What people call the kinds that they open by hand. Owns: the names that the hub said, kept in the browser for times without a
//! network. Leaves to words.ts: kinds of alerts.
import { createSignal } from 'solid-js'
import * as hub from './hub'
import type { Kind, Wording } from './work-wire'

const KEPT = 'signalbox.kinds.'

export function openKinds(refused: (why: unknown) => void) {
  const [names, setNames] = createSignal<ReadonlyMap<string, Wording>>(new Map())
  const learn = (list: readonly { kind: string; name: Wording | null }[]): void =>
    void setNames(new Map([...names(), ...list.flatMap((one) => (one.name ? [[one.kind, one.name] as const] : []))]))
  return {
    names,
    learn,
    /** The kinds of a site, also without a network if they were asked for before. */
    async of(site: string): Promise<Kind[]> {
      const list = await hub.kinds(site).catch((why: unknown) => (refused(why), null))
      if (list) remember(site, list)
      const known = list ?? remembered(site)
      learn(known)
      return known
    },
  }
}

export type Kinds = ReturnType<typeof openKinds>

function remember(site: string, list: Kind[]): void {
  try {
    localStorage.setItem(KEPT + site, JSON.stringify(list))
  } catch {
    // storage is forbidden or full: asked for again next time
  }
}

function remembered(site: string): Kind[] {
  try {
    return JSON.parse(localStorage.getItem(KEPT + site) ?? '[]') as Kind[]
  } catch {
    return []
  }
}
