//! One alert with everything that is known of it.
import { createMemo, createSignal, For, Show } from 'solid-js'
import type { Desk } from '../desk'
import type { Entry } from '../places'
import { ago, fullTime, length, number, percent, t } from '../language'
import type { Alert } from '../wire'
import { Dialog } from './Dialog'
import { Live } from './Live'
import { Still } from './Still'
import { SeverityTag } from './Tags'
import { cameraWord, classWord, directionWord, kindWord, lateness } from './words'

export function Detail(props: { desk: Desk; entry: Entry; onStep: (by: number) => void; onClose: () => void }) {
  const alert = () => props.entry.alert()
  const [live, setLive] = createSignal(false)
  const step = (by: number) => (setLive(false), props.onStep(by)) // another alert may be another camera's
  const at = createMemo(() => props.desk.entries().findIndex((entry) => entry.id === props.entry.id))
  return (
    <Dialog class="detail" title={t().detail} onClose={props.onClose}>
      <Show when={live()} fallback={<Still alert={alert()} />}>
        <Live of={alert()} name={cameraWord(alert())}><Still alert={alert()} /></Live>
      </Show>
      <div class="detail__side">
        <h2 class="detail__title">
          <SeverityTag alert={alert()} />
          <span>{kindWord(alert().kind)}</span>
        </h2>
        <p class="detail__ago">
          {cameraWord(alert())} · {ago(props.desk.now() - Date.parse(alert().at))}
        </p>
        <For each={notes(alert())}>{(note) => <p class="detail__note">{note}</p>}</For>
        <dl class="facts">
          <For each={facts(alert(), props.desk.siteName(alert().site))}>
            {([name, value]) => (
              <div>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            )}
          </For>
        </dl>
        <div class="detail__actions">
          <button class="button" type="button" aria-pressed={live()} onClick={() => setLive(!live())} data-name="watch-live">
            {live() ? t().watching_live.back : t().watching_live.watch}
          </button>
          <button class="button" type="button" disabled={at() <= 0} onClick={() => step(-1)}>
            <kbd>k</kbd> {t().newer}
          </button>
          <button class="button" type="button" disabled={at() < 0 || at() === props.desk.entries().length - 1} onClick={() => step(1)}>
            <kbd>j</kbd> {t().olderOne}
          </button>
          <button class="button button--main" type="button" onClick={props.onClose} autofocus>
            {t().close} <kbd>Esc</kbd>
          </button>
        </div>
      </div>
    </Dialog>
  )
}

function notes(alert: Alert): string[] {
  const late = lateness(alert)
  return [alert.test ? t().testWhy : '', late ? t().lateWhy(length(late)) : '', alert.not_durable ? t().notDurable : ''].filter(Boolean)
}

/** Name and value of each fact that is known, in the order in which one would tell them. */
function facts(alert: Alert, siteName: string): [string, string][] {
  const names = t().facts
  const named = (name: string | null, id: string) => (name && name !== id ? `${name}（${id}）` : id)
  const lasted = alert.ended_at ? Date.parse(alert.ended_at) - Date.parse(alert.at) : null
  const all: [string, string | null][] = [
    [names.at, `${fullTime(Date.parse(alert.at))} · ${clockWords(alert)}`],
    [names.camera, named(alert.camera_name, alert.camera)],
    [names.rule, named(alert.rule_name, alert.rule)],
    [names.direction, alert.direction && directionWord(alert.direction)],
    [names.object, alert.object_class && [classWord(alert.object_class), alert.confidence !== null ? t().sure(percent(alert.confidence)) : ''].filter(Boolean).join(' · ')],
    [names.lasted, lasted !== null && lasted > 0 ? length(lasted) : null],
    [names.ended, alert.ended_at && fullTime(Date.parse(alert.ended_at))],
    [names.received, fullTime(Date.parse(alert.received_at))],
    [names.site, named(siteName === alert.site ? null : siteName, alert.site)],
    [names.agent, alert.agent],
    [names.track, alert.track === null ? null : String(alert.track)],
    [names.id, alert.id],
  ]
  return all.filter((fact): fact is [string, string] => Boolean(fact[1]))
}

function clockWords(alert: Alert): string {
  const source = t().timeSources[alert.time_source] ?? alert.time_source
  return alert.uncertainty_ms ? `${source} ${t().uncertainty(number(alert.uncertainty_ms))}` : source
}
