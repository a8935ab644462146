//! The open incidents and the work on them, while somebody is signed in. Owns: what is listed, what is known of each, and
//! sending steps. Leaves to desk.ts: the feed; to queue.ts: order; to the views: how it looks.
//! Invariants: what the feed told after a question is newer than the answer; a step carries the version that was looked at.
import { batch, createMemo, createSignal, onCleanup } from 'solid-js'
import type { Desk } from './desk'
import * as hub from './hub'
import { mintId } from './id'
import { openKinds } from './kinds'
import { overlaid, Questions } from './questions'
import { isListed, itemsOf, ordered, type Item } from './queue'
import { decidedSince, keyOf, type Incident, type Result, type Told, type Unit, type Which, type Wish, type Work } from './work-wire'

/** Most incidents of a kind of state that are listed; more stay in the hub. */
export const LISTED = 200
/** The whole work is kept of so many: those that somebody looks at, looks at next, or looked at last. */
const KNOWN = 12
const AT_ONCE = 3
const AGAIN_MS = 5000
/** Others may write notes again and again; not for ever. */
const MOST_TRIES = 4

export type Notice =
  | { is: 'refused'; told: Told }
  | { is: 'failed' | 'unsure' }
  | { is: 'many'; wish: string; done: number; not: Result[] }

export type Incidents = ReturnType<typeof openIncidents>

export function openIncidents(desk: Desk, onSessionEnd: () => void) {
  const [byKey, setByKey] = createSignal<ReadonlyMap<string, Incident>>(new Map())
  const [works, setWorks] = createSignal<ReadonlyMap<string, Work>>(new Map())
  const [loaded, setLoaded] = createSignal(false)
  const [allowed, setAllowed] = createSignal(true)
  const [full, setFull] = createSignal(false)
  const [busy, setBusy] = createSignal(false)
  const [notice, setNotice] = createSignal<Notice | null>(null)
  const units = new Map<string, Promise<Unit[]>>()
  const questions = new Questions()
  let closed = false
  let again: ReturnType<typeof setTimeout> | undefined
  onCleanup(() => ((closed = true), clearTimeout(again)))

  const refused = (why: unknown) => {
    if (closed) return
    if (!(why instanceof hub.Refused)) throw why
    if (why.reason === 'session') onSessionEnd()
    else if (why.code === 'not_allowed') setAllowed(false)
    else if (!loaded()) again = setTimeout(() => void reload(), AGAIN_MS)
  }
  const kinds = openKinds(refused)
  const unordered = createMemo<Item[]>((before) => itemsOf(byKey().values(), works(), before), [])
  const items = createMemo(() => ordered(unordered(), desk.now()))

  // -- the list --------------------------------------------------------------------------------
  const put = (incident: Incident) => {
    const next = new Map(byKey())
    if (isListed(incident)) next.set(keyOf(incident), incident)
    else next.delete(keyOf(incident))
    setByKey(next)
  }
  const reload = () =>
    questions.ask(Promise.all([hub.incidents('open', LISTED), hub.incidents('resolved', LISTED)])).then(({ answer, spared }) => {
      if (closed) return
      clearTimeout(again)
      const [open, resolved] = answer
      const overMeanwhile = (incident: Incident) => spared.has(keyOf(incident)) && !byKey().has(keyOf(incident))
      const list = overlaid([...open.incidents, ...resolved.incidents], [...byKey().values()], spared, keyOf).filter((one) => isListed(one) && !overMeanwhile(one))
      batch(() => {
        setByKey(new Map(list.map((incident) => [keyOf(incident), incident])))
        setFull(open.next !== null)
        setLoaded(true)
      })
      named.clear()
      list.forEach((incident) => (name(incident), refresh(incident)))
    }, refused)
  const onIncident = (incident: Incident) =>
    batch(() => {
      questions.told(keyOf(incident))
      put(incident)
      name(incident)
      refresh(incident)
    })
  /** Asks what the kinds of a site are called, once. */
  const named = new Set<string>()
  const name = ({ site }: Incident) => {
    if (named.has(site)) return
    named.add(site)
    void kinds.of(site)
  }

  // -- the work on each --------------------------------------------------------------------------
  const wanted = new Set<string>()
  const asking = new Set<string>()
  const keep = (work: Work) => {
    const next = new Map(works())
    next.delete(keyOf(work)) // what was heard of last is forgotten last
    next.set(keyOf(work), work)
    for (const key of next.keys()) if (next.size > KNOWN) next.delete(key)
    setWorks(next)
    const listed = byKey().get(keyOf(work))
    const { state, version, severity, assigned, level, paused, overdue, deadlines } = work
    if (listed && version >= listed.version) put({ ...listed, state, version, severity, assigned, level, paused, overdue, deadlines })
  }
  /** Asks for the whole work on an incident, once for however many changes come meanwhile. */
  const want = (which: Which) => {
    wanted.add(keyOf(which))
    pump()
  }
  /** What is known is asked for again when it changed. */
  const refresh = (which: Which) => works().has(keyOf(which)) && want(which)
  const pump = () => {
    for (const key of wanted) {
      if (asking.size >= AT_ONCE || closed) return
      if (asking.has(key)) continue
      const incident = byKey().get(key)
      wanted.delete(key)
      if (!incident) continue
      asking.add(key)
      void hub.work(incident).then(keep, (why: unknown) => why instanceof hub.Refused && why.code === 'not_found' ? undefined : refused(why)).finally(() => (asking.delete(key), pump()))
    }
  }
  onCleanup(desk.onIncidents(onIncident, () => void reload()))
  // the feed says when to ask; where it does not open, the list is there all the same
  again = setTimeout(() => void reload(), AGAIN_MS)

  // -- steps -----------------------------------------------------------------------------------
  const failed = (why: unknown) => {
    if (!(why instanceof hub.Refused)) throw why
    if (why.reason === 'session') return onSessionEnd()
    if (why.told && why.reason === 'failed') setNotice({ is: 'refused', told: why.told })
    else setNotice({ is: ['network', 'cut short'].includes(why.code) ? 'unsure' : 'failed' })
  }
  /** One at a time: a key that is held down is one step. */
  const alone = async (act: () => Promise<void>) => {
    if (busy()) return false
    setBusy(true)
    setNotice(null)
    try {
      await act()
      return true
    } catch (why) {
      failed(why)
      return false
    } finally {
      setBusy(false)
    }
  }
  return {
    items,
    loaded,
    allowed,
    full,
    busy,
    notice,
    kinds,
    dismiss: () => void setNotice(null),
    work: (which: Which): Work | undefined => works().get(keyOf(which)),
    want,
    units(site: string): Promise<Unit[]> {
      const known = units.get(site) ?? hub.units(site)
      units.set(site, known)
      known.catch(() => units.delete(site))
      return known
    },
    /** A step on what was looked at, as it was then. A note of somebody else does not stand in its way, a step does. */
    take: (item: Item, wish: Wish): Promise<boolean> =>
      alone(async () => {
        const known = item.work?.history.map((fact) => fact.id) ?? []
        const key = mintId()
        let version = item.work?.version ?? item.incident.version
        for (let tries = 1; ; tries++) {
          try {
            return keep(await hub.takeStep(item.incident, { ...wish, version }, key))
          } catch (why) {
            const work = await hub.work(item.incident).catch(() => null)
            if (work) keep(work) // what others did shows at once
            const passed = why instanceof hub.Refused && why.code === 'overtaken' && work && tries < MOST_TRIES && !decidedSince(known, work)
            if (!passed) throw why
            version = work.version
          }
        }
      }),
    takeMany: (chosen: readonly Item[], wish: Wish): Promise<boolean> =>
      alone(async () => {
        const on = chosen.slice(0, LISTED).map(({ incident }) => ({ site: incident.site, incident: incident.incident, version: incident.version }))
        const results = await hub.takeSteps(wish, on)
        batch(() => {
          for (const result of results) {
            const known = byKey().get(keyOf(result))
            const { state, version } = result.error ?? result
            if (known && state && version !== undefined) put({ ...known, state, version })
          }
          const not = results.filter((result) => result.error)
          setNotice({ is: 'many', wish: wish.step, done: results.length - not.length, not })
        })
        results.forEach(refresh)
      }),
    /** Takes alerts out of an incident into one of their own. */
    split: (item: Item, alerts: readonly string[]): Promise<boolean> => alone(async () => onIncident(await hub.split(item.incident, item.incident.version, alerts))),
    /** Makes two one. */
    merge: (one: Item, other: Item): Promise<boolean> => alone(async () => onIncident(await hub.merge(one.incident, one.incident.version, other.incident.incident))),
    /** Opens one by hand, with photos; which one it is. */
    async open(asked: Parameters<typeof hub.openIncident>[0], photos: readonly Blob[]): Promise<Which | null> {
      let made: Which | null = null
      await alone(async () => {
        const work = await hub.openIncident(asked, mintId())
        made = work
        keep(work)
        for (const photo of photos) await hub.addPhoto(work, photo, mintId())
      })
      return made
    },
  }
}
