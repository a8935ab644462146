//! How the wall is built. Solid compiles against our own renderer (src/renderer.ts), because its
//! usual one builds elements with innerHTML, which the hub's policy (trusted types) forbids.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { defineConfig, type Plugin } from 'vite'
import solid from 'vite-plugin-solid'

const hub = process.env.SIGNALBOX_HUB ?? 'http://127.0.0.1:8080'

/** The worker of `/field`, with the names of all files of the page, and a version that is another whenever one of them is. */
function fieldWorker(): Plugin {
  const own = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8')
  return {
    name: 'field-worker',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const mark = own('public/mark.svg')
      const built = Object.values(bundle).filter((file) => !file.fileName.endsWith('.map'))
      const digest = createHash('sha256').update(mark).update(own('src/field/worker.js'))
      for (const file of built.toSorted((a, b) => (a.fileName < b.fileName ? -1 : 1))) digest.update(file.fileName).update(file.type === 'chunk' ? file.code : file.source)
      const files = ['/field', '/mark.svg', ...built.map((file) => `/${file.fileName}`).filter((name) => name !== '/index.html').sort()]
      const source = own('src/field/worker.js').replace('/* files */ []', JSON.stringify(files)).replace("/* version */ ''", JSON.stringify(digest.digest('hex').slice(0, 16)))
      this.emitFile({ type: 'asset', fileName: 'field-worker.js', source })
    },
  }
}

export default defineConfig({
  plugins: [solid({ hot: false, solid: { generate: 'universal', moduleName: '#renderer' } }), fieldWorker()],
  build: {
    target: 'chrome128',
    assetsInlineLimit: 0, // a data: address would break `default-src 'self'`
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { '/api': { target: hub } } },
})
