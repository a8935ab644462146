//! Sends what was tapped, one after the other, as soon as there is a network. Owns: the list as the page shows it, and
//! that each entry is on the disk before it counts as tapped. Leaves to outbox.ts: what an answer means.
import { createSignal, type Accessor } from 'solid-js'
import * as hub from '../hub'
import { dashed } from '../id'
import type { Asked, Given, Told, Which, Work } from '../work-wire'
import type { Keeping } from './keeping'
import { again, discarded, isKnownToHub, judged, nextToSend, settled, stopped, type Entry, type Stop, type What } from './outbox'

/** Somebody may be faster again and again; not for ever. */
const MOST_LOOKS = 4

export interface Sending {
  entries: Accessor<readonly Entry[]>
  /** Its id while one is under way. */
  busy: Accessor<string | null>
  /** The browser refused to keep something: it was not taken. */
  full: Accessor<boolean>
  lasting: boolean
  add(...entries: Omit<Entry, 'user' | 'made' | 'sent' | 'stop'>[]): Promise<boolean>
  discard(id: string): Promise<void>
  again(id: string): Promise<void>
  /** Tries what waits. */
  go(): void
}

export async function openSending(keeping: Keeping, user: string, onSessionEnd: () => void, onTaken: (work: Work) => void): Promise<Sending> {
  const [entries, setEntries] = createSignal<readonly Entry[]>(await keeping.all())
  const [busy, setBusy] = createSignal<string | null>(null)
  const [full, setFull] = createSignal(false)
  let running = false
  let wanted = false

  /** One change after the other; shown once the disk has it. */
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act)
    last = turn.catch(() => {})
    return turn
  }
  const replace = (with_: (entries: readonly Entry[]) => readonly Entry[]) =>
    inTurn(async () => {
      const before = entries()
      const next = with_(before)
      const changed = next.filter((entry) => !before.includes(entry))
      const gone = before.filter((entry) => !next.some((other) => other.id === entry.id)).map((entry) => entry.id)
      await keeping.change(changed, gone)
      setEntries(next)
    })
  const stop = (entry: Entry, why: Stop) => replace((all) => stopped(all, entry.id, why))
  const taken = async (entry: Entry, work: Work) => {
    await replace((all) => settled(all, entry.id, work))
    onTaken(work)
  }
  const markSent = (entry: Entry) => replace((all) => all.map((other) => (other.id === entry.id ? { ...other, sent: true } : other)))

  /** Looks where the incident is, then sends; again if somebody wrote something that decides nothing meanwhile. */
  const sendOn = async (entry: Entry, which: Which, what: Exclude<What, { open: Asked }>) => {
    for (let look = 0; look < MOST_LOOKS; look++) {
      const now = entries().find((other) => other.id === entry.id) ?? entry
      const work = await hub.work(which)
      const verdict = judged(now, work, Date.now())
      if (verdict.is === 'done') return taken(entry, work)
      if (verdict.is === 'overtaken') return stop(entry, { why: 'overtaken', by: verdict.by, did: verdict.did, at: verdict.at })
      await markSent(entry)
      try {
        if ('photo' in what) {
          await hub.addPhoto(which, what.photo, dashed(entry.id))
          return taken(entry, await hub.work(which)) // without this answer it is sent again, and done once all the same
        }
        return taken(entry, await hub.takeStep(which, { ...what.step, version: verdict.version }, dashed(entry.id)))
      } catch (why) {
        if (!(why instanceof hub.Refused && why.code === 'overtaken')) throw why
      }
    }
    throw new hub.Refused('unreachable', 'overtaken')
  }
  const sendOpening = async (entry: Entry, asked: Asked) => {
    const given = await hub.given() // also shows that the hub is there, before anything is in doubt
    if (entry.sent && !isKnownToHub(entry, Date.now())) {
      const found = await opened(entry, asked, given)
      return found ? taken(entry, found) : stop(entry, { why: 'unsure' })
    }
    await markSent(entry)
    return taken(entry, await hub.openIncident(asked, dashed(entry.id)))
  }
  const send = (entry: Entry) =>
    'open' in entry.what ? sendOpening(entry, entry.what.open) : sendOn(entry, entry.which!, entry.what)

  /** False: no more for now. */
  const sendNext = async (): Promise<boolean> => {
    const next = nextToSend(entries(), user)
    if (!next || !navigator.onLine) return false
    setBusy(next.id)
    try {
      await send(next)
      return true
    } catch (why) {
      if (!(why instanceof hub.Refused)) throw why
      if (why.reason === 'session') onSessionEnd()
      if (why.reason !== 'failed' || /^(5\d\d|internal|busy|not JSON)$/.test(why.code)) return false
      await stop(next, { why: 'refused', told: why.told ?? ({ code: why.code, message: why.code } satisfies Told) })
      return true
    } finally {
      setBusy(null)
    }
  }
  const run = async () => {
    wanted = true
    if (running) return
    running = true
    try {
      while (wanted) {
        wanted = false
        await alone(async () => {
          await inTurn(async () => setEntries(await keeping.all())) // another page of this browser may have sent some
          while (await sendNext());
        })
      }
    } finally {
      running = false
    }
  }
  return {
    entries,
    busy,
    full,
    lasting: keeping.lasting,
    async add(...made) {
      const now = Date.now()
      const fresh = made.map((entry, at) => ({ ...entry, user, made: now + at, sent: false, stop: null }))
      try {
        await replace((all) => [...all, ...fresh])
      } catch {
        setFull(true)
        return false
      }
      setFull(false)
      void run()
      return true
    },
    async discard(id) {
      await replace((all) => discarded(all, id))
    },
    async again(id) {
      await replace((all) => again(all, id))
      void run()
    },
    go: () => void run(),
  }
}

/** One page of this browser sends at a time, where the browser can see to it. */
async function alone(act: () => Promise<void>): Promise<void> {
  const locks = (navigator as { locks?: LockManager }).locks
  if (!locks) return act()
  await locks.request('signalbox.outbox', { ifAvailable: true }, (lock) => (lock ? act() : undefined))
}

/** An incident that this entry may have opened, among those that are given to oneself. */
async function opened(entry: Entry, asked: Asked, given: readonly Given[]): Promise<Work | null> {
  const alike = given.filter((one) => one.site === asked.site && one.kind === asked.kind && one.words === asked.words && Date.parse(one.opened_at) >= entry.made - 600_000)
  for (const one of alike) {
    const work = await hub.work(one)
    if (work.report?.reporter === entry.user) return work
  }
  return null
}
