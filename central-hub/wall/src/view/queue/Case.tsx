//! The incident that is looked at: what, where, how long, what to do next, and what the camera saw.
import { createEffect, createMemo, createSignal, For, on, onCleanup, Show } from 'solid-js'
import type { Desk } from '../../desk'
import * as hub from '../../hub'
import type { Incidents } from '../../incidents'
import { ago, clock, t } from '../../language'
import { keyOfStep, nextStep, type Item } from '../../queue'
import type { IncidentAlert, StepName } from '../../work-wire'
import { SeverityShape } from '../icons'
import { Live } from '../Live'
import { Still } from '../Still'
import { cameraWord, severityWord } from '../words'
import { clockWords, kindName, stateWord, stepWord, whomWord } from '../work-words'
import { Because } from './Because'
import { placeWords } from './place'

const SHOWN = 30

export function Case(props: { desk: Desk; incidents: Incidents; item: Item; onStep: (step: StepName) => void }) {
  const incident = () => props.item.incident
  const work = () => props.item.work
  const running = () => (incident().test ? null : clockWords(incident(), props.desk.now()))
  return (
    <>
      <header class="case__head" data-severity={incident().severity}>
        <p class="case__top">
          <span class="case__severity">{severityWord(incident())}</span>
          <span class="case__state" data-state={incident().state}>{stateWord(incident().state)}</span>
          <Show when={incident().test}><span class="tag tag--test">{t().queue.test}</span></Show>
          <Show when={incident().origin !== 'alerts'}><span class="tag">{t().queue.byHand}</span></Show>
          <Show when={(work()?.reopened ?? 0) > 0}><span class="tag">{t().queue.reopened(work()!.reopened)}</span></Show>
          <Show when={incident().level > 0}><span class="tag tag--bad">{t().queue.level(incident().level)}</span></Show>
        </p>
        <h2 class="case__kind" data-name="case-kind">
          <SeverityShape severity={incident().severity} />
          <span>{kindName(props.incidents.kinds, incident().kind)}</span>
        </h2>
        <p class="case__place">{placeWords(props.desk, props.item)}</p>
        <p class="case__when">
          <Show when={running()}>{(said) => <span class="case__clock" data-over={said().over} data-name="case-clock">{said().text}</span>}</Show>
          <span>{ago(props.desk.now() - Date.parse(incident().clock_from))}</span>
          <time datetime={incident().opened_at}>{clock(Date.parse(incident().opened_at))}</time>
        </p>
        <Show when={work()?.report}>{(report) => <p class="case__words"><q>{report().words}</q> <span>{t().queue.reporter} {report().reporter}</span></p>}</Show>
      </header>
      <Steps incidents={props.incidents} item={props.item} onStep={props.onStep} />
      <Alerts desk={props.desk} incidents={props.incidents} item={props.item} />
    </>
  )
}

/** What is done next is one large button; the others stand behind it with their keys. */
function Steps(props: { incidents: Incidents; item: Item; onStep: (step: StepName) => void }) {
  const open = () => props.item.work?.open ?? []
  const next = () => (props.item.work ? nextStep(props.item.work) : null)
  const others = createMemo(() => (['dispatch', 'false_alarm', 'resolve', 'close', 'note', 'assign', 'pause', 'resume', 'reopen'] as StepName[]).filter((step) => step !== next() && open().includes(step)))
  const registered = createMemo(() => (['accept', 'arrive'] as StepName[]).filter((step) => open().includes(step)))
  const waits = () => (props.item.incident.state === 'dispatched' && props.item.incident.assigned ? whomWord(props.item.incident.assigned) : null)
  return (
    <div class="case__steps" aria-busy={props.incidents.busy()}>
      <Show when={next()} fallback={<Show when={waits()}>{(whom) => <p class="case__waits">{t().queue.waitFor(whom())}</p>}</Show>}>
        {(step) => (
          <button class="button button--main case__next" type="button" disabled={props.incidents.busy()} onClick={() => props.onStep(step())} data-name="next-step" data-step={step()}>
            {stepWord(step())} <kbd>{keyOfStep(step())}</kbd>
          </button>
        )}
      </Show>
      <div class="case__others" role="group" aria-label={t().queue.otherSteps}>
        <For each={others()}>
          {(step) => (
            <button class="button" type="button" disabled={props.incidents.busy()} onClick={() => props.onStep(step)} data-step={step}>
              {stepWord(step)} <kbd>{keyOfStep(step)}</kbd>
            </button>
          )}
        </For>
        <For each={registered()}>
          {(step) => (
            <button class="button button--quiet" type="button" disabled={props.incidents.busy()} onClick={() => props.onStep(step)} data-step={step}>
              {t().queue.register(stepWord(step))}
            </button>
          )}
        </For>
      </div>
    </div>
  )
}

/** Its alerts: the newest with a picture large, the others to be looked at, each with why it is here. */
function Alerts(props: { desk: Desk; incidents: Incidents; item: Item }) {
  const [out, setOut] = createSignal<ReadonlySet<string>>(new Set())
  const [alerts, setAlerts] = createSignal<readonly IncidentAlert[]>([])
  const [picked, setPicked] = createSignal<string | null>(null)
  const [live, setLive] = createSignal<string | null>(null) // the camera that is watched
  const cameraOf = (alert: IncidentAlert) => `${alert.agent}/${alert.camera}`
  const which = () => props.item.key
  let latest = '' // of what was asked for last; an answer may come after this view is gone
  onCleanup(() => (latest = ''))
  const of = createMemo(() => `${props.item.key} ${props.item.incident.alerts} ${props.item.incident.last_at}`)
  createEffect(on(createMemo(which), () => (setAlerts([]), setPicked(null), setLive(null), setOut(new Set<string>()))))
  createEffect(
    on(of, () => {
      const asked = (latest = which())
      if (props.item.incident.alerts === 0) return
      void hub.alertsOf(props.item.incident, SHOWN).then((found) => asked === latest && setAlerts(found), () => {})
    }),
  )
  const large = createMemo(() => alerts().find((alert) => alert.id === picked()) ?? alerts().find((alert) => alert.still.state === 'sent') ?? alerts()[0] ?? null)
  const choose = (id: string) => {
    const next = new Set(out())
    if (!next.delete(id)) next.add(id)
    setOut(next)
  }
  const split = () => void props.incidents.split(props.item, [...out()]).then((done) => done && setOut(new Set<string>()))
  return (
    <Show when={large()}>
      {(alert) => (
        <div class="case__seen">
          <figure class="case__still">
            <Show when={live() === cameraOf(alert())} fallback={<Still alert={alert()} />}>
              <Live of={alert()} name={cameraWord(alert())}><Still alert={alert()} /></Live>
            </Show>
            <figcaption>
              <b>{cameraWord(alert())}</b> <time datetime={alert().at}>{clock(Date.parse(alert().at))}</time>
              <Because desk={props.desk} alert={alert()} />
              <button class="button" type="button" aria-pressed={live() === cameraOf(alert())} onClick={() => setLive(live() === cameraOf(alert()) ? null : cameraOf(alert()))} data-name="watch-live">
                {live() === cameraOf(alert()) ? t().watching_live.back : t().watching_live.watch}
              </button>
              <Show when={out().size > 0 && out().size < props.item.incident.alerts}>
                <button class="button" type="button" disabled={props.incidents.busy()} onClick={split} data-name="split">{t().queue.split(out().size)}</button>
              </Show>
            </figcaption>
          </figure>
          <Show when={alerts().length > 1}>
            <div class="case__strip">
              <p class="eyebrow">{props.item.incident.alerts > alerts().length ? t().queue.shownOf(alerts().length, props.item.incident.alerts) : t().queue.alertsOf}</p>
              <ol>
                <For each={alerts()}>
                  {(one) => (
                    <li class="case__thumb">
                      <label class="case__out">
                        <input type="checkbox" checked={out().has(one.id)} aria-label={t().queue.takeOut(`${cameraWord(one)} ${clock(Date.parse(one.at))}`)} onClick={() => choose(one.id)} />
                      </label>
                      <button class="thumb" type="button" aria-pressed={one.id === alert().id} onClick={() => setPicked(one.id)} data-alert={one.id}>
                        <Still alert={one} close={true} />
                        <span>{cameraWord(one)}</span>
                        <time datetime={one.at}>{clock(Date.parse(one.at))}</time>
                      </button>
                    </li>
                  )}
                </For>
              </ol>
            </div>
          </Show>
        </div>
      )}
    </Show>
  )
}
