//! Who signed in last at this phone's page, so that it opens for them without a network. Owns: that this is forgotten when they
//! sign out or their session ends. It opens nothing at the hub: what is sent still needs the session.
import type { Oneself } from '../hub'

const KEPT = 'signalbox.field.who'

export function rememberOwner(who: Oneself): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ user: who.user, name: who.name ?? null, grants: who.grants ?? [] }))
  } catch {
    // storage is forbidden or full: the page then opens with a network only
  }
}

export function rememberedOwner(): Oneself | null {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? 'null') as Oneself | null
  } catch {
    return null
  }
}

export function forgetOwner(): void {
  try {
    localStorage.removeItem(KEPT)
  } catch {
    // then nothing was kept
  }
}
