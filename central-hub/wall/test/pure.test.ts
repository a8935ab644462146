//! Geometry, time, devices, addresses and texts.
import { describe, expect, it } from 'vitest'
import { count, seen } from '../src/devices'
import { boxArea, closeUp } from '../src/geometry'
import { TEXTS } from '../src/texts'
import { ageParts, clockOffset, lengthParts } from '../src/time'
import { stillAddress, type Agent, type Alert } from '../src/wire'

describe('geometry', () => {
  it('keeps a box inside the picture', () => {
    expect(boxArea({ left: -0.5, top: 0.5, width: 1, height: 9 }, 100, 50)).toEqual({ x: 0, y: 25, width: 50, height: 25 })
    expect(boxArea({ left: 1.2, top: 0, width: 1, height: 1 }, 100, 50)).toBeNull()
    expect(boxArea({ left: NaN, top: NaN, width: NaN, height: NaN }, 100, 50)).toBeNull()
  })
  it('shows the whole box close up, inside the picture, in the view\'s aspect', () => {
    for (const left of [0, 0.3, 0.9]) {
      const box = { left, top: 0.7, width: 0.1, height: 0.3 }
      const area = closeUp(box, 1280, 720, 4 / 3)
      const marked = boxArea(box, 1280, 720)!
      expect(area.width / area.height).toBeCloseTo(4 / 3)
      expect(area.x).toBeGreaterThanOrEqual(0)
      expect(area.x).toBeLessThanOrEqual(marked.x)
      expect(area.x + area.width).toBeGreaterThanOrEqual(marked.x + marked.width)
      expect(area.y + area.height).toBeLessThanOrEqual(720.001)
    }
  })
  it('shows the middle if there is no box', () => {
    expect(closeUp(null, 1280, 720, 4 / 3)).toEqual({ x: 160, y: 0, width: 960, height: 720 })
  })
})

describe('time', () => {
  it('says an age in one unit', () => {
    expect([0, -5000, 59_999, 60_000, 7_200_000, 200_000_000].map(ageParts).map(({ value, unit }) => `${value} ${unit}`)).toEqual([
      '0 second', '0 second', '59 second', '1 minute', '2 hour', '2 day',
    ])
  })
  it('says a length in two units at most', () => {
    expect(lengthParts(125_000)).toEqual([{ value: 2, unit: 'minute' }, { value: 5, unit: 'second' }])
    expect(lengthParts(3_600_000)).toEqual([{ value: 1, unit: 'hour' }])
  })
  it('takes over the hub\'s clock only if it is really apart', () => {
    expect(clockOffset(new Date(61_000).toUTCString(), 1000)).toBe(60_500)
    expect(clockOffset(new Date(2000).toUTCString(), 1000)).toBe(0)
    expect(clockOffset('soon', 1000)).toBe(0)
  })
})

describe('devices', () => {
  const agent = (name: string, state: Agent['state'], ...cameras: string[]): Agent => ({
    site: 's', agent: name, name: null, state, version: null, since: null, last_seen: null, health: null,
    cameras: cameras.map((one, at) => ({ camera: `c${at}`, name: null, state: one as 'live', since: null, reason: null, width: null, height: null })),
  })
  it('come problems first, and a box that is out before all', () => {
    const all = seen([agent('a', 'online', 'live'), agent('b', 'online', 'live', 'stalled'), agent('c', 'offline', 'live')])
    expect(all.map((one) => one.agent)).toEqual(['c', 'b', 'a'])
    expect(all[1]?.seen.map((camera) => camera.state)).toEqual(['stalled', 'live'])
  })
  it('say nothing about the cameras of a box that is out', () => {
    const all = seen([agent('c', 'offline', 'live', 'live')])
    expect(count(all)).toEqual({ agents: 1, online: 0, cameras: 2, live: 0, bad: 1 })
  })
})

describe('the address of a still', () => {
  const at = (url: string | null) => stillAddress({ id: 'box/1/2', still: { state: 'sent', url } } as Alert)
  it('never leaves the hub', () => {
    expect(at('/api/v1/x.jpg')).toBe('/api/v1/x.jpg')
    for (const url of ['//elsewhere/x', 'https://elsewhere/x', '/\\elsewhere', 'javascript:alert(1)', null])
      expect(at(url)).toBe('/api/v1/alerts/box/1/2/still')
  })
})

describe('texts', () => {
  it('name the same codes in both languages', () => {
    for (const part of ['kinds', 'directions', 'classes', 'stillReasons', 'timeSources', 'agentStates', 'cameraStates', 'advice'] as const)
      expect(Object.keys(TEXTS.en[part]).sort()).toEqual(Object.keys(TEXTS.zh[part]).sort())
  })
})
