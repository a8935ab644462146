//! The operator's queue and its clocks, by scenario.
import { describe, expect, it } from 'vitest'
import { face, running } from '../src/clocks'
import { alike, groupOf, held, isListed, isSevere, itemsOf, keyOfStep, nextStep, ordered, rings, STEP_KEYS, type Item } from '../src/queue'
import { TEXTS } from '../src/texts'
import type { Incident, StepName, Work } from '../src/work-wire'

const NOW = Date.parse('2026-11-25T10:00:00Z')
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString()
const item = (key: string, part: Partial<Incident> = {}, due: number | null = 60, paused = false): Item => ({
  key,
  incident: {
    site: 'east', incident: key, kind: 'quarrel', severity: 'medium', state: 'new', test: false, clock_from: at(-10), alias_of: null, paused,
    deadlines: due === null ? [] : [{ target: 'acknowledge', at: at(due) }], ...part,
  } as Incident,
  work: {} as Work,
})
const keys = (items: readonly Item[]) => items.map((one) => one.key).join(' ')

describe('the clock', () => {
  it('is the one that was missed longest, else the next', () => {
    const work = { paused: false, deadlines: [{ target: 'dispatch' as const, at: at(200) }, { target: 'acknowledge' as const, at: at(-30) }] }
    expect(running(work, NOW)).toEqual({ target: 'acknowledge', ms: 30_000, over: true })
    expect(running({ ...work, deadlines: work.deadlines.slice(0, 1) }, NOW)).toEqual({ target: 'dispatch', ms: 200_000, over: false })
  })
  it('stands while it is paused, and where nothing is due', () => {
    expect(running({ paused: true, deadlines: [{ target: 'dispatch', at: at(-5) }] }, NOW)).toBeNull()
    expect(running({ paused: false, deadlines: [] }, NOW)).toBeNull()
  })
  it('shows minutes and seconds, and hours where there are any', () => {
    expect([0, 5000, 65_400, 3_605_000, -1].map(face)).toEqual(['0:00', '0:05', '1:05', '1:00:05', '0:00'])
  })
})

describe('the order', () => {
  it('is what needs somebody now, the worst, the late, the oldest; tests behind; what is done last', () => {
    const all = [
      item('closing', { state: 'resolved', severity: 'critical' }, null), item('under-way', { state: 'dispatched', severity: 'critical' }),
      item('test', { test: true, severity: 'critical' }), item('new-low', { severity: 'low' }), item('new-medium', {}), item('old-medium', { clock_from: at(-40) }),
      item('late-medium', {}, -5), item('late-dispatched', { state: 'acknowledged', severity: 'high' }, -1), item('new-critical', { severity: 'critical' }),
    ]
    expect(keys(ordered(all, NOW))).toBe('new-critical late-dispatched late-medium old-medium new-medium new-low test under-way closing')
    expect(keys(ordered(all.toReversed(), NOW))).toBe(keys(ordered(all, NOW)))
  })
  it('moves one up when it becomes late', () => {
    expect(groupOf(item('a', { state: 'acknowledged' }, 1), NOW)).toBe('under_way')
    expect(groupOf(item('a', { state: 'acknowledged' }, 1), NOW + 1000)).toBe('now')
  })
  it('stays while it is held: what is gone goes, what is new waits', () => {
    const { shown, waiting } = held(['b', 'gone', 'a'], [item('new'), item('a'), item('b')])
    expect([keys(shown), waiting]).toEqual(['b a', 1])
  })
  it('has no place for what is over or has become part of another', () => {
    const listed = (part: Partial<Incident>) => isListed(item('x', part).incident)
    expect([{}, { state: 'resolved' as const }, { state: 'closed' as const }, { state: 'false_alarm' as const }, { alias_of: 'y' }].map(listed)).toEqual([true, true, false, false, false])
  })
})

it('leaves what did not change the same, so that nothing is asked for again', () => {
  const [a, b] = [item('a'), item('b')]
  const works = new Map([['east/a', a!.work!]])
  const first = itemsOf([a!.incident, b!.incident], works)
  const second = itemsOf([a!.incident, { ...b!.incident, version: 2 }], works, first)
  expect([second[0] === first[0], second[1] === first[1]]).toEqual([true, false])
})

describe('what to ring for', () => {
  const known = new Set(['old'])
  it('is what is new and severe, and no test', () => {
    const all = [item('old', { severity: 'critical' }), item('high', { severity: 'high' }), item('medium'), item('test', { test: true, severity: 'critical' }), item('taken', { severity: 'high', state: 'acknowledged' })]
    expect(keys(rings(known, new Set(), all, NOW).fresh)).toBe('high')
  })
  it('is what was in time a moment ago and no longer is', () => {
    expect(keys(rings(known, new Set(['old']), [item('old', {}, -1), item('late-before', {}, -1)], NOW).late)).toBe('old')
    expect(keys(rings(known, new Set(['old']), [item('old', {}, -1, true)], NOW).late)).toBe('')
  })
  it('knows an unknown severity of a newer hub as no reason to ring', () => expect(isSevere(item('x', { severity: 'grave' as never }).incident)).toBe(false))
})

it('offers the next step only where it is open', () => {
  const next = (state: Work['state'], ...open: StepName[]) => nextStep({ state, open })
  expect([next('new', 'acknowledge', 'dispatch'), next('acknowledged', 'dispatch'), next('dispatched', 'resolve'), next('on_scene', 'resolve'), next('resolved', 'close'), next('new', 'note')]).toEqual([
    'acknowledge', 'dispatch', null, 'resolve', 'close', null,
  ])
})

it('has one key a step, none twice', () => {
  expect(new Set(Object.values(STEP_KEYS)).size).toBe(Object.keys(STEP_KEYS).length)
  expect([keyOfStep('acknowledge'), keyOfStep('resume'), keyOfStep('accept')]).toEqual(['a', 'p', undefined])
})

it('chooses those alike by kind, site and state', () => {
  const all = [item('a'), item('b'), item('c', { state: 'acknowledged' }), item('d', { kind: 'rubbish' }), item('e', { site: 'west' })]
  expect(alike(all, all[0]!)).toEqual(['a', 'b'])
})

it('names the same codes of the work in both languages', () => {
  for (const part of ['states', 'steps', 'targets', 'refusedCodes'] as const) expect(Object.keys(TEXTS.en.work[part]).sort()).toEqual(Object.keys(TEXTS.zh.work[part]).sort())
})
