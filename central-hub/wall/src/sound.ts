//! A sound for what cannot wait: off until the operator allows it, as browsers demand and people prefer. Owns: the two signals.
//! They are made, not played from a file: nothing has to be fetched when it matters.
import { createSignal } from 'solid-js'

/** Tones in Hz, each 0.18 s: rising for what is new, the same again for what is late. */
const SIGNALS = { fresh: [660, 880, 1175], late: [880, 880, 880, 880] } as const
const TONE_S = 0.18

export function openSound() {
  const [on, setOn] = createSignal(false)
  let context: AudioContext | null = null
  const ring = (what: keyof typeof SIGNALS) => {
    if (!on() || !context) return
    let at = context.currentTime + 0.02
    for (const frequency of SIGNALS[what]) {
      const tone = context.createOscillator()
      const volume = context.createGain()
      tone.type = 'triangle'
      tone.frequency.value = frequency
      volume.gain.setValueAtTime(0.0001, at)
      volume.gain.exponentialRampToValueAtTime(0.5, at + 0.02)
      volume.gain.exponentialRampToValueAtTime(0.0001, at + TONE_S)
      tone.connect(volume).connect(context.destination)
      tone.start(at)
      tone.stop(at + TONE_S)
      at += TONE_S + 0.04
    }
  }
  return {
    on,
    ring,
    /** By a click of the operator alone; rings once, so that they hear that it works. */
    toggle(): void {
      if (on()) return void setOn(false)
      context ??= new AudioContext()
      void context.resume()
      setOn(true)
      ring('fresh')
    },
    close: () => void context?.close(),
  }
}

export type Sound = ReturnType<typeof openSound>
