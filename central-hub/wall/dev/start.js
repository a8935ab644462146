//! `npm run dev`: the fake hub with a busy day, and Vite before it. Sign in with the printed link.
import { createServer } from 'vite'
import { fill, happening } from './day.js'
import { startHub } from './hub.js'

const hub = await startHub({ tokens: ['dev'] })
fill(hub)
process.env.SIGNALBOX_HUB = hub.address
const vite = await createServer()
await vite.listen()
console.log(`wall: ${vite.resolvedUrls.local[0]}login#dev (or guard / lamp)`)
let n = 0
const timer = setInterval(() => hub.alert(happening(n++)), 6000)
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    clearInterval(timer)
    await Promise.all([vite.close(), hub.stop()])
  })
