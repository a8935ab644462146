//! The one place where elements are made. Owns: how a tag, an attribute, a property and a listener
//! reach the DOM. Leaves to Solid: when. Invariant: nothing here turns text into markup or script,
//! so a camera's name can never be more than text, and the page runs under trusted types.
import { createRenderer } from 'solid-js/universal'

const SVG = 'http://www.w3.org/2000/svg'
const SVG_TAGS = new Set(['svg', 'g', 'path', 'circle', 'rect', 'line', 'polygon'])
/** Set as properties, since their attribute is only the first value. */
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'selected', 'muted'])
const REFUSED = /^(innerHTML|outerHTML|srcdoc|on[a-z].*)$/

type Listener = (event: Event) => void
const listeners = new WeakMap<Element, Map<string, Listener>>()

function listen(element: Element, type: string, listener: Listener | undefined): void {
  let own = listeners.get(element)
  if (!own) listeners.set(element, (own = new Map()))
  const before = own.get(type)
  if (before) element.removeEventListener(type, before)
  if (listener) {
    element.addEventListener(type, listener)
    own.set(type, listener)
  } else own.delete(type)
}

function setStyle(element: HTMLElement | SVGElement, rules: Record<string, string>, before: Record<string, string>): void {
  for (const name in before) if (!(name in rules)) element.style.removeProperty(name)
  for (const name in rules) element.style.setProperty(name, rules[name] ?? null)
}

function setProperty(node: Node, name: string, value: unknown, before?: unknown): void {
  const element = node as HTMLElement
  if (REFUSED.test(name)) throw new Error(`the wall never sets ${name}`)
  if (/^on[A-Z]/.test(name)) listen(element, name.slice(2).toLowerCase(), value as Listener)
  else if (name === 'style') setStyle(element, (value ?? {}) as Record<string, string>, (before ?? {}) as Record<string, string>)
  else if (PROPERTIES.has(name)) Reflect.set(element, name, value ?? '')
  else if (value === undefined || value === null) element.removeAttribute(name)
  else if (typeof value === 'boolean' && !/^(aria|data)-/.test(name)) element.toggleAttribute(name, value)
  else element.setAttribute(name, String(value))
}

export const {
  render,
  effect,
  memo,
  createComponent,
  createElement,
  createTextNode,
  insertNode,
  insert,
  spread,
  setProp,
  mergeProps,
  use,
} = createRenderer<Node>({
  createElement: (tag) => (SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag)),
  createTextNode: (text) => document.createTextNode(text),
  replaceText: (node, text) => void (node.textContent = text),
  isTextNode: (node) => node.nodeType === Node.TEXT_NODE,
  setProperty,
  insertNode: (parent, node, anchor) => void parent.insertBefore(node, anchor ?? null),
  removeNode: (parent, node) => void parent.removeChild(node),
  getParentNode: (node) => node.parentNode ?? undefined,
  getFirstChild: (node) => node.firstChild ?? undefined,
  getNextSibling: (node) => node.nextSibling ?? undefined,
})
