//! The composition root of the page: which of the three faces it shows (starting, login, wall).
import { createEffect, createSignal, Match, Switch } from 'solid-js'
import { render } from '#renderer'
import * as hub from './hub'
import { language, t } from './language'
import './style/tokens.css'
import './style/base.css'
import './style/wall.css'
import './style/alerts.css'
import './style/devices.css'
import './style/dialogs.css'
import './style/login.css'
import { Login, type LoginNote } from './view/Login'
import { Starting } from './view/Starting'
import { Wall } from './view/Wall'

type Face = 'starting' | 'login' | 'wall'

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

  const toWall = (oneself: hub.Oneself) => {
    setToken(null)
    setWho(oneself)
    history.replaceState(null, '', '/' + location.search)
    setFace('wall')
  }
  const toLogin = (why: LoginNote | null) => {
    setNote(why)
    history.replaceState(null, '', '/login' + location.search)
    setFace('login')
  }
  createEffect(() => {
    document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en'
    document.title = `${t().product} ${t().productOther}`
  })
  return (
    <Switch>
      <Match when={face() === 'starting'}>
        <Starting onSession={toWall} onNone={() => toLogin(null)} />
      </Match>
      <Match when={face() === 'login'}>
        <Login token={token()} note={note()} onDone={toWall} />
      </Match>
      <Match when={face() === 'wall'}>
        <Wall
          who={who()}
          onSessionEnd={() => toLogin('expired')}
          onSignOut={() => void hub.signOut().then(() => toLogin('signedOut'), () => toLogin('expired'))}
        />
      </Match>
    </Switch>
  )
}

const token = takeToken()
render(() => (<Page token={token} />) as Node, document.getElementById('wall')!)
