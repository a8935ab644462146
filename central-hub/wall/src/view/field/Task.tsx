//! One incident that is given to oneself: where, what, and the next step large at the thumb.
import { createMemo, createSignal, Match, Show, Switch } from 'solid-js'
import type { Field } from '../../field/field'
import { openAfter, stepOf } from '../../field/outbox'
import { t } from '../../language'
import type { Given, StepName, Which, Wish, Work } from '../../work-wire'
import { ProcedureBox } from '../work/ProcedureBox'
import { History } from '../work/History'
import { SeverityTag } from '../Tags'
import { openPicture } from '../picture'
import { clockWords, kindName, stateWord, whereWords } from '../work-words'
import { PhotoButton, PhotoPick } from '../work/PhotoPick'

/** What one does on the street, in this order. */
const WAY = ['accept', 'arrive', 'resolve'] as const

export function Task(props: { desk: Field; which: Which }) {
  const work = () => props.desk.work(props.which)
  return (
    <main class="field__main task">
      <Switch>
        <Match when={props.desk.isGone(props.which)}>
          <p class="field__none"><b>{t().work.notGiven}</b></p>
        </Match>
        <Match when={work()}>{(known) => <Known desk={props.desk} work={known()} given={props.desk.givenOf(props.which)} />}</Match>
        <Match when={true}>
          <p class="field__none">{t().loading}</p>
        </Match>
      </Switch>
    </main>
  )
}

function Known(props: { desk: Field; work: Work; given: Given | undefined }) {
  const [form, setForm] = createSignal<'note' | 'resolve' | null>(null)
  const pending = createMemo(() => props.desk.pending(props.work))
  const open = createMemo(() => openAfter(props.work.open, pending()))
  const next = () => WAY.find((step) => open().includes(step))
  const clock = () => clockWords(props.work, props.desk.now())
  const act = (wish: Wish | null, photos: readonly Blob[] = []) =>
    void props.desk.act(props.work, wish, photos).then((kept) => kept && setForm(null))
  const tap = (step: StepName) => (step === 'resolve' ? setForm('resolve') : act({ step }))
  return (
    <>
      <header class="task__head" data-severity={props.work.severity}>
        <p class="card__top">
          <SeverityTag alert={props.work} />
          <span class="card__state" data-state={props.work.state}>{props.work.state === 'new' ? t().field.proposed : stateWord(props.work.state)}</span>
        </p>
        <h1 class="task__kind">{kindName(props.desk.kinds, props.work.kind)}</h1>
        <Show when={clock()}>{(said) => <p class="task__clock" data-over={said().over}>{said().text}</p>}</Show>
      </header>
      <dl class="task__facts">
        <Show when={place(props.work, props.given)}>
          {(where) => (
            <div>
              <dt>{t().field.where}</dt>
              <dd class="task__place">{where()}</dd>
            </div>
          )}
        </Show>
        <Show when={point(props.work, props.given)}>
          {(address) => (
            <div>
              <dt class="unseen">{t().field.map}</dt>
              <dd><a class="button" href={address()}>{t().field.map}</a></dd>
            </div>
          )}
        </Show>
        <Show when={props.work.report?.words}>
          {(words) => (
            <div>
              <dt>{t().field.words}</dt>
              <dd class="task__words">{words()}</dd>
            </div>
          )}
        </Show>
      </dl>
      <Show when={props.given?.still}>{(still) => <Seen address={still().url} />}</Show>
      <Show when={props.work.procedure && props.work.open.includes('answer') ? props.work.procedure : null}>
        {(procedure) => <ProcedureBox procedure={procedure()} onAnswer={(question, answer) => act({ step: 'answer', question, answer })} busy={pending().some((entry) => stepOf(entry) === 'answer')} />}
      </Show>
      <History work={props.work} now={props.desk.now()} lazy={true} />
      <Switch
        fallback={
          <div class="field__thumb">
            <div class="field__beside">
              <PhotoButton onPhoto={(photo) => act(null, [photo])} />
              <button class="button" type="button" onClick={() => setForm('note')} data-name="note">{t().field.addNote}</button>
            </div>
            <Show when={next()} fallback={<p class="field__rest">{props.work.state === 'resolved' || pending().some((entry) => stepOf(entry) === 'resolve' && !entry.stop) ? t().field.nothing : stateWord(props.work.state)}</p>}>
              {(step) => (
                <button class="button button--main" type="button" onClick={() => tap(step())} data-name="next" data-step={step()}>
                  {t().field[step()]}
                </button>
              )}
            </Show>
          </div>
        }
      >
        <Match when={form() === 'note'}>
          <Words title={t().field.addNote} hint={t().field.noteHint} does={t().field.send} needed={true} onCancel={() => setForm(null)} onDone={(note) => act({ step: 'note', note })} />
        </Match>
        <Match when={form() === 'resolve'}>
          <Words
            title={t().field.doneTitle} hint={t().field.doneHint} does={t().field.resolve} needed={false} photos={true} onCancel={() => setForm(null)}
            onDone={(note, photos) => act(note ? { step: 'resolve', note } : { step: 'resolve' }, photos)}
          />
        </Match>
      </Switch>
    </>
  )
}

function Words(props: { title: string; hint: string; does: string; needed: boolean; photos?: boolean; onCancel: () => void; onDone: (note: string, photos: readonly Blob[]) => void }) {
  const [photos, setPhotos] = createSignal<readonly Blob[]>([])
  let field!: HTMLTextAreaElement
  const submit = (event: Event) => {
    event.preventDefault()
    const note = field.value.trim()
    if (props.needed && !note) return field.focus()
    props.onDone(note, photos())
  }
  return (
    <form class="field__thumb" onSubmit={submit} aria-label={props.title}>
      <Show when={props.photos}>
        <PhotoPick photos={photos()} onPhotos={setPhotos} />
      </Show>
      <textarea ref={field} rows={3} maxLength={2000} aria-label={props.hint} placeholder={props.hint} name="note" />
      <div class="field__beside">
        <button class="button" type="button" onClick={props.onCancel}>{t().field.cancel}</button>
      </div>
      <button class="button button--main" type="submit" data-name="send">{props.does}</button>
    </form>
  )
}

/** What the camera saw; fetched when it is asked for, since a thin line carries one a minute. */
function Seen(props: { address: string }) {
  const [shown, setShown] = createSignal(false)
  const picture = openPicture(() => props.address)
  const look = () => (setShown(true), picture.again())
  return (
    <Show
      when={shown() && picture.state() !== 'withheld'}
      fallback={<button class="button" type="button" onClick={look} data-name="still">{picture.state() === 'withheld' ? t().reason.giveNow : t().field.still}</button>}
    >
      <Show when={picture.state() === 'shown'} fallback={<p>{picture.state() === 'broken' ? t().stillBroken : t().loading}</p>}>
        <img class="task__still" src={props.address} alt={t().field.still} decoding="async" onError={() => void picture.failed()} />
      </Show>
    </Show>
  )
}

/** Where it is: as it was reported; for what cameras saw, as whoever sent one there wrote it, else the cameras' places. */
function place(work: Work, given: Given | undefined): string | undefined {
  const sent = work.history.findLast((fact) => (fact.step === 'dispatch' || fact.step === 'assign') && fact.note)
  return work.report?.place ?? sent?.note ?? (given && whereWords(given)) ?? undefined
}

/** For the phone's own map. */
function point(work: Work, given: Given | undefined): string | undefined {
  const { lat, lon } = work.report ?? given?.cameras.find((one) => one.lat !== null) ?? {}
  return typeof lat === 'number' && typeof lon === 'number' ? `geo:${lat},${lon}` : undefined
}
