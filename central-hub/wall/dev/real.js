//! The real hub's program, with an empty folder of its own on free loopback ports: what the stand-in is held against.
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const PATIENCE_MS = 60_000

/** `SIGNALBOX_HUB_PROGRAM` names another than the workspace's own. */
export const PROGRAM = process.env.SIGNALBOX_HUB_PROGRAM ?? here('../../../target/debug/central-hub')
export const isBuilt = existsSync(PROGRAM)

export async function startRealHub() {
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-wall-'))
  const settings = join(folder, 'hub.toml')
  const text = (path) => JSON.stringify(path)
  await writeFile(settings, [
    `hub.data = ${text(join(folder, 'data'))}`, 'hub.site_names = { east = "东街" }', 'http.listen = "127.0.0.1:0"', 'agents.listen = "127.0.0.1:0"', 'broker.listen = "127.0.0.1:0"', 'live.listen = "127.0.0.1:0"',
    `wall.folder = ${text(here('../dist'))}`, `workflow.procedures = ${text(here('../../procedures'))}`, '',
  ].join('\n'))
  const child = spawn(PROGRAM, ['serve', '--config', settings], { stdio: ['ignore', 'ignore', 'pipe'] })
  const end = () => child.kill()
  process.once('exit', end) // a test that ran out of time must leave nothing running
  let log = ''
  child.stderr.on('data', (part) => (log += part))
  const ended = new Promise((resolve) => child.on('exit', resolve))
  const ports = await portsOf(join(folder, 'data/ports.json'), () => child.exitCode ?? child.signalCode, () => log)
  const address = `http://127.0.0.1:${ports.http}`
  const command = async (...words) => (await promisify(execFile)(PROGRAM, [...words, '--config', settings])).stdout
  const tokenIn = (printed) => /\/login#(\w+)/.exec(printed)?.[1] ?? ''
  return {
    address,
    /** A token that signs the first account in. */
    token: async () => tokenIn(await command('user', 'login-link')),
    /** Makes a user; a token that signs them in. */
    addUser: async (user, name, role) => tokenIn(await command('user', 'add', '--user', user, '--name', name, '--role', role, '--site', 'east')),
    async stop() {
      process.removeListener('exit', end)
      child.kill()
      await ended
      await rm(folder, { recursive: true })
    },
  }
}

async function portsOf(file, hasEnded, log) {
  for (const begun = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const ports = await readFile(file, 'utf8').then(JSON.parse).catch(() => null)
    if (ports) return ports
    if (hasEnded() !== null || Date.now() - begun > PATIENCE_MS) throw new Error(`the hub did not start:\n${log()}`)
  }
}
