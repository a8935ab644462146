//! Where entries wait: the browser's own database, so that a phone that is put away, reloaded or dead keeps them. Owns: reading
//! and writing them whole. Leaves to outbox.ts: what is in them. Where a browser forbids its database they last as long as
//! the page, and `lasting` says so.
import type { Entry } from './outbox'

const NAME = 'signalbox'
const STORE = 'outbox'

export interface Keeping {
  /** False if what is kept is gone with the page. */
  lasting: boolean
  all(): Promise<Entry[]>
  /** Puts these, and takes those away, together. */
  change(put: readonly Entry[], gone: readonly string[]): Promise<void>
}

export async function openKeeping(): Promise<Keeping> {
  try {
    return lasting(await opened())
  } catch {
    return passing()
  }
}

function lasting(base: IDBDatabase): Keeping {
  return {
    lasting: true,
    async all() {
      const found = await answered(base.transaction(STORE).objectStore(STORE).getAll() as IDBRequest<Entry[]>)
      return found.sort((a, b) => a.made - b.made)
    },
    change(put, gone) {
      // `strict`: on the disk before it counts as kept
      const change = base.transaction(STORE, 'readwrite', { durability: 'strict' })
      const store = change.objectStore(STORE)
      for (const entry of put) store.put(entry)
      for (const id of gone) store.delete(id)
      return new Promise((resolve, reject) => {
        change.oncomplete = () => resolve()
        change.onerror = change.onabort = () => reject(change.error ?? new Error('the browser did not keep it'))
      })
    },
  }
}

function passing(): Keeping {
  const kept = new Map<string, Entry>()
  return {
    lasting: false,
    all: async () => [...kept.values()].sort((a, b) => a.made - b.made),
    async change(put, gone) {
      for (const entry of put) kept.set(entry.id, entry)
      for (const id of gone) kept.delete(id)
    },
  }
}

async function opened(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'id' })
  return answered(request)
}

const answered = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('the browser gave nothing back'))
  })
