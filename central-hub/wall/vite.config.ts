//! How the wall is built. Solid compiles against our own renderer (src/renderer.ts), because its
//! usual one builds elements with innerHTML, which the hub's policy (trusted types) forbids.
import { defineConfig } from 'vite'
import solid from 'vite-plugin-solid'

const hub = process.env.SIGNALBOX_HUB ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [solid({ hot: false, solid: { generate: 'universal', moduleName: '#renderer' } })],
  build: {
    target: 'chrome128',
    assetsInlineLimit: 0, // a data: address would break `default-src 'self'`
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { '/api': { target: hub } } },
})
