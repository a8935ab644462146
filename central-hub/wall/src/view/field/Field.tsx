//! The grid member's page, for a phone in one hand: what is given to them, the next step large at the thumb, and what
//! waits to be sent. Owns: which of its three faces is shown; the address says which, so that the phone's own back works.
import { createEffect, createSignal, Match, onCleanup, onMount, Show, Switch } from 'solid-js'
import { openField, type Field as Desk } from '../../field/field'
import type { Oneself } from '../../hub'
import { switchLanguage, t } from '../../language'
import type { Which } from '../../work-wire'
import { Mark } from '../icons'
import { ReportForm } from '../work/ReportForm'
import { GivenList } from './GivenList'
import { Outbox } from './Outbox'
import { Task } from './Task'

type Face = { is: 'list' } | { is: 'report' } | { is: 'task'; which: Which }

export function Field(props: { who: Oneself; onSessionEnd: () => void; onSignOut: () => void }) {
  const [desk, setDesk] = createSignal<Desk | null>(null)
  let left = false
  onMount(() => {
    document.documentElement.dataset['page'] = 'field'
    void openField(props.who, props.onSessionEnd).then((opened) => (left ? opened.close() : setDesk(opened)))
  })
  onCleanup(() => {
    left = true
    delete document.documentElement.dataset['page']
    desk()?.close()
  })
  return (
    <Show when={desk()} fallback={<main class="starting" aria-busy={true}><Mark /></main>}>
      {(opened) => <Page desk={opened()} onSignOut={props.onSignOut} />}
    </Show>
  )
}

function Page(props: { desk: Desk; onSignOut: () => void }) {
  const [face, setFace] = createSignal<Face>(faceOf(location.hash))
  const back = () => void setFace(faceOf(location.hash))
  onMount(() => window.addEventListener('popstate', back))
  onCleanup(() => window.removeEventListener('popstate', back))
  createEffect(() => {
    const shown = face()
    props.desk.show(shown.is === 'task' ? shown.which : null)
    window.scrollTo(0, 0)
  })
  createEffect(() => (document.title = `${t().field.title} – ${t().product}`))
  const to = (hash: string) => {
    history.pushState(null, '', location.pathname + location.search + hash)
    back()
  }
  const toList = () => {
    history.replaceState(null, '', location.pathname + location.search)
    back()
  }
  const mine = () => props.desk.sending.entries().some((entry) => entry.user === props.desk.who.user)
  const signOut = () => {
    if (!mine() || confirm(t().field.leave)) props.onSignOut()
  }
  return (
    <div class="field">
      <header class="field__bar">
        <Show when={face().is !== 'list'} fallback={<h1 class="field__title">{t().field.title}</h1>}>
          <button class="button button--quiet" type="button" onClick={toList} data-name="back">
            <span aria-hidden="true">‹</span> {t().field.back}
          </button>
        </Show>
        <p class="field__link" role="status" data-link={props.desk.link()}>
          <span class="field__lamp" aria-hidden="true" />
          {t().field[props.desk.link()]}
        </p>
        <button class="button button--quiet" type="button" onClick={switchLanguage} aria-label={t().switchToSpoken} data-name="language">
          {t().switchTo}
        </button>
        <Show when={face().is === 'list'}>
          <button class="button button--quiet" type="button" onClick={signOut}>{t().signOut}</button>
        </Show>
      </header>
      <Outbox desk={props.desk} />
      <Switch>
        <Match when={face().is === 'list'}>
          <GivenList desk={props.desk} onOpen={(which) => to(hashOf(which))} onReport={() => to('#new')} />
        </Match>
        <Match when={face().is === 'report'}>
          <main class="field__main">
            <ReportForm
              sites={props.desk.sites()}
              siteName={props.desk.siteName}
              kinds={props.desk.kinds.of}
              onSubmit={(asked, photos) => void props.desk.report(asked, photos).then((kept) => kept && toList())}
            />
          </main>
        </Match>
        <Match when={taskOf(face())}>{(which) => <Task desk={props.desk} which={which()} />}</Match>
      </Switch>
    </div>
  )
}

const taskOf = (face: Face): Which | null => (face.is === 'task' ? face.which : null)
const hashOf = (which: Which): string => `#i/${encodeURIComponent(which.site)}/${encodeURIComponent(which.incident)}`

function faceOf(hash: string): Face {
  if (hash === '#new') return { is: 'report' }
  const [, site, incident] = /^#i\/([^/]+)\/([^/]+)$/.exec(hash) ?? []
  try {
    if (site && incident) return { is: 'task', which: { site: decodeURIComponent(site), incident: decodeURIComponent(incident) } }
  } catch {
    // somebody wrote the address by hand
  }
  return { is: 'list' }
}
