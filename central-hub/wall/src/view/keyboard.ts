//! Which key presses are meant for the page.

/** Not with a modifier, not held down, and not into a field. */
export function isPlainKey(event: KeyboardEvent): boolean {
  return !event.ctrlKey && !event.altKey && !event.metaKey && !isField(event.target)
}

function isField(target: EventTarget | null): boolean {
  const typed = target instanceof HTMLInputElement && target.type !== 'checkbox'
  return typed || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement
}
