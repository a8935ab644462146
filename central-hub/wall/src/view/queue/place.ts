//! Where an incident is, in the words that people there use.
import type { Desk } from '../../desk'
import type { Item } from '../../queue'

/** What a camera is called. */
export function cameraName(desk: Desk, agent: string, camera: string): string {
  const box = desk.devices().find((one) => one.agent === agent)
  return box?.cameras.find((one) => one.camera === camera)?.name || camera
}

/** The place of a report, or the cameras; with the site, where there are several. */
export function placeWords(desk: Desk, { incident }: Pick<Item, 'incident'>): string {
  const cameras = incident.cameras.map(({ agent, camera }) => cameraName(desk, agent, camera))
  const more = cameras.length > 3 ? ` +${cameras.length - 3}` : ''
  const where = incident.place || cameras.slice(0, 3).join('、') + more
  const site = desk.sites().length > 1 || !where ? desk.siteName(incident.site) : ''
  return [where, site].filter(Boolean).join(' · ')
}
