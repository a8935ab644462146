//! Which language the page speaks, and dates and numbers in it. Owns: the choice (address, then what was
//! remembered, then Chinese) and the formats. Leaves to texts.ts: the words.
import { createMemo, createRoot, createSignal } from 'solid-js'
import { TEXTS, type Language, type Texts } from './texts'
import { ageParts, lengthParts, type Part } from './time'

const REMEMBERED = 'signalbox.language'

const [language, setLanguage] = createSignal<Language>(first())
export { language }

/** The words of the chosen language: `t().live`. */
export const t = (): Texts => TEXTS[language()]
const locale = (): string => (language() === 'zh' ? 'zh-CN' : 'en-GB')

const formats = createRoot(() =>
  createMemo(() => ({
    clock: new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }),
    day: new Intl.DateTimeFormat(locale(), { month: language() === 'zh' ? 'long' : 'short', day: 'numeric', weekday: 'short' }),
    full: new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' }),
    ago: new Intl.RelativeTimeFormat(locale(), { style: language() === 'zh' ? 'narrow' : 'short' }),
    number: new Intl.NumberFormat(locale(), { maximumFractionDigits: 1 }),
    percent: new Intl.NumberFormat(locale(), { style: 'percent' }),
  })),
)

export function switchLanguage(): void {
  const next = language() === 'zh' ? 'en' : 'zh'
  setLanguage(next)
  keep(next)
  const address = new URL(location.href)
  if (address.searchParams.has('lang')) {
    address.searchParams.delete('lang')
    history.replaceState(null, '', address)
  }
}

export const clock = (ms: number): string => formats().clock.format(ms)
export const day = (ms: number): string => formats().day.format(ms)
export const fullTime = (ms: number): string => formats().full.format(ms)
export const number = (value: number): string => formats().number.format(value)
export const percent = (value: number): string => formats().percent.format(value)

/** "12秒前" */
export function ago(ms: number): string {
  if (ms < 2000) return t().justNow
  const { value, unit } = ageParts(ms)
  return formats().ago.format(-value, unit)
}

/** "3分钟": one unit, for a glance. */
export const rough = (ms: number): string => spelt([ageParts(ms)])

/** "3分钟 5秒" */
export function length(ms: number): string {
  return spelt(lengthParts(ms))
}

function spelt(parts: Part[]): string {
  return parts
    .map(({ value, unit }) =>
      new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: language() === 'zh' ? 'long' : 'short' }).format(value),
    )
    .join(' ')
}

export function bytes(value: number): string {
  return value >= 1 << 30 ? `${number(value / (1 << 30))} GB` : `${number(value / (1 << 20))} MB`
}

function first(): Language {
  const asked = new URLSearchParams(location.search).get('lang')
  if (asked === 'zh' || asked === 'en') {
    keep(asked)
    return asked
  }
  try {
    return localStorage.getItem(REMEMBERED) === 'en' ? 'en' : 'zh'
  } catch {
    return 'zh' // storage is forbidden in this browser
  }
}

function keep(chosen: Language): void {
  try {
    localStorage.setItem(REMEMBERED, chosen)
  } catch {
    // storage is forbidden: the choice lasts as long as the page
  }
}
