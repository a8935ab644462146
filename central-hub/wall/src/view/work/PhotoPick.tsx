//! Taking photos: the phone's camera or its pictures; each made small at once and shown, so that a wrong one can go.
import { createSignal, For, onCleanup, onMount, Show } from 'solid-js'
import { smaller } from '../../photo'
import { t } from '../../language'

export function PhotoPick(props: { photos: readonly Blob[]; onPhotos: (photos: readonly Blob[]) => void }) {
  return (
    <div class="photos">
      <For each={props.photos}>
        {(photo, at) => (
          <span class="photos__one">
            <Thumbnail photo={photo} />
            <button class="button photos__remove" type="button" aria-label={t().field.removePhoto(at() + 1)} onClick={() => props.onPhotos(props.photos.filter((other) => other !== photo))}>
              ×
            </button>
          </span>
        )}
      </For>
      <PhotoButton onPhoto={(photo) => props.onPhotos([...props.photos, photo])} />
    </div>
  )
}

/** One tap to the camera. */
export function PhotoButton(props: { onPhoto: (photo: Blob) => void }) {
  const [bad, setBad] = createSignal(false)
  const picked = async (event: Event) => {
    const input = event.currentTarget as HTMLInputElement
    const file = input.files?.[0]
    if (!file) return
    const photo = await smaller(file)
    setBad(photo === null)
    if (photo) props.onPhoto(photo)
    input.value = '' // the same file may be chosen again
  }
  return (
    <>
      <label class="button photos__add">
        {t().field.addPhoto}
        <input class="unseen" type="file" accept="image/*" capture="environment" onChange={(event: Event) => void picked(event)} data-name="photo" />
      </label>
      <Show when={bad()}>
        <p class="field__bad" role="alert">{t().field.photoBad}</p>
      </Show>
    </>
  )
}

/** Drawn, since a picture that is not from the hub has no address that the page's policy allows. */
function Thumbnail(props: { photo: Blob }) {
  let canvas!: HTMLCanvasElement
  let gone = false
  onCleanup(() => (gone = true))
  onMount(async () => {
    const picture = await createImageBitmap(props.photo, { resizeWidth: 160, resizeQuality: 'low' }).catch(() => null)
    if (!picture || gone) return
    canvas.width = picture.width
    canvas.height = picture.height
    canvas.getContext('2d')?.drawImage(picture, 0, 0)
    picture.close()
  })
  return <canvas class="photos__small" ref={canvas} aria-hidden="true" />
}
