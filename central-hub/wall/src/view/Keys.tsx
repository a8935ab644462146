//! Which keys do what.
import { For } from 'solid-js'
import { t } from '../language'
import { STEP_KEYS } from '../queue'
import { Dialog } from './Dialog'
import { stepWord } from './work-words'

export function Keys(props: { queue: boolean; onClose: () => void }) {
  const keys = (): readonly (readonly [readonly string[], string])[] => (props.queue ? queueKeys() : alertKeys())
  const queueKeys = () => [
    [['↓', '↑', 'j', 'k'], t().queue.keys.move] as const,
    ...Object.entries(STEP_KEYS).map(([key, step]) => [[key], stepWord(step!)] as const),
    [['x', 'X'], t().queue.keys.mark] as const,
    [['Esc'], t().queue.keys.top] as const,
    [['o'], t().queue.keys.open] as const,
    [['g'], t().queue.keys.view] as const,
    [['l'], t().keys.language] as const,
    [['?'], t().keys.help] as const,
  ]
  const alertKeys = () =>
    [
      [['↓', '↑', 'j', 'k'], t().keys.move],
      [['Enter'], t().keys.open],
      [['Esc'], t().keys.close],
      [['g'], t().queue.keys.view],
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
