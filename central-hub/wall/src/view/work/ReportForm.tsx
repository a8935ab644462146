//! Opening an incident by hand: kind, place, words, photos. Leaves to whoever shows it: what becomes of it.
import { createEffect, createSignal, For, Match, on, Show, Switch } from 'solid-js'
import { number, t } from '../../language'
import type { Asked, Kind } from '../../work-wire'
import { worded } from '../work-words'
import { PhotoPick } from './PhotoPick'

type Position = { is: 'none' | 'asking' | 'bad' } | { is: 'here'; lat: number; lon: number; metres: number }

export interface Reporting {
  sites: readonly string[]
  siteName?: (site: string) => string
  kinds: (site: string) => Promise<Kind[]>
  busy?: boolean
  onSubmit: (asked: Asked, photos: readonly Blob[]) => void
}

export function ReportForm(props: Reporting) {
  const sites = () => props.sites
  const [site, setSite] = createSignal(sites()[0] ?? '')
  const [kinds, setKinds] = createSignal<readonly Kind[]>([])
  const [kind, setKind] = createSignal('')
  const [position, setPosition] = createSignal<Position>({ is: 'none' })
  const [photos, setPhotos] = createSignal<readonly Blob[]>([])
  const [missing, setMissing] = createSignal<'kind' | 'words' | null>(null)
  let words!: HTMLTextAreaElement
  let place!: HTMLInputElement

  createEffect(on(site, (chosen) => void (chosen && props.kinds(chosen).then(setKinds))))
  createEffect(() => !site() && sites()[0] && setSite(sites()[0]!))
  const locate = () => {
    setPosition({ is: 'asking' })
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => setPosition({ is: 'here', lat: coords.latitude, lon: coords.longitude, metres: coords.accuracy }),
      () => setPosition({ is: 'bad' }),
      { enableHighAccuracy: true, timeout: 15_000, maximumAge: 30_000 },
    )
  }
  const submit = (event: Event) => {
    event.preventDefault()
    const said = words.value.trim()
    setMissing(!kind() ? 'kind' : !said ? 'words' : null)
    if (missing() === 'words') words.focus()
    if (missing()) return
    const asked: Asked = { site: site().trim(), kind: kind(), words: said }
    const here = position()
    if (place.value.trim()) asked.place = place.value.trim()
    if (here.is === 'here') asked.point = { lat: here.lat, lon: here.lon }
    props.onSubmit(asked, photos())
  }
  return (
    <form class="report" onSubmit={submit} aria-labelledby="report-title">
      <h1 id="report-title" class="task__kind">{t().field.reportNew}</h1>
      <Switch>
        <Match when={sites().length > 1}>
          <label>
            <span>{t().field.site}</span>
            <select onChange={(event: Event) => setSite((event.currentTarget as HTMLSelectElement).value)}>
              <For each={sites()}>{(one) => <option value={one} selected={one === site()}>{props.siteName?.(one) ?? one}</option>}</For>
            </select>
          </label>
        </Match>
        <Match when={sites().length === 0}>
          <label>
            <span>{t().field.site}</span>
            <input name="site" autocapitalize="none" spellcheck={false} placeholder={t().field.siteHint} onChange={(event: Event) => setSite((event.currentTarget as HTMLInputElement).value.trim())} required />
          </label>
        </Match>
      </Switch>
      <fieldset class="report__kinds" aria-invalid={missing() === 'kind'}>
        <legend>{t().field.kind}</legend>
        <For each={kinds()} fallback={<p>{t().field.noKinds}</p>}>
          {(one) => (
            <label class="report__kind" data-on={kind() === one.kind}>
              <input class="unseen" type="radio" name="kind" value={one.kind} checked={kind() === one.kind} onChange={() => setKind(one.kind)} />
              {worded(one.name)}
            </label>
          )}
        </For>
      </fieldset>
      <label>
        <span>{t().field.place}</span>
        <input ref={place} name="place" maxLength={120} placeholder={t().field.placeHint} />
      </label>
      <p class="report__position">
        <button class="button" type="button" onClick={locate} disabled={position().is === 'asking'}>{t().field.position}</button>
        <span role="status">{positionWords(position())}</span>
      </p>
      <label>
        <span>{t().field.words}</span>
        <textarea ref={words} name="words" rows={3} maxLength={2000} placeholder={t().field.wordsHint} aria-invalid={missing() === 'words'} />
      </label>
      <PhotoPick photos={photos()} onPhotos={setPhotos} />
      <div class="field__thumb">
        <Show when={missing()}>
          {(what) => <p class="field__bad" role="alert">{what() === 'kind' ? t().field.needKind : t().field.needWords}</p>}
        </Show>
        <button class="button button--main" type="submit" disabled={props.busy === true} data-name="submit">{t().field.submit}</button>
      </div>
    </form>
  )
}

function positionWords(position: Position): string {
  switch (position.is) {
    case 'none':
      return ''
    case 'asking':
      return t().field.positionAsking
    case 'here':
      return t().field.positionOn(number(Math.round(position.metres)))
    case 'bad':
      return t().field.positionBad
  }
}
