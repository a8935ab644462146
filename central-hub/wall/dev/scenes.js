//! Stills drawn by code, as SVG: places that do not exist, with people whose heads are covered.
//! Owns: the drawing. The box that it returns is where the figure stands, in fractions of the picture.

const W = 1280
const H = 720

/** @param {{scene: string, seed: number, kind: string, object: string, narrow?: boolean}} wanted */
export function drawn({ scene, seed, object, narrow }) {
  const width = narrow ? 960 : W
  const at = (steps) => ((seed * 7919) % 997) / 997 + steps - Math.floor(((seed * 7919) % 997) / 997 + steps)
  const ground = { gate: 430, yard: 330, hall: 400, fence: 390 }[scene] ?? 400
  const depth = 0.25 + 0.6 * at(0.37)
  const foot = ground + (H - ground) * depth
  const tall = object === 'Car' ? 90 + 120 * depth : 130 + 190 * depth
  const wide = object === 'Car' ? tall * 2.1 : tall * 0.42
  const x = 140 + (width - 280 - wide) * at(0.11)
  const box = { left: x / width, top: (foot - tall) / H, width: wide / width, height: tall / H }
  const figure = object === 'Car' ? car(x, foot, wide, tall) : person(x, foot, wide, tall)
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${H}" viewBox="0 0 ${width} ${H}">
${(SCENES[scene] ?? SCENES.hall)(width, ground)}${figure}
<rect width="${width}" height="${H}" fill="#0a1420" opacity=".16"/></svg>`
  return { svg, box }
}

const SCENES = {
  gate: (w, g) => `<linearGradient id="s" x2="0" y2="1"><stop stop-color="#27313b"/><stop offset="1" stop-color="#5b6870"/></linearGradient>
<rect width="${w}" height="${H}" fill="url(#s)"/><path d="M0 ${g - 150}h${w * 0.3}v-60h${w * 0.12}v60h${w}v170H0Z" fill="#3a444b"/>
<path d="M0 ${g}h${w}V${H}H0Z" fill="#6f7673"/><path d="M${w * 0.42} ${g}h${w * 0.2}L${w * 0.86} ${H}H${w * 0.16}Z" fill="#7d8480"/>
${bars(w * 0.66, g - 130, w * 0.3, 140, 16, '#20262b')}<path d="M${w * 0.3} ${g - 40}h${w * 0.34}" stroke="#d8d3c4" stroke-width="11"/><path d="M${w * 0.3} ${g - 40}h${w * 0.34}" stroke="#b5543f" stroke-width="11" stroke-dasharray="40 40"/>
<rect x="${w * 0.26}" y="${g - 120}" width="60" height="130" fill="#2b3339"/><rect x="${w * 0.27}" y="${g - 106}" width="36" height="40" fill="#e3c98a"/>`,
  yard: (w, g) => `<rect width="${w}" height="${H}" fill="#39444d"/><path d="M0 ${g - 190}h${w}v200H0Z" fill="#4b5860"/>
${[0, 1, 2, 3].map((n) => `<rect x="${70 + (n * w) / 4.2}" y="${g - 140}" width="${w / 6}" height="150" fill="#2c353b"/><path d="M${70 + (n * w) / 4.2} ${g - 110}h${w / 6}m-${w / 6} 30h${w / 6}m-${w / 6} 30h${w / 6}m-${w / 6} 30h${w / 6}" stroke="#3b464d" stroke-width="5"/>`).join('')}
<path d="M0 ${g}h${w}V${H}H0Z" fill="#7b7f7a"/>${[0, 1, 2, 3, 4, 5].map((n) => `<path d="M${w * (0.1 + n * 0.16)} ${g + 20}L${w * (-0.15 + n * 0.26)} ${H}" stroke="#c9c7ba" stroke-width="7" opacity=".65"/>`).join('')}
<path d="M${w * 0.74} ${g + 20}h190l24 120h-220Z" fill="#8a5c46"/><path d="M${w * 0.74} ${g - 50}h190v70h-190Z" fill="#a06b50"/>`,
  hall: (w, g) => `<rect width="${w}" height="${H}" fill="#59635f"/><path d="M0 0h${w}L${w * 0.66} ${g - 120}H${w * 0.34}Z" fill="#717b76"/>
<path d="M0 0L${w * 0.34} ${g - 120}V${g}L0 ${H}Z" fill="#65706b"/><path d="M${w} 0L${w * 0.66} ${g - 120}V${g}L${w} ${H}Z" fill="#4f5955"/>
<path d="M${w * 0.34} ${g}h${w * 0.32}L${w} ${H}H0Z" fill="#8b918a"/><rect x="${w * 0.43}" y="${g - 96}" width="${w * 0.14}" height="96" fill="#343d3b"/>
${[0, 1, 2].map((n) => `<path d="M${w * (0.44 - n * 0.05)} ${g - 170 - n * 75}h${w * (0.12 + n * 0.1)}l${w * 0.016} -26h-${w * (0.152 + n * 0.1)}Z" fill="#e9ead9" opacity=".8"/>`).join('')}
<path d="M${w * 0.08} ${H * 0.42}l90 34v190l-90 70Z" fill="#3d4744"/>`,
  fence: (w, g) => `<linearGradient id="s" x2="0" y2="1"><stop stop-color="#141b26"/><stop offset="1" stop-color="#33424f"/></linearGradient><rect width="${w}" height="${H}" fill="url(#s)"/>
<path d="M0 ${g - 60}Q${w * 0.2} ${g - 150} ${w * 0.4} ${g - 70}T${w} ${g - 90}V${H}H0Z" fill="#26343a"/><path d="M0 ${g}h${w}V${H}H0Z" fill="#414d45"/>
<path d="M0 ${g + 110}Q${w / 2} ${g + 50} ${w} ${g + 150}V${H}H0Z" fill="#575f57"/>${bars(0, g - 120, w, 180, 46, '#7f8b90')}
<path d="M0 ${g - 104}h${w}M0 ${g + 34}h${w}" stroke="#7f8b90" stroke-width="5"/><path d="M${w * 0.8} ${g + 60}V${g - 260}h-80" stroke="#6a757a" stroke-width="9" fill="none"/><path d="M${w * 0.72} ${g - 256}L${w * 0.5} ${H}h${w * 0.44}Z" fill="#f5e2a0" opacity=".13"/>`,
}

function bars(x, y, width, height, count, colour) {
  const steps = Array.from({ length: count + 1 }, (_, n) => `M${x + (n * width) / count} ${y}v${height}`)
  return `<path d="${steps.join('')}" stroke="${colour}" stroke-width="4"/>`
}

/** A walking figure; the head is a solid block, as the agent's redaction leaves it. */
function person(x, foot, wide, tall) {
  const u = tall / 100
  const mid = x + wide / 2
  return `<ellipse cx="${mid}" cy="${foot}" rx="${wide * 0.6}" ry="${3 * u}" fill="#000" opacity=".35"/>
<path d="M${mid - 2 * u} ${foot - 48 * u}L${mid - 11 * u} ${foot - 1 * u}M${mid + 2 * u} ${foot - 48 * u}L${mid + 12 * u} ${foot - 3 * u}" stroke="#1d2733" stroke-width="${9 * u}" stroke-linecap="round"/>
<path d="M${mid - 10 * u} ${foot - 78 * u}q${10 * u} ${-9 * u} ${20 * u} 0l${1 * u} ${34 * u}h${-22 * u}Z" fill="#8a4038"/>
<path d="M${mid - 10 * u} ${foot - 74 * u}l${-7 * u} ${28 * u}M${mid + 10 * u} ${foot - 74 * u}l${8 * u} ${26 * u}" stroke="#74352f" stroke-width="${6 * u}" stroke-linecap="round"/>
<rect x="${mid - 9 * u}" y="${foot - 100 * u}" width="${18 * u}" height="${19 * u}" fill="#050505"/>`
}

function car(x, foot, wide, tall) {
  const u = wide / 100
  return `<ellipse cx="${x + wide / 2}" cy="${foot}" rx="${wide * 0.55}" ry="${4 * u}" fill="#000" opacity=".35"/>
<path d="M${x} ${foot - 6 * u}v${-16 * u}l${14 * u} ${-4 * u}L${x + 30 * u} ${foot - tall}h${42 * u}l${16 * u} ${tall - 25 * u}l${12 * u} ${4 * u}v${15 * u}Z" fill="#c3c8ca"/>
<path d="M${x + 22 * u} ${foot - 27 * u}l${11 * u} ${-15 * u}h${36 * u}l${11 * u} ${15 * u}Z" fill="#27313a"/>
<circle cx="${x + 22 * u}" cy="${foot - 6 * u}" r="${8 * u}" fill="#14181c"/><circle cx="${x + 78 * u}" cy="${foot - 6 * u}" r="${8 * u}" fill="#14181c"/>`
}
