//! The list of alerts by scenario.
import { describe, expect, it } from 'vitest'
import { extended, NONE, refreshed, told, type Alerts } from '../src/alert-list'
import type { Alert } from '../src/wire'

const alert = (seq: number, part: Partial<Alert> = {}): Alert =>
  ({ id: `box/1/${seq}`, seq, received_at: new Date(1e12 + seq * 1000).toISOString(), ...part }) as Alert
const page = (seqs: number[], next: string | null = null): Alerts => ({ list: seqs.map((seq) => alert(seq)), next, full: false })
const seqs = (alerts: Alerts) => alerts.list.map((one) => one.seq)
const NOTHING = new Set<string>()

describe('told by the feed', () => {
  it('puts the newest received first, whatever order they come in', () => {
    expect(seqs([1, 3, 2].reduce((list, seq) => told(list, alert(seq)), NONE))).toEqual([3, 2, 1])
  })
  it('shows a change in its place', () => {
    const changed = told(page([3, 2, 1]), alert(2, { received_at: new Date(2e12).toISOString(), camera: 'other' }))
    expect(seqs(changed)).toEqual([3, 2, 1])
    expect(changed.list[1]?.camera).toBe('other')
  })
  it('keeps no more than the bound, and then offers no older page, since there is a hole before it', () => {
    const full = told(page([3, 2, 1], 'cursor'), alert(4), 3)
    expect(seqs(full)).toEqual([4, 3, 2])
    expect(full).toMatchObject({ next: null, full: true })
  })
})

describe('refreshed after a gap', () => {
  it('joins a page that touches what is kept, and keeps the place of the older page', () => {
    expect(refreshed(page([3, 2, 1], 'old'), page([5, 4, 3], 'new'), NOTHING)).toMatchObject({ next: 'old' })
    expect(seqs(refreshed(page([3, 2, 1]), page([5, 4, 3]), NOTHING))).toEqual([5, 4, 3, 2, 1])
  })
  it('replaces all if alerts are missing between, except what the feed told meanwhile', () => {
    const next = refreshed(page([9, 2, 1], 'old'), page([8, 7], 'new'), new Set(['box/1/9']))
    expect(seqs(next)).toEqual([9, 8, 7])
    expect(next.next).toBe('new')
  })
  it('does not put an answer over what the feed told after the question', () => {
    const told9 = told(NONE, alert(9, { camera: 'newer' }))
    expect(refreshed(told9, page([9]), new Set(['box/1/9'])).list[0]?.camera).toBe('newer')
    expect(refreshed(told9, page([9]), NOTHING).list[0]?.camera).toBeUndefined()
  })
})

describe('extended by an older page', () => {
  it('goes on with the page and its cursor, each alert once', () => {
    const longer = extended(page([5, 4], 'a'), page([4, 3, 2], 'b'), NOTHING)
    expect(seqs(longer)).toEqual([5, 4, 3, 2])
    expect(longer.next).toBe('b')
  })
  it('stops at the bound', () => {
    expect(extended(page([5, 4], 'a'), page([3, 2], 'b'), NOTHING, 3)).toMatchObject({ full: true, next: null })
  })
})
