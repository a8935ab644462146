//! The still of an alert with the alert's box over it: whole, or close up around the box.
import { createEffect, createMemo, createSignal, Match, on, Show, Switch } from 'solid-js'
import { boxArea, closeUp, type Area } from '../geometry'
import { t } from '../language'
import { stillAddress, type Alert } from '../wire'
import { openPicture } from './picture'
import { cameraWord, kindWord, stillWord } from './words'

/** Width by height of the close-up; the same as in alerts.css. */
const CLOSE_ASPECT = 4 / 3

export function Still(props: { alert: Alert; close?: boolean; atTop?: boolean }) {
  const address = createMemo(() => (props.alert.still.state === 'sent' ? stillAddress(props.alert) : null))
  const [size, setSize] = createSignal<{ width: number; height: number } | null>(null)
  const picture = openPicture(address)
  createEffect(on(address, () => void setSize(null), { defer: true }))

  const shown = createMemo((): Area | null => {
    const whole = size()
    if (!whole) return null
    return props.close ? closeUp(props.alert.box, whole.width, whole.height, CLOSE_ASPECT) : { x: 0, y: 0, ...whole }
  })
  const box = createMemo(() => {
    const whole = size()
    return whole && props.alert.box && boxArea(props.alert.box, whole.width, whole.height)
  })
  const loaded = (event: Event) => {
    const image = event.currentTarget as HTMLImageElement
    if (image.naturalWidth > 0) setSize({ width: image.naturalWidth, height: image.naturalHeight })
  }
  return (
    <span class="still" data-close={props.close === true} data-top={props.atTop === true} data-test={props.alert.test} data-severity={props.alert.severity}>
      <Switch>
        <Match when={picture.state() === 'shown' ? address() : null}>
          {(src) => (
            <>
              <img
                src={src()}
                alt={props.close ? '' : t().stillOf(kindWord(props.alert.kind), cameraWord(props.alert))}
                decoding="async"
                onLoad={loaded}
                onError={() => void picture.failed()}
                data-ready={size() !== null}
                style={props.close ? placed(shown(), size()) : {}}
              />
              <Show when={shown()}>
                {(area) => (
                  <svg
                    class="still__marks"
                    viewBox={`${area().x} ${area().y} ${area().width} ${area().height}`}
                    preserveAspectRatio={props.close ? 'xMidYMid slice' : props.atTop ? 'xMidYMin meet' : 'xMidYMid meet'}
                    aria-hidden="true"
                  >
                    <Show when={box()}>{(marked) => <Marked area={marked()} />}</Show>
                  </svg>
                )}
              </Show>
            </>
          )}
        </Match>
        <Match when={picture.state() === 'withheld'}>
          <span class="still__none" data-name="withheld">
            <Show when={!props.close} fallback={t().reason.withheld}>
              <button class="button" type="button" onClick={picture.again} data-name="look-after-all">{t().reason.giveNow}</button>
            </Show>
          </span>
        </Match>
        <Match when={picture.state() !== 'shown'}>
          <span class="still__none">{picture.state() === 'broken' ? t().stillBroken : t().loading}</span>
        </Match>
        <Match when={true}>
          <span class="still__none" data-pending={props.alert.still.state === 'pending'}>
            {props.close && props.alert.still.state === 'none' ? t().stillNone : stillWord(props.alert)}
          </span>
        </Match>
      </Switch>
      <Show when={props.alert.test}>
        <span class="still__test">{t().test}</span>
      </Show>
    </span>
  )
}

/** The box: a dark line below a light one, so that it stands out on any picture. */
function Marked(props: { area: Area }) {
  return (
    <g>
      <rect class="still__halo" x={props.area.x} y={props.area.y} width={props.area.width} height={props.area.height} />
      <rect class="still__box" x={props.area.x} y={props.area.y} width={props.area.width} height={props.area.height} />
    </g>
  )
}

/** Moves and scales the picture so that the area fills the view. */
function placed(area: Area | null, whole: { width: number; height: number } | null): Record<string, string> {
  if (!area || !whole) return {}
  const share = (part: number, of: number) => `${(100 * part) / of}%`
  return {
    width: share(whole.width, area.width),
    height: share(whole.height, area.height),
    left: share(-area.x, area.width),
    top: share(-area.y, area.height),
  }
}
