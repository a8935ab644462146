//! Installs the worker that opens the page without a network (worker.js), for `/field` alone. Browsers have workers on secure
//! pages only; elsewhere the page needs the network to open, and what was tapped waits on the phone all the same.
const WORKER = '/field-worker.js'
const SCOPE = '/field'

export function keepPage(): void {
  if (!('serviceWorker' in navigator)) return
  navigator.serviceWorker.register(trusted(WORKER), { scope: SCOPE, updateViaCache: 'none' }).catch(() => {
    // no room, or forbidden: the page works as without it
  })
}

/** The page's policy wants an address of a script to come from a named rule; this one makes this one address. */
function trusted(address: string): string {
  const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(address: string): string } } }).trustedTypes
  if (!types) return address
  const rule = types.createPolicy('field-worker', {
    createScriptURL(asked: string) {
      if (asked !== WORKER) throw new TypeError('another script than the worker')
      return asked
    },
  })
  return rule.createScriptURL(address)
}
