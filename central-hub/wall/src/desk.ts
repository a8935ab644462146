//! The state of the page while somebody is signed in. Owns: the alerts and boxes it shows, whether it is
//! live, and how old it is. Leaves to the views: how it looks; to hub.ts and feed.ts: the wire.
//! Invariant: what the feed told after a question was asked is newer than the answer.
import { batch, createMemo, createSignal, onCleanup, type Accessor } from 'solid-js'
import { extended, NONE, refreshed, told, type Alerts } from './alert-list'
import { count, seen } from './devices'
import { openFeed } from './feed'
import * as hub from './hub'
import { openPlaces, type Entry } from './places'
import { overlaid, Questions } from './questions'
import type { Agent, Alert } from './wire'
import type { Incident, Site } from './work-wire'

const ASK_EVERY_MS = 15_000
/** An alert that came in this long ago is still marked as new. */
export const FRESH_MS = 30_000
/** An alert that reached the hub longer ago is no news, even if this page did not know it. */
const NEWS_MS = 60_000

export type Link = 'connecting' | 'live' | 'reconnecting'
export type Desk = ReturnType<typeof openDesk>

export function openDesk(onSessionEnd: () => void) {
  const [link, setLink] = createSignal<Link>('connecting')
  const [contact, setContact] = createSignal(Date.now())
  const [alerts, setAlerts] = createSignal<Alerts>(NONE)
  const [loaded, setLoaded] = createSignal(false)
  const [filter, setFilterSignal] = createSignal<hub.Filter>({ camera: '', kind: '' })
  const [agents, setAgents] = createSignal<readonly Agent[]>([])
  const [known, setKnown] = createSignal<readonly Site[]>([])
  const [latest, setLatest] = createSignal<Entry | null>(null)
  const [older, setOlder] = createSignal<'idle' | 'loading' | 'failed'>('idle')
  const news = new Set<(alert: Alert) => void>()
  const incidentNews = new Set<{ tell: (incident: Incident) => void; anew: () => void }>()
  const now = clock()

  // -- the lists -------------------------------------------------------------------------------
  const places = openPlaces()
  const entries = createMemo(() => alerts().list.map(places.of))
  const keep = (next: Alerts, came: number) => {
    for (const alert of next.list) places.put(alert, came)
    setAlerts(next)
    places.only(next.list, latest()?.id)
  }
  const enlarge = (entry: Entry) => {
    const shown = latest()
    if (!shown || Date.parse(entry.alert().received_at) >= Date.parse(shown.alert().received_at)) setLatest(entry)
  }
  const passes = (alert: Alert) =>
    (!filter().camera || filter().camera === alert.camera) && (!filter().kind || filter().kind === alert.kind)

  // -- the feed --------------------------------------------------------------------------------
  const questions = new Questions()
  let closed = false
  let failed = false // the last question went unanswered, whatever the feed's socket says
  const heardFrom = () => setContact(Date.now())
  const asking = async <T>(question: Promise<T>, use: (answer: T, spared: ReadonlySet<string>) => void) => {
    const { answer, spared } = await questions.ask(question)
    if (!closed) batch(() => (heardFrom(), use(answer, spared)))
  }

  const onAlert = (alert: Alert) =>
    batch(() => {
      heardFrom()
      questions.told(alert.id)
      const isNew = !places.has(alert.id)
      const came = isNew ? Date.now() : 0
      const next = passes(alert) ? told(alerts(), alert) : alerts()
      enlarge(places.put(alert, came))
      keep(next, came)
      const age = Date.now() + hub.hubClockAhead - Date.parse(alert.received_at)
      if (isNew && age < NEWS_MS) news.forEach((tell) => tell(alert))
    })
  const onAgent = (agent: Agent) =>
    batch(() => {
      heardFrom()
      questions.told(agentKey(agent))
      setAgents([...agents().filter((other) => agentKey(other) !== agentKey(agent)), agent])
    })

  // -- questions -------------------------------------------------------------------------------
  const refused = (why: unknown) => {
    if (closed) return
    if (!(why instanceof hub.Refused)) throw why
    if (why.reason === 'session') return onSessionEnd()
    failed = true
    setLink((before) => (before === 'connecting' && contact() > Date.now() - 5000 ? before : 'reconnecting'))
  }
  const askAgents = () =>
    asking(hub.agents(), (answer, spared) => {
      setAgents(overlaid(answer, agents(), spared, agentKey))
      if (failed) {
        failed = false
        feed.reopen() // it may hang on a connection that is long dead
      }
    })
  const askAlerts = () => {
    const asked = filter()
    return asking(hub.alerts(asked, null), (page, spared) => {
      if (filter() !== asked) return
      keep(refreshed(alerts(), { list: page.alerts, next: page.next, full: false }, spared), 0)
      setLoaded(true)
      const top = entries()[0]
      if (top) enlarge(top)
    })
  }
  const reload = () => {
    incidentNews.forEach(({ anew }) => anew())
    void Promise.all([askAgents(), askAlerts(), asking(hub.sites(), setKnown)]).catch(refused)
  }

  const feed = openFeed({
    opened(anew) {
      heardFrom()
      setLink('live')
      if (anew) reload()
    },
    lost() {
      setLink('reconnecting')
      void hub.session().then(heardFrom, refused)
    },
    alert: onAlert,
    agent: onAgent,
    incident: (incident) => (heardFrom(), incidentNews.forEach(({ tell }) => tell(incident))),
    resync: reload,
  })
  const timer = setInterval(() => void askAgents().catch(refused), ASK_EVERY_MS)
  onCleanup(() => {
    closed = true
    clearInterval(timer)
    feed.close()
  })

  const devices = createMemo(() => seen(agents()))
  return {
    link,
    now,
    entries,
    loaded,
    latest,
    filter,
    older,
    devices,
    counts: createMemo(() => count(devices())),
    sites: createMemo(() => [...new Set([...agents(), ...known()].map(({ site }) => site))].sort()),
    /** What people call a site, else its id. */
    siteName: (site: string): string => known().find((one) => one.site === site)?.name || agents().find((agent) => agent.site === site)?.site_name || site,
    full: () => alerts().full,
    more: () => alerts().next !== null,
    /** ms since the hub was last heard. */
    age: () => Math.max(0, now() - contact() - hub.hubClockAhead),
    /** Told of each alert that is news; returns how to stop. */
    onNews(tell: (alert: Alert) => void): () => void {
      news.add(tell)
      return () => void news.delete(tell)
    },
    /** Told of each change of an incident, and when all are to be asked for anew; returns how to stop. */
    onIncidents(tell: (incident: Incident) => void, anew: () => void): () => void {
      const listener = { tell, anew }
      incidentNews.add(listener)
      return () => void incidentNews.delete(listener)
    },
    setFilter(next: hub.Filter): void {
      batch(() => {
        setFilterSignal(next)
        setLoaded(false)
        keep(NONE, 0)
      })
      void askAlerts().catch(refused)
    },
    loadOlder(): void {
      const from = alerts().next
      const asked = filter()
      if (!from || older() === 'loading') return
      setOlder('loading')
      asking(hub.alerts(asked, from), (page, spared) => {
        setOlder('idle')
        if (filter() === asked) keep(extended(alerts(), { list: page.alerts, next: page.next, full: false }, spared), 0)
      }).catch((why: unknown) => {
        setOlder('failed')
        refused(why)
      })
    },
  }
}

const agentKey = (agent: Agent): string => `${agent.site}/${agent.agent}`

/** The hub's time, ticking each second. */
function clock(): Accessor<number> {
  const read = () => Date.now() + hub.hubClockAhead
  const [now, setNow] = createSignal(read())
  let timer: ReturnType<typeof setTimeout>
  const tick = () => {
    setNow(read())
    timer = setTimeout(tick, 1000 - (read() % 1000)) // as the second begins
  }
  tick()
  onCleanup(() => clearTimeout(timer))
  return now
}
