//! The newest alert, large enough for the far end of the room; or, if there is none, whether that is good.
import { For, Match, Show, Switch } from 'solid-js'
import { FRESH_MS, type Desk } from '../desk'
import type { Entry } from '../places'
import { ago, clock, t } from '../language'
import { Arrow, SeverityShape, StateIcon } from './icons'
import { Still } from './Still'
import { Tags } from './Tags'
import { cameraWord, classWord, directionWord, kindWord, severityWord } from './words'

export function Latest(props: { desk: Desk; onOpen: (entry: Entry) => void }) {
  return (
    <section class="latest" aria-labelledby="latest-title">
      <Switch>
        <Match when={props.desk.latest()}>{(entry) => <Large desk={props.desk} entry={entry()} onOpen={props.onOpen} />}</Match>
        <Match when={props.desk.loaded()}>
          <Quiet desk={props.desk} />
        </Match>
        <Match when={true}>
          <h2 id="latest-title" class="latest__loading">{t().loading}</h2>
        </Match>
      </Switch>
    </section>
  )
}

function Large(props: { desk: Desk; entry: Entry; onOpen: (entry: Entry) => void }) {
  const alert = () => props.entry.alert()
  const age = () => props.desk.now() - Date.parse(alert().at)
  return (
    <button
      class="large"
      type="button"
      onClick={() => props.onOpen(props.entry)}
      data-severity={alert().severity}
      data-fresh={age() < FRESH_MS}
      data-alert={props.entry.id}
    >
      <span class="large__words" data-pictured={alert().still.state === 'sent'}>
        <Show when={alert().still.state === 'sent'}>
          <Still alert={alert()} close={true} />
        </Show>
        <span class="large__top">
          <span id="latest-title" class="eyebrow">{t().latest}</span>
          <span class="large__severity">{severityWord(alert())}</span>
          <Tags alert={alert()} />
        </span>
        <span class="large__kind">
          <SeverityShape severity={alert().severity} />
          <span>{kindWord(alert().kind)}</span>
        </span>
        <span class="large__where">
          <b>{cameraWord(alert())}</b>
          <Show when={alert().direction}>
            {(direction) => (
              <span class="direction">
                <Arrow to={direction()} />
                {directionWord(direction())}
              </span>
            )}
          </Show>
          <Show when={alert().object_class}>{(name) => <span>{classWord(name())}</span>}</Show>
          <Show when={props.desk.sites().length !== 1 || props.desk.sites()[0] !== alert().site}>
            <span>{props.desk.siteName(alert().site)}</span>
          </Show>
        </span>
        <span class="large__when">
          <span class="large__ago">{ago(age())}</span>
          <time datetime={alert().at}>{clock(Date.parse(alert().at))}</time>
        </span>
      </span>
      <Still alert={alert()} atTop={true} />
    </button>
  )
}

/** No alert: good only if something watches and everything that should see does. */
function Quiet(props: { desk: Desk }) {
  const counts = () => props.desk.counts()
  const cameras = () => props.desk.devices().flatMap((agent) => agent.seen).filter((camera) => camera.state === 'live')
  return (
    <div class="quiet" data-well={counts().bad === 0 && counts().cameras > 0}>
      <span class="quiet__sign">
        <StateIcon state={counts().cameras === 0 ? 'unknown' : counts().bad ? 'care' : 'live'} />
      </span>
      <Switch>
        <Match when={counts().cameras === 0}>
          <h2 id="latest-title">{t().noneUnwatched}</h2>
          <p>{t().noneUnwatchedWhy}</p>
        </Match>
        <Match when={counts().bad > 0}>
          <h2 id="latest-title">{t().noneButBlind(counts().bad)}</h2>
          <p>{t().noneButBlindWhy}</p>
        </Match>
        <Match when={true}>
          <h2 id="latest-title">{t().none}</h2>
        </Match>
      </Switch>
      <Show when={cameras().length > 0}>
        <p>{t().watching(cameras().length)}</p>
        <p class="quiet__watched">
          <For each={cameras().slice(0, 12)}>{(camera) => <span>{camera.name || camera.camera}</span>}</For>
        </p>
      </Show>
    </div>
  )
}
