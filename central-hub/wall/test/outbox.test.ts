//! What was tapped, by scenario: what goes next, what an answer means, and who was faster.
import { describe, expect, it } from 'vitest'
import { again, discarded, isKnownToHub, judged, nextToSend, openAfter, settled, stopped, type Entry, type What } from '../src/field/outbox'
import type { Fact, StepName, Work } from '../src/work-wire'

const HERE = { site: 'east', incident: 'i' }
let made = 0
const entry = (id: string, what: What, part: Partial<Entry> = {}): Entry => ({ id, user: 'chen', made: ++made, what, which: HERE, after: null, about: '', known: [], sent: false, stop: null, ...part })
const step = (id: string, name: StepName, part: Partial<Entry> = {}, note?: string) => entry(id, { step: { step: name, ...(note !== undefined && { note }) } }, part)
const photo = (id: string, part: Partial<Entry> = {}) => entry(id, { photo: new Blob() }, part)
const opening = (id: string) => entry(id, { open: { site: 'east', kind: 'other', words: 'x' } }, { which: null })
const fact = (id: string, name: string, by = 'chen', part: Partial<Fact> = {}): Fact => ({ id, incident: 'i', at: '2026-11-25T10:00:00Z', step: name, by, role: by === 'hub' ? 'hub' : 'operator', data: {}, ...part })
const work = (...history: Fact[]): Work => ({ ...HERE, version: history.length, history }) as unknown as Work
const NOW = 1000
const LATER = NOW + 8 * 24 * 3_600_000
const ids = (entries: readonly Entry[]) => entries.map((one) => one.id)

describe('what goes next', () => {
  it('is a step before a photo that was taken earlier', () => {
    expect(nextToSend([photo('p'), step('s', 'arrive')], 'chen')?.id).toBe('s')
  })
  it('is nothing of somebody else, nothing that waits for its owner, and no photo of what is not open yet', () => {
    expect(nextToSend([step('s', 'arrive', { user: 'zhao' })], 'chen')).toBeNull()
    expect(nextToSend([step('s', 'arrive', { stop: { why: 'before' } })], 'chen')).toBeNull()
    expect(nextToSend([photo('p', { which: null, after: 'o' })], 'chen')).toBeNull()
    expect(nextToSend([photo('p', { which: null, after: 'o' }), opening('o')], 'chen')?.id).toBe('o')
  })
})

describe('what the history says of it', () => {
  it('still to be done, on the version of now', () => {
    expect(judged(step('s', 'accept'), work(fact('1', 'note', 'wang')), NOW)).toEqual({ is: 'open', version: 1 })
  })
  it('done, where its answer was lost', () => {
    expect(judged(step('s', 'accept', { sent: true }), work(fact('1', 'accept')), NOW)).toEqual({ is: 'done' })
    expect(judged(step('s', 'note', { sent: true }, 'a'), work(fact('1', 'note', 'chen', { note: 'a' })), NOW)).toEqual({ is: 'done' })
  })
  it('of a photo nothing while the hub knows it again: it is sent once more under its id', () => {
    expect(judged(photo('p', { sent: true }), work(fact('1', 'attach')), NOW).is).toBe('open')
    expect(judged(photo('p', { sent: true }), work(fact('1', 'attach')), LATER).is).toBe('done')
    expect([isKnownToHub(opening('o'), NOW), isKnownToHub(opening('o'), LATER)]).toEqual([true, false])
  })
  it('not done by something alike from before, from somebody else, or with other words', () => {
    expect(judged(step('s', 'note', { sent: true, known: ['1'] }, 'a'), work(fact('1', 'note', 'chen', { note: 'a' })), NOW).is).toBe('open')
    expect(judged(step('s', 'note', { sent: true }, 'a'), work(fact('1', 'note', 'wang', { note: 'a' })), NOW).is).toBe('open')
    expect(judged(step('s', 'note', { sent: true }, 'a'), work(fact('1', 'note', 'chen', { note: 'b' })), NOW).is).toBe('open')
  })
  it('too late, with who was faster and what they did', () => {
    expect(judged(step('s', 'arrive'), work(fact('1', 'dispatch', 'wang'), fact('2', 'note', 'li')), NOW)).toMatchObject({ is: 'overtaken', by: 'wang', did: 'dispatch' })
  })
  it('not too late by a mark of the hub, nor for a note or a photo', () => {
    expect(judged(step('s', 'arrive'), work(fact('1', 'overdue', 'hub')), NOW).is).toBe('open')
    expect(judged(step('s', 'note', {}, 'a'), work(fact('1', 'close', 'wang')), NOW).is).toBe('open')
    expect(judged(photo('p'), work(fact('1', 'close', 'wang')), NOW).is).toBe('open')
  })
})

describe('afterwards', () => {
  it('what was tapped after it builds on it', () => {
    const accepted = work(fact('1', 'accept'))
    const rest = settled([step('a', 'accept'), step('b', 'arrive')], 'a', accepted)
    expect(ids(rest)).toEqual(['b'])
    expect(judged(rest[0]!, accepted, NOW)).toEqual({ is: 'open', version: 1 })
  })
  it('but not on what others did meanwhile', () => {
    const taken = work(fact('1', 'false_alarm', 'wang'), fact('2', 'accept'))
    const [left] = settled([step('a', 'accept'), step('b', 'arrive')], 'a', taken)
    expect(judged(left!, taken, NOW)).toMatchObject({ is: 'overtaken', by: 'wang' })
  })
  it('photos of a report go to the incident that it opened', () => {
    const [left] = settled([opening('o'), photo('p', { which: null, after: 'o' })], 'o', work(fact('1', 'opened')))
    expect(left).toMatchObject({ which: HERE, after: null, known: ['1'] })
  })
  it('a second photo is not taken for the first', () => {
    const one = work(fact('1', 'attach'))
    const [left] = settled([photo('p'), photo('q', { sent: true })], 'p', one)
    expect(judged(left!, one, NOW).is).toBe('open')
  })
  it('steps that build on one that was not taken wait for their owner; notes, photos and other incidents do not', () => {
    const all = [step('a', 'accept'), step('b', 'arrive'), step('n', 'note', {}, 'x'), photo('p'), step('c', 'accept', { which: { site: 'east', incident: 'other' } })]
    expect(stopped(all, 'a', { why: 'unsure' }).map((one) => one.stop?.why ?? '')).toEqual(['unsure', 'before', '', '', ''])
  })
  it('giving up a report gives up its photos; sending it again is as if it were new', () => {
    expect(discarded([opening('o'), photo('p', { after: 'o', which: null }), step('s', 'accept')], 'o').map((one) => one.id)).toEqual(['s'])
    expect(again([step('s', 'accept', { sent: true, stop: { why: 'unsure' } })], 's')[0]).toMatchObject({ sent: false, stop: null })
  })
})

it('offers the step that comes after what waits', () => {
  const open: StepName[] = ['accept', 'note', 'attach']
  expect(openAfter(open, [])).toEqual(open)
  expect(openAfter(open, [step('a', 'accept')])[0]).toBe('arrive')
  expect(openAfter(open, [step('a', 'accept'), step('b', 'arrive')])[0]).toBe('resolve')
  expect(openAfter(open, [step('a', 'accept'), step('c', 'resolve')])).toEqual(['note', 'attach'])
  expect(openAfter(open, [step('a', 'accept', { stop: { why: 'unsure' } })])).toEqual(open)
})
