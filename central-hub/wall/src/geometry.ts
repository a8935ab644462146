//! Where things are on a still: pure functions in pixels of the picture.
import type { Box } from './wire'

export interface Area {
  x: number
  y: number
  width: number
  height: number
}

/** The box in pixels, kept inside the picture; null if nothing of it is. */
export function boxArea(box: Box, width: number, height: number): Area | null {
  const left = clamp(box.left, 0, 1)
  const top = clamp(box.top, 0, 1)
  const right = clamp(box.left + box.width, 0, 1)
  const bottom = clamp(box.top + box.height, 0, 1)
  if (!(right > left && bottom > top)) return null
  return { x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height }
}

/** The part of the picture that a small view shows: the box with as much again around it, never less than
 *  two fifths of the picture's height, in the view's aspect (width / height), inside the picture. */
export function closeUp(box: Box | null, width: number, height: number, aspect: number): Area {
  const area = box && boxArea(box, width, height)
  const tallest = Math.min(height, width / aspect)
  const wanted = area ? Math.max(area.height * 2, (area.width * 1.6) / aspect, height * 0.4) : tallest
  const h = Math.min(wanted, tallest)
  const w = h * aspect
  const middleX = area ? area.x + area.width / 2 : width / 2
  const middleY = area ? area.y + area.height / 2 : height / 2
  return { x: clamp(middleX - w / 2, 0, width - w), y: clamp(middleY - h / 2, 0, height - h), width: w, height: h }
}

function clamp(value: number, low: number, high: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(value, low), high) : low
}
