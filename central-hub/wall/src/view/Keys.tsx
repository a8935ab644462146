//! Which keys do what.
import { For } from 'solid-js'
import { t } from '../language'
import { Dialog } from './Dialog'

export function Keys(props: { onClose: () => void }) {
  const keys = () =>
    [
      [['↓', '↑', 'j', 'k'], t().keys.move],
      [['Enter'], t().keys.open],
      [['Esc'], t().keys.close],
      [['l'], t().keys.language],
      [['?'], t().keys.help],
    ] as const
  return (
    <Dialog class="keys" title={t().keysTitle} onClose={props.onClose}>
      <h2>{t().keysTitle}</h2>
      <dl>
        <For each={keys()}>
          {([names, does]) => (
            <div>
              <dt><For each={names}>{(name) => <kbd>{name}</kbd>}</For></dt>
              <dd>{does}</dd>
            </div>
          )}
        </For>
      </dl>
      <button class="button" type="button" onClick={props.onClose}>{t().close}</button>
    </Dialog>
  )
}
