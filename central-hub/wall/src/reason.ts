//! What somebody looks for, where the hub asks for a reason: one question at a time, however many requests wait for its answer.
//! Leaves to view/ReasonDialog.tsx: the window; to hub.ts: what waits.
import { createSignal } from 'solid-js'

const [asked, setAsked] = createSignal(false)
/** Somebody is asked for a reason now. */
export const reasonAsked = asked

let waiting: Promise<boolean> | null = null
let answer: (given: boolean) => void = () => {}

/** Asks; whether the hub has a reason now. */
export function askReason(): Promise<boolean> {
  waiting ??= new Promise<boolean>((resolve) => {
    answer = resolve
    setAsked(true)
  }).finally(() => ((waiting = null), setAsked(false)))
  return waiting
}

export const reasonGiven = (): void => answer(true)
export const reasonDeclined = (): void => answer(false)
