//! A picture of the hub in an <img>: what became of it where the browser shows none. The browser does not say why, so the hub is
//! asked; where it wants a reason first, somebody is asked for one, and the picture comes again.
import { createEffect, createSignal, on, type Accessor } from 'solid-js'
import * as hub from '../hub'

/** `asking`: it did not come, and why is not known yet. */
export type PictureState = 'shown' | 'asking' | 'withheld' | 'broken'

export function openPicture(address: Accessor<string | null>) {
  const [state, setState] = createSignal<PictureState>('shown')
  let tried = false
  const anew = () => {
    tried = false
    setState('shown')
  }
  createEffect(on(address, anew, { defer: true }))
  return {
    state,
    /** For its `onError`. */
    async failed(): Promise<void> {
      const asked = address()
      setState('asking')
      const became = asked === null || tried ? 'broken' : await hub.askPicture(asked)
      if (address() !== asked) return
      tried = became === 'again'
      setState(became === 'again' ? 'shown' : became)
    },
    /** Somebody wants to see it after all. */
    again: anew,
  }
}
