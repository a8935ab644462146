//! Signing in: by one-time link at once, or by user and password; then by a code, where a second factor is set
//! up. Every refusal is told in words.
import { createSignal, onMount, Show } from 'solid-js'
import * as hub from '../hub'
import { length, switchLanguage, t } from '../language'
import { Mark } from './icons'

export type LoginNote = 'expired' | 'signedOut'
type Trouble = { why: 'password' | 'link' | 'code' } | { why: 'too_many'; seconds: number } | { why: 'unreachable' } | { why: 'other'; code: string }

export function Login(props: { token: string | null; note: LoginNote | null; onDone: (who: hub.Oneself) => void }) {
  const [busy, setBusy] = createSignal<'link' | 'password' | null>(null)
  const [trouble, setTrouble] = createSignal<Trouble | null>(null)
  // what was shown already, while the hub waits for a code to go with it
  const [first, setFirst] = createSignal<hub.Proof | null>(null)
  let user!: HTMLInputElement
  let password!: HTMLInputElement
  let code: HTMLInputElement | undefined

  const attempt = async (by: 'link' | 'password', proof: hub.Proof) => {
    setBusy(by)
    setTrouble(null)
    try {
      props.onDone(await hub.signIn(proof))
    } catch (why) {
      setBusy(null)
      if (why instanceof hub.Refused && why.code === 'code_needed') {
        setFirst(proof)
        code?.focus()
        return
      }
      const told = troubleOf(why, by)
      setTrouble(told)
      if (told.why === 'password' || told.why === 'link') setFirst(null)
      if (first()) {
        if (code) code.value = ''
        code?.focus()
      } else if (by === 'password') {
        password.value = ''
        password.focus()
      }
    }
  }
  const submit = (event: Event) => {
    event.preventDefault()
    if (busy()) return
    const shown = first()
    if (shown) void attempt('token' in shown ? 'link' : 'password', { ...shown, code: code?.value ?? '' })
    else void attempt('password', { user: user.value.trim(), password: password.value })
  }
  const anew = () => {
    setFirst(null)
    setTrouble(null)
    user.focus()
  }
  onMount(() => {
    if (props.token) void attempt('link', { token: props.token })
    else user.focus()
  })

  return (
    <main class="login">
      <form class="login__card" onSubmit={submit} aria-labelledby="login-title" aria-busy={busy() !== null}>
        <p class="login__brand">
          <Mark />
          <b>{t().product}</b>
          <span lang={t().product === 'Signalbox' ? 'zh-CN' : 'en'}>{t().productOther}</span>
        </p>
        <h1 id="login-title">{t().loginTitle}</h1>
        <p class="login__lead">{t().loginLead}</p>
        <p class="login__said" role="alert">
          <Show when={trouble()} fallback={first() && !busy() ? t().codeNeeded : said(busy(), props.note)}>
            {(what) => <span class="login__trouble">{words(what())}</span>}
          </Show>
        </p>
        <Show
          when={first()}
          fallback={
            <>
              <label>
                <span>{t().user}</span>
                <input ref={user} name="user" autocomplete="username" autocapitalize="none" spellcheck={false} required disabled={busy() !== null} />
              </label>
              <label>
                <span>{t().password}</span>
                <input ref={password} name="password" type="password" autocomplete="current-password" required disabled={busy() !== null} />
              </label>
            </>
          }
        >
          <label>
            <span>{t().code}</span>
            <input ref={code} name="code" inputmode="numeric" autocomplete="one-time-code" maxLength={9} required disabled={busy() !== null} />
          </label>
        </Show>
        <button class="button button--main" type="submit" disabled={busy() !== null}>
          {busy() === 'password' ? t().signingIn : t().signIn}
        </button>
        <Show when={first()} fallback={<p class="login__hint">{t().loginHint}</p>}>
          <button class="button button--quiet" type="button" onClick={anew}>
            {t().otherUser}
          </button>
        </Show>
      </form>
      <button class="button button--quiet" type="button" onClick={switchLanguage} aria-label={t().switchToSpoken}>
        {t().switchTo}
      </button>
    </main>
  )
}

function said(busy: 'link' | 'password' | null, note: LoginNote | null): string {
  if (busy === 'link') return t().byLink
  if (busy === 'password') return ''
  return note === 'expired' ? t().expired : note === 'signedOut' ? t().signedOut : ''
}

function troubleOf(why: unknown, by: 'link' | 'password'): Trouble {
  if (!(why instanceof hub.Refused)) throw why
  if (why.code === 'wrong_code') return { why: 'code' }
  if (why.reason === 'session') return { why: by }
  if (why.reason === 'too_many') return { why: 'too_many', seconds: why.wait }
  if (why.reason === 'unreachable') return { why: 'unreachable' }
  return { why: 'other', code: why.code }
}

function words(trouble: Trouble): string {
  switch (trouble.why) {
    case 'password':
      return t().wrongPassword
    case 'link':
      return t().wrongLink
    case 'code':
      return t().wrongCode
    case 'too_many':
      return t().tooMany(length(trouble.seconds * 1000))
    case 'unreachable':
      return t().unreachableStart
    case 'other':
      return t().loginFailed(trouble.code)
  }
}
