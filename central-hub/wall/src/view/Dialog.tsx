//! A window over the page: the browser's own dialog, so that focus stays in it and Esc closes it.
import { onCleanup, onMount, type JSX } from 'solid-js'

export function Dialog(props: { class: string; title: string; onClose: () => void; children: JSX.Element }) {
  let dialog!: HTMLDialogElement
  onMount(() => dialog.showModal())
  onCleanup(() => dialog.close())
  const clicked = (event: MouseEvent) => {
    if (event.target === dialog) props.onClose() // beside the window
  }
  const cancelled = (event: Event) => {
    event.preventDefault()
    props.onClose()
  }
  return (
    <dialog ref={dialog} class={props.class} aria-label={props.title} onCancel={cancelled} onClick={clicked}>
      {props.children}
    </dialog>
  )
}
