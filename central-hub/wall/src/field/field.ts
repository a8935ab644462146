//! The state of a grid member's page: what is given to them, the one that they look at, and what waits to be sent. Owns:
//! when to ask. Leaves to sending.ts: what was tapped; to the views: how it looks. Asks rarely: a phone pays for each byte.
import { batch, createSignal } from 'solid-js'
import * as hub from '../hub'
import { mintId } from '../id'
import { keyOf, type Asked, type Given, type Site, type Which, type Wish, type Work } from '../work-wire'
import { openKinds } from '../kinds'
import { openKeeping } from './keeping'
import type { Entry } from './outbox'
import { openSending, type Sending } from './sending'

const ASK_EVERY_MS = 15_000
/** So many incidents are known without asking again. */
const KNOWN = 40

export type Link = 'asking' | 'there' | 'away'
export type Field = Awaited<ReturnType<typeof openField>>

export async function openField(who: hub.Oneself, onSessionEnd: () => void) {
  const [given, setGiven] = createSignal<readonly Given[]>([])
  const [works, setWorks] = createSignal<ReadonlyMap<string, Work>>(new Map())
  const [gone, setGone] = createSignal<ReadonlySet<string>>(new Set())
  const [siteList, setSiteList] = createSignal<readonly Site[]>([])
  const [loaded, setLoaded] = createSignal(false)
  const [link, setLink] = createSignal<Link>('asking')
  const [now, setNow] = createSignal(Date.now() + hub.hubClockAhead)
  const [open, setOpen] = createSignal<Which | null>(null)
  let closed = false

  const keep = (work: Work) => {
    setWorks(new Map([...works()].slice(-KNOWN)).set(keyOf(work), work))
    setGone(new Set([...gone()].filter((key) => key !== keyOf(work)))) // it may have been given back
  }
  const refused = (why: unknown) => {
    if (closed) return
    if (!(why instanceof hub.Refused)) throw why
    if (why.reason === 'session') return onSessionEnd()
    setLink('away')
  }
  const kinds = openKinds(refused)
  const taken = (work: Work) => {
    keep(work)
    void askGiven()
  }
  const sending: Sending = await openSending(await openKeeping(), who.user, onSessionEnd, taken)

  const askGiven = () =>
    hub.given().then((list) => {
      if (closed) return
      batch(() => (setGiven(list), kinds.learn(list), setLoaded(true), setLink('there')))
    }, refused)
  /** Once: sites do not come and go. */
  const askSites = () => void (siteList().length === 0 && hub.sites().then((list) => closed || setSiteList(list), refused))
  const askWork = (which: Which) =>
    hub.work(which).then(keep, (why: unknown) => {
      if (why instanceof hub.Refused && why.code === 'not_found') setGone(new Set([...gone(), keyOf(which)]))
      else refused(why)
    })
  const look = async () => {
    if (document.visibilityState === 'hidden') return
    const which = open()
    askSites()
    await Promise.all([askGiven(), which && askWork(which)])
    sending.go()
  }
  const seen = () => void look()
  const away = () => void setLink('away')
  const timer = setInterval(seen, ASK_EVERY_MS)
  const second = setInterval(() => setNow(Date.now() + hub.hubClockAhead), 1000)
  window.addEventListener('online', seen)
  window.addEventListener('offline', away)
  document.addEventListener('visibilitychange', seen)
  void look()

  const about = (which: Which): string => works().get(keyOf(which))?.kind ?? given().find((one) => keyOf(one) === keyOf(which))?.kind ?? ''
  const known = (which: Which): string[] => works().get(keyOf(which))?.history.map((fact) => fact.id) ?? []
  return {
    who,
    given,
    loaded,
    link,
    now,
    sending,
    /** What waits for an incident. */
    pending: (which: Which): Entry[] => sending.entries().filter((entry) => entry.which !== null && keyOf(entry.which) === keyOf(which)),
    open,
    /** Which incident is looked at. */
    show(which: Which | null): void {
      setOpen(which)
      if (which) void askWork(which)
    },
    work: (which: Which): Work | undefined => works().get(keyOf(which)),
    /** It is no longer one's own. */
    isGone: (which: Which): boolean => gone().has(keyOf(which)),
    /** Takes a step, with photos; false if the phone has no room for it. */
    act(which: Which, wish: Wish | null, photos: readonly Blob[]): Promise<boolean> {
      const common = { which, after: null, about: about(which), known: known(which) }
      const steps = wish ? [{ ...common, id: mintId(), what: { step: wish } }] : []
      return sending.add(...steps, ...photos.map((photo) => ({ ...common, id: mintId(), what: { photo } })))
    },
    report(asked: Asked, photos: readonly Blob[]): Promise<boolean> {
      const id = mintId()
      const common = { which: null, about: asked.kind, known: [] }
      return sending.add({ ...common, id, after: null, what: { open: asked } }, ...photos.map((photo) => ({ ...common, id: mintId(), after: id, what: { photo } })))
    },
    kinds,
    /** Sites at which one may report; without a network those that one's roles name. */
    sites(): string[] {
      const granted = (who.grants ?? []).flatMap((grant) => (grant.site ? [grant.site] : []))
      return [...new Set([...granted, ...siteList().map((one) => one.site)])].sort()
    },
    siteName: (site: string): string => siteList().find((one) => one.site === site)?.name || site,
    /** What the list says of an incident that is given to oneself. */
    givenOf: (which: Which): Given | undefined => given().find((one) => keyOf(one) === keyOf(which)),
    close(): void {
      closed = true
      clearInterval(timer)
      clearInterval(second)
      window.removeEventListener('online', seen)
      window.removeEventListener('offline', away)
      document.removeEventListener('visibilitychange', seen)
    },
  }
}
