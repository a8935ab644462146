//! The composition root of the page: which face it shows (starting, login, the wall, the grid member's page).
import { createEffect, createSignal, Match, Show, Switch } from 'solid-js'
import { render } from '#renderer'
import { forgetOwner, rememberedOwner, rememberOwner } from './field/owner'
import { keepPage } from './field/offline'
import * as hub from './hub'
import { language, t } from './language'
import { reasonAsked } from './reason'
import './style/tokens.css'
import './style/base.css'
import './style/wall.css'
import './style/alerts.css'
import './style/devices.css'
import './style/dialogs.css'
import './style/live.css'
import './style/login.css'
import './style/work.css'
import './style/queue.css'
import './style/field.css'
import { Field } from './view/field/Field'
import { Login, type LoginNote } from './view/Login'
import { ReasonDialog } from './view/ReasonDialog'
import { Starting } from './view/Starting'
import { Wall } from './view/Wall'

type Face = 'starting' | 'login' | 'wall' | 'field'

const FIELD = '/field'
const ALERTS = '/alerts'
/** Roles that work at the wall; whoever holds none of them works on the street. */
const AT_THE_WALL = ['operator', 'shift_lead', 'installer', 'administrator', 'auditor']

/** A one-time token leaves the address before anything else happens. */
function takeToken(): string | null {
  if (location.pathname !== '/login' || location.hash.length < 2) return null
  const token = location.hash.slice(1)
  history.replaceState(null, '', location.pathname + location.search)
  return token
}

function Page(props: { token: string | null }) {
  const [face, setFace] = createSignal<Face>(props.token ? 'login' : 'starting')
  const [note, setNote] = createSignal<LoginNote | null>(null)
  const [token, setToken] = createSignal(props.token)
  const [who, setWho] = createSignal<hub.Oneself | null>(null)

  /** The page that was asked for, also over a login in between. */
  let onStreet = location.pathname === FIELD
  const toPage = (oneself: hub.Oneself) => {
    setToken(null)
    setWho(oneself)
    const grants = oneself.grants ?? []
    const field = onStreet || (grants.length > 0 && !grants.some((grant) => AT_THE_WALL.includes(grant.role)))
    const path = field ? FIELD : location.pathname === ALERTS ? ALERTS : '/'
    if (path !== location.pathname) history.replaceState(null, '', path + location.search)
    setFace(field ? 'field' : 'wall')
    if (field) {
      rememberOwner(oneself)
      keepPage()
    }
  }
  /** Without a network the street's page opens for whoever was there last. */
  const toRemembered = () => {
    const owner = onStreet ? rememberedOwner() : null
    if (owner) {
      setWho(owner)
      setFace('field')
    }
    return owner !== null
  }
  const toLogin = (why: LoginNote | null) => {
    setNote(why)
    forgetOwner()
    onStreet ||= location.pathname === FIELD
    history.replaceState(null, '', '/login' + location.search)
    setFace('login')
  }
  const signOut = () => void hub.signOut().then(() => toLogin('signedOut'), () => toLogin('expired'))
  createEffect(() => {
    document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en'
    document.title = `${t().product} ${t().productOther}`
  })
  return (
    <>
      <Switch>
        <Match when={face() === 'starting'}>
          <Starting onSession={toPage} onNone={() => toLogin(null)} onSilence={toRemembered} />
        </Match>
        <Match when={face() === 'login'}>
          <Login token={token()} note={note()} onDone={toPage} />
        </Match>
        <Match when={face() === 'wall'}>
          <Wall who={who()} onSessionEnd={() => toLogin('expired')} onSignOut={signOut} />
        </Match>
        <Match when={face() === 'field' ? who() : null}>
          {(oneself) => <Field who={oneself()} onSessionEnd={() => toLogin('expired')} onSignOut={signOut} />}
        </Match>
      </Switch>
      <Show when={reasonAsked()}>
        <ReasonDialog />
      </Show>
    </>
  )
}

// a link that is opened where the login page already stands changes the address alone
window.addEventListener('hashchange', () => location.pathname === '/login' && location.hash.length > 1 && location.reload())
const token = takeToken()
render(() => (<Page token={token} />) as Node, document.getElementById('wall')!)
