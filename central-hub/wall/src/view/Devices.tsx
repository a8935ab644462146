//! Whether the boxes and cameras see: problems first, each with what to do about it.
import { createSignal, For, Show } from 'solid-js'
import type { Desk } from '../desk'
import { agentMood, cameraMood, type SeenAgent, type SeenCamera } from '../devices'
import { bytes, number, rough, t } from '../language'
import type { Health } from '../wire'
import { StateIcon } from './icons'
import { LiveDialog } from './Live'

export function Devices(props: { desk: Desk }) {
  const counts = () => props.desk.counts()
  return (
    <section class="devices" id="devices" aria-labelledby="devices-title">
      <header class="panel-head">
        <h2 id="devices-title">{t().devices}</h2>
        <Show when={counts().agents > 0}>
          <p class="devices__verdict" data-mood={counts().bad > 0 ? 'bad' : 'good'}>
            <StateIcon state={counts().bad > 0 ? 'care' : 'live'} />
            {counts().bad > 0 ? t().needCare(counts().bad) : t().allWell}
          </p>
        </Show>
      </header>
      <div class="devices__box" tabindex="0" role="region" aria-labelledby="devices-title">
        <dl class="devices__counts">
          <div>
            <dt>{t().camerasLive}</dt>
            <dd><b>{counts().live}</b>/{counts().cameras}</dd>
          </div>
          <div>
            <dt>{t().agentsOnline}</dt>
            <dd><b>{counts().online}</b>/{counts().agents}</dd>
          </div>
        </dl>
        <Show when={props.desk.loaded() && counts().agents === 0}>
          <p class="devices__none">{t().noAgents}</p>
        </Show>
        <For each={props.desk.devices()}>{(agent) => <Agent desk={props.desk} agent={agent} />}</For>
      </div>
    </section>
  )
}

function Agent(props: { desk: Desk; agent: SeenAgent }) {
  const mood = () => agentMood(props.agent.state)
  return (
    <article class="agent" data-mood={mood()} data-agent={props.agent.agent}>
      <div class="agent__top">
      <h3 class="agent__head">
        <span class="agent__name">{props.agent.name || props.agent.agent}</span>
        <State desk={props.desk} state={props.agent.state} word={t().agentStates[props.agent.state] ?? props.agent.state} mood={mood()} />
      </h3>
      <p class="agent__line">
        <Show when={props.desk.sites().length > 1}>
          <span>{props.desk.siteName(props.agent.site)}</span>
        </Show>
        <Show
          when={mood() !== 'good' && props.agent.last_seen}
          fallback={<Show when={props.agent.health}>{(health) => <HealthLine health={health()} />}</Show>}
        >
          {(seen) => <span>{t().lastSeen(age(props.desk, seen()))}</span>}
        </Show>
      </p>
      <Show when={t().advice[`agent.${props.agent.state}`]}>{(advice) => <p class="advice">{advice()}</p>}</Show>
      <Show when={configTrouble(props.agent)}>
        {(text) => <p class="advice" data-config={props.agent.config?.state} title={props.agent.config?.reason ?? undefined}>{text()}</p>}
      </Show>
      </div>
      <ul>
        <For each={props.agent.seen}>{(camera) => <CameraRow desk={props.desk} camera={camera} />}</For>
      </ul>
    </article>
  )
}

function CameraRow(props: { desk: Desk; camera: SeenCamera }) {
  const mood = () => cameraMood(props.camera.state)
  const [watching, setWatching] = createSignal(false)
  const name = () => props.camera.name || props.camera.camera
  return (
    <li class="camera" data-mood={mood()} data-camera={props.camera.camera}>
      <span class="camera__name">{name()}</span>
      <State desk={props.desk} state={props.camera.state} word={t().cameraStates[props.camera.state] ?? props.camera.state} mood={mood()} />
      <Show
        when={mood() === 'good'}
        fallback={<span class="camera__since"><Show when={mood() !== 'dim' && props.camera.since}>{(since) => t().since(age(props.desk, since()))}</Show></span>}
      >
        <Show when={props.camera.health} fallback={<span class="camera__since" />}>
          {(health) => <span class="camera__since" title={t().fpsSpoken}>{t().fps(number(health().analysed_fps))}</span>}
        </Show>
      </Show>
      <Show when={mood() === 'good'}>
        <button class="button button--quiet camera__live" type="button" onClick={() => setWatching(true)} aria-label={t().watching_live.watchOf(name())} data-name="watch-camera">
          {t().watching_live.short}
        </button>
      </Show>
      <Show when={watching()}>
        <LiveDialog of={props.camera} name={name()} onClose={() => setWatching(false)} />
      </Show>
      <Show when={t().advice[`camera.${props.camera.state}`]}>{(advice) => <p class="advice">{advice()}</p>}</Show>
    </li>
  )
}

function State(props: { desk: Desk; state: string; word: string; mood: string }) {
  return (
    <span class="state" data-mood={props.mood}>
      <StateIcon state={props.state} />
      {props.word}
    </span>
  )
}

function HealthLine(props: { health: Health }) {
  return (
    <>
      <span>{t().health.cpu} {t().health.cores(number(props.health.cpu_cores))}</span>
      <span>{t().health.memory} {bytes(props.health.memory_bytes)}</span>
      <Show when={props.health.spool_open_records > 0}>
        <span>{t().health.backlog} {number(props.health.spool_open_records)}</span>
      </Show>
      <Show when={props.health.stills_waiting > 0}>
        <span>{t().health.stills} {number(props.health.stills_waiting)}</span>
      </Show>
    </>
  )
}

/** What the box said against the hub's configuration, if it said anything. */
const configTrouble = (agent: SeenAgent): string | undefined => {
  const config = agent.config
  const trouble = config && t().configTrouble[config.state]?.(String(config.generation))
  const why = config?.why && t().configWhy[config.why.code]?.(config.why)
  return trouble && why ? t().because(trouble, why) : trouble || undefined
}

const age = (desk: Desk, since: string): string => rough(Math.max(0, desk.now() - Date.parse(since)))
