/** The frame of every page, and the range of time it shows. */
import { isAtLeast, type Principal, type Role } from '../../schemas/tokens.js'
import type { SeenDeps } from '../deps.js'
import { longestSpanS } from '../kpi/query.js'
import { choicesOf, oneOf, type Parameter } from '../parameters.js'
import { isoOf, type Span, spanOf } from '../time-span.js'
import { clock, day, duration } from './format.js'
import { type Content, type Html, html } from './html.js'
import { moment } from './moment.js'
import { REFRESH_S } from './script.js'

export const LASTS = ['15m', '1h', '6h', '24h'] as const
type Last = (typeof LASTS)[number]
const LAST_S: Record<Last, number> = { '15m': 900, '1h': 3_600, '6h': 21_600, '24h': 86_400 }
const LAST_WORDS: Record<Last, string> = {
  '15m': 'last 15 min',
  '1h': 'last hour',
  '6h': 'last 6 hours',
  '24h': 'last 24 hours',
}

export interface PageRange extends Span {
  /** Set while the page follows the clock. */
  last: Last | undefined
  words: string
  /** The query that gives this range again, with its leading "?" ("" for the default). */
  query: string
}

export interface RangeParameters {
  last?: Parameter
  from?: Parameter
  to?: Parameter
}

export function pageRangeOf(written: RangeParameters, deps: Pick<SeenDeps, 'config' | 'nowUs'>): PageRange {
  const from = oneOf('from', written.from)
  const to = oneOf('to', written.to)
  const [last] = choicesOf('last', written.last, LASTS)
  const isLive = from === undefined && to === undefined
  const chosen = last ?? '1h'
  const span = spanOf(
    { from, to },
    {
      nowUs: deps.nowUs(),
      defaultS: LAST_S[chosen],
      longestS: longestSpanS(deps.config),
      wholeMinutes: { otherwise: '' },
    },
  )
  if (isLive) {
    return {
      ...span,
      last: chosen,
      words: LAST_WORDS[chosen],
      query: chosen === '1h' ? '' : `?last=${chosen}`,
    }
  }
  const [fromText, toText] = [isoOf(span.fromUs), isoOf(span.toUs)]
  return {
    ...span,
    last: undefined,
    words: `${day(fromText)} to ${day(toText)} UTC`,
    query: `?from=${fromText}&to=${toText}`,
  }
}

const STEPS_S = [60, 180, 300, 900, 1_800, 3_600, 7_200, 21_600, 86_400, 604_800, 2_592_000]

/** The step that gives at most so many points. */
export function stepFor(span: Span, pointsMax: number): number {
  const seconds = (span.toUs - span.fromUs) / 1e6
  return STEPS_S.find((step) => seconds / step <= pointsMax) ?? STEPS_S.at(-1)!
}

export function stepWords(stepS: number): string {
  if (stepS < 3_600) return `${stepS / 60} min`
  return stepS < 86_400 ? `${stepS / 3_600} h` : `${stepS / 86_400} d`
}

export interface PageFrame {
  title: string
  /** Address without a query: the links of the ranges lead there. */
  path: string
  range?: PageRange
  /** Queries that the range links keep, as "&name=value". */
  keep?: string
  /** It costs too much to be asked for again every few seconds. */
  isReadOnce?: boolean
  content: Content
}

/** The pages that are about something as a whole, in the order of the navigation. */
const PAGES: readonly {
  path: string
  label: string
  takesRange?: true
  isOfAllCarriers?: true
  role?: Role
}[] = [
  { path: '/', label: 'Carriers', takesRange: true },
  { path: '/attempts', label: 'Attempts' },
  { path: '/trunks', label: 'Trunks' },
  { path: '/cancels', label: '487s', takesRange: true },
  { path: '/attestation', label: 'STIR/SHAKEN', takesRange: true },
  { path: '/early-media', label: 'Early media', takesRange: true },
  { path: '/numbers', label: 'Numbers', takesRange: true },
  { path: '/scorecards', label: 'Scorecards' },
  { path: '/slos', label: 'Objectives', takesRange: true },
  { path: '/alerts', label: 'Alerts' },
  { path: '/tap', label: 'Tap', takesRange: true, isOfAllCarriers: true },
  { path: '/audit', label: 'Audit', isOfAllCarriers: true, role: 'investigator' },
]

export function page(deps: SeenDeps, frame: PageFrame): Html {
  const live = deps.live()
  const ageS = Math.max(0, (deps.nowUs() - live.asOfUs) / 1e6)
  const asOf =
    live.asOfUs === 0
      ? 'no HEP frame yet'
      : html`as of ${asOfText(live.asOfUs, deps.nowUs())} UTC${ageS > 90 ? html` <span class="warn">(${duration(ageS)} ago)</span>` : null}`
  const sites = deps.config.sites.map(({ id, name }) => name ?? id).join(', ')
  const isHeld = deps.principal.carriers !== 'all'
  const where =
    sites === ''
      ? isHeld
        ? ''
        : 'no site configured · '
      : html`<span class="sites">sites ${sites} · </span>`
  const isLive = frame.range?.last !== undefined && !frame.isReadOnce
  const refresh = isLive ? html` data-refresh="${REFRESH_S}"` : null
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${frame.title} · Trunkscope</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
<script src="/page.js" defer></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<a class="brand" href="/"><b>Trunk</b>scope</a>
${deps.demo ? html`<span class="badge">demo data</span>` : null}
${pageLinks(frame, deps.principal)}
<span class="where">${where}${asOf}</span>
${frame.range === undefined ? null : rangeLinks(frame.path, frame.range, frame.keep ?? '')}
</header>
<main id="content" tabindex="-1"${refresh}>
${frame.content}
</main>
<footer><a href="/v1/kpis">JSON</a><a href="/v1/catalog">What each number means</a><a href="/openapi.json">API description</a>${isHeld ? null : html`<a href="/metrics">Own metrics</a>`}<span>Times are UTC. Measured at the carrier leg, from signalling only.</span></footer>
</body>
</html>`
}

function rangeLinks(path: string, range: PageRange, keep: string): Html {
  const link = (last: Last) =>
    html`<a href="${path}?last=${last}${keep}"${range.last === last ? html` aria-current="true"` : null}>${LAST_WORDS[last]}</a>`
  return html`<nav class="ranges" aria-label="Range of time">${LASTS.map(link)}${range.last === undefined ? html`<b aria-current="true">${range.words}</b>` : null}</nav>`
}

/** The range goes along to pages that have one; one carrier's page belongs to that of all. */
function pageLinks({ path, range }: PageFrame, { carriers, role }: Principal): Html {
  const within = path.startsWith('/carriers/') ? '/' : `/${path.split('/')[1]}`
  const seen = PAGES.filter(
    (one) => !(carriers !== 'all' && one.isOfAllCarriers) && isAtLeast(role, one.role ?? 'viewer'),
  )
  return html`<nav class="pages" aria-label="Pages">${seen.map(
    ({ path: to, label, takesRange }) =>
      html`<a href="${to}${takesRange ? (range?.query ?? '') : ''}"${to === within ? html` aria-current="${to === path ? 'page' : 'true'}"` : null}>${label}</a>`,
  )}</nav>`
}

/** The time alone when it is of today. */
function asOfText(asOfUs: number, nowUs: number): Html {
  const iso = isoOf(Math.floor(asOfUs / 1e6) * 1e6)
  const isToday = iso.slice(0, 10) === isoOf(Math.floor(nowUs / 1e6) * 1e6).slice(0, 10)
  return moment(iso, isToday ? clock(iso) : `${iso.slice(0, 10)} ${clock(iso)}`)
}
