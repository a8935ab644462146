//! Ids that this page mints: a UUID for each thing that somebody wants done, so that the hub knows it again however often it
//! is sent. A browser sends a POST once more by itself when its connection breaks.

/** UUID version 4 (RFC 9562). `crypto.randomUUID` is there on secure pages only. */
export function mintId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return dashed([...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(''))
}

/** An id of this or an earlier version of the page as a UUID. */
export function dashed(id: string): string {
  const digits = id.replaceAll('-', '')
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-')
}
