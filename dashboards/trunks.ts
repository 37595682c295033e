/** For who runs the SBCs: which trunks do not answer, which flap, and how much of what is contracted is used. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { BOARDS, board } from './board.js'
import { type PanelLink, type PanelSpec, risingSteps, type TableColumn } from './panel.js'
import { runbookLink } from './runbooks.js'

type Placed = PanelSpec & { width: number }

const CHOSEN = 'carrier=~"$carrier",site=~"$site"'
const STATE = 'trunkscope_trunk_state_seconds'
const TRUNK = '{{carrier}} {{site}} {{address}}'
const EMPTY = 'no trunk'
const NO_LIMIT = 'nothing contracted'

/** Where more is nearly too much: of a limit, 95 % is where refusals are called suspicious (docs/trunks.md). */
const USE_STEPS = risingSteps(0.8, 0.95)

const PAGE: PanelLink = {
  title: 'Trunks in Trunkscope',
  url: `\${trunkscope}/trunks?carrier=\${carrier:csv}&site=\${site:csv}`,
}
const ONE_CARRIER: TableColumn = {
  name: 'carrier',
  heading: 'Carrier',
  links: [
    {
      title: 'Dashboard of the carrier',
      url: `/d/${BOARDS.carrier.uid}?var-carrier=\${__value.text}&\${__url_time_range}`,
    },
    { title: 'Its trunks in Trunkscope', url: `\${trunkscope}/trunks?carrier=\${__value.text}` },
  ],
}

type Kind = 'concurrent_calls' | 'calls_per_second'
const NAMES: Readonly<Record<Kind, string>> = {
  concurrent_calls: 'Concurrent calls',
  calls_per_second: 'Calls per second',
}

export function trunks(): Dashboard {
  return board({
    name: 'trunks',
    description:
      'Which trunks can be reached, and how near their peaks come to what is contracted. Definitions: docs/trunks.md.',
    filters: ['carrier', 'site'],
    // A trunk that is pinged and has no calls is one, too.
    listedBy: STATE,
    time: { from: 'now-6h', to: 'now' },
    rows: [
      {
        title: 'Now',
        height: 4,
        panels: [downStat(1, 5), statesStat(2, 9), flapsStat(3, 5), useStat(4, 5)],
      },
      {
        title: 'What is not up, and what does not stay up',
        height: 9,
        panels: [notUpTable(10, 14), flapsTable(11, 10)],
      },
      { title: 'States over time', height: 10, panels: [statesTimeline(20, 24)] },
      {
        title: 'Peaks of each whole hour',
        height: 9,
        panels: [peakLines(30, 8, 'concurrent_calls'), peakLines(31, 8, 'calls_per_second'), useLines(32, 8)],
      },
      {
        title: 'The last 24 hours against what is contracted',
        height: 9,
        panels: [headroomTable(40, 24)],
      },
      { title: 'The busiest trunks of the last 24 hours', height: 10, panels: [busiestTable(41, 24)] },
    ],
  })
}

function downStat(id: number, width: number): Placed {
  return {
    kind: 'stat',
    id,
    width,
    title: 'Trunks down',
    description:
      'Trunks that answer neither OPTIONS nor calls: three exchanges in a row without an answer, and no sign of life since.',
    unit: 'short',
    decimals: 0,
    steps: [
      { value: null, color: 'green' },
      { value: 1, color: 'red' },
    ],
    queries: [{ expr: `count(${STATE}{state="down",${CHOSEN}}) or vector(0)`, legend: 'Down' }],
    links: [PAGE],
    runbooks: [runbookLink('TrunkDown')],
  }
}

function statesStat(id: number, width: number): Placed {
  return {
    kind: 'stat',
    id,
    width,
    title: 'Trunks by state',
    description:
      'How many trunks are in each state. Unknown: nothing was seen of them for ten minutes, or the tap of their site is blind.',
    unit: 'short',
    decimals: 0,
    empty: EMPTY,
    queries: [{ expr: `count by (state) (${STATE}{${CHOSEN}})`, legend: '{{state}}' }],
    links: [PAGE],
  }
}

function flapsStat(id: number, width: number): Placed {
  return {
    kind: 'stat',
    id,
    width,
    title: 'Changes of state',
    description:
      'Changes between up, degraded and down in the 24 hours before the end of the range, of all trunks together.',
    unit: 'short',
    decimals: 0,
    empty: EMPTY,
    queries: [{ expr: `sum(trunkscope_trunk_flaps{${CHOSEN}})`, legend: 'Changes' }],
    links: [PAGE],
  }
}

const peak = (kind: Kind, matchers: string) => `trunkscope_capacity_${kind}_peak{${matchers}}`
const limit = (kind: Kind, matchers: string) => `trunkscope_capacity_${kind}_limit{${matchers}}`
/** A limit is one of the trunk, of the site or of the whole carrier, which has no site: what is chosen there is left out. */
const OF_CARRIER = 'carrier=~"$carrier"'
const used = (kind: Kind) => `${peak(kind, OF_CARRIER)} / ${limit(kind, OF_CARRIER)}`
const day = (kind: Kind, matchers = OF_CARRIER) => `max_over_time(${peak(kind, matchers)}[24h])`

function useStat(id: number, width: number): Placed {
  const most = (kind: Kind) => `max(${day(kind)} / ${limit(kind, OF_CARRIER)})`
  return {
    kind: 'stat',
    id,
    width,
    title: 'Most used of a limit',
    description:
      'The highest peak of the last 24 whole hours over what is contracted: of calls up at once, and of calls per second. Above 100 % the limit was passed.',
    unit: 'percentunit',
    decimals: 0,
    steps: USE_STEPS,
    empty: NO_LIMIT,
    queries: (['concurrent_calls', 'calls_per_second'] as const).map((kind) => ({
      expr: most(kind),
      legend: NAMES[kind],
    })),
    links: [PAGE],
  }
}

function notUpTable(id: number, width: number): Placed {
  return {
    kind: 'table',
    id,
    width,
    title: 'Trunks that are not up',
    description:
      'Each trunk that is down, degraded or unknown, and for how long, a day at most. Unknown is no fault by itself: nobody pings it, or the tap is blind.',
    unit: 'short',
    empty: 'all are up',
    queries: [{ expr: `${STATE}{state!="up",${CHOSEN}}`, legend: 'for' }],
    columns: [
      ONE_CARRIER,
      { name: 'site', heading: 'Site' },
      { name: 'address', heading: 'Far address' },
      { name: 'state', heading: 'State' },
      { name: 'for', heading: 'For', unit: 's', decimals: 0 },
    ],
    links: [PAGE],
    runbooks: [runbookLink('TrunkDown')],
  }
}

function flapsTable(id: number, width: number): Placed {
  return {
    kind: 'table',
    id,
    width,
    title: 'Trunks that changed their state',
    description:
      'Changes between up, degraded and down in the 24 hours before the end of the range; those to and from unknown are about what we saw and do not count.',
    unit: 'short',
    decimals: 0,
    empty: 'none changed',
    queries: [{ expr: `trunkscope_trunk_flaps{${CHOSEN}} > 0`, legend: 'flaps' }],
    columns: [
      ONE_CARRIER,
      { name: 'site', heading: 'Site' },
      { name: 'address', heading: 'Far address' },
      { name: 'flaps', heading: 'Changes, 24 h', steps: risingSteps(2, 6) },
    ],
    links: [PAGE],
  }
}

function statesTimeline(id: number, width: number): Placed {
  return {
    kind: 'states',
    id,
    width,
    title: 'State of each trunk',
    description:
      'A band a trunk; a gap: nothing is known. Judged from what is stored, so a minute may change when late messages come. With many trunks choose a carrier or a site. Of longer ranges the last two days are shown.',
    unit: 'short',
    empty: EMPTY,
    words: [
      { value: 1, text: 'up', color: 'green' },
      { value: 0.5, text: 'degraded', color: 'yellow' },
      { value: 0, text: 'down', color: 'red' },
    ],
    queries: [{ expr: `trunkscope_trunk_reachable{${CHOSEN}}`, legend: TRUNK }],
    links: [PAGE],
    runbooks: [runbookLink('TrunkDown')],
  }
}

function peakLines(id: number, width: number, kind: Kind): Placed {
  const of = `scope="carrier",${OF_CARRIER}`
  return {
    kind: 'lines',
    id,
    width,
    title: `${NAMES[kind]} by carrier`,
    description:
      'The peak of the last whole hour before each point, at all sites together, and what is contracted for the carrier as a whole. Calls that no tap of ours saw are not in it: a lower bound.',
    unit: 'short',
    decimals: 0,
    min: 0,
    empty: 'no calls',
    queries: [
      { expr: peak(kind, of), legend: '{{carrier}}' },
      { expr: limit(kind, of), legend: '{{carrier}} contracted' },
    ],
    links: [PAGE],
  }
}

function useLines(id: number, width: number): Placed {
  return {
    kind: 'lines',
    id,
    width,
    title: 'Used of what is contracted',
    description:
      'The peak of the last whole hour before each point over the limit of now, wherever there is one: of a carrier, of a carrier at a site, or of a trunk; whatever site is chosen.',
    unit: 'percentunit',
    min: 0,
    steps: USE_STEPS,
    empty: NO_LIMIT,
    queries: (['concurrent_calls', 'calls_per_second'] as const).map((kind) => ({
      expr: used(kind),
      legend: `${TRUNK} ${NAMES[kind].toLowerCase()}`,
    })),
    links: [PAGE],
  }
}

function headroomTable(id: number, width: number): Placed {
  const columns = [
    ...headroomColumns('concurrent_calls', ['Concurrent calls', 'Contracted', 'Headroom', 'Used']),
    ...headroomColumns('calls_per_second', [
      'Calls per second',
      'Contracted per second',
      'Headroom per second',
      'Used per second',
    ]),
  ]
  return {
    kind: 'table',
    id,
    width,
    title: 'Headroom',
    description:
      'Peaks of the last 24 whole hours beside the limits of now, where there is one: of a carrier, of a carrier at a site, or of a trunk. A negative headroom: the limit was passed.',
    unit: 'short',
    decimals: 0,
    empty: NO_LIMIT,
    queries: columns.map(({ expr, column }) => ({ expr, legend: column.name })),
    columns: [
      { name: 'scope', heading: 'Limit of' },
      ONE_CARRIER,
      { name: 'site', heading: 'Site' },
      { name: 'address', heading: 'Far address' },
      ...columns.map(({ column }) => column),
    ],
    links: [PAGE],
  }
}

/** The highest peak of the day, the limit, and what is between them. */
function headroomColumns(kind: Kind, headings: readonly [string, string, string, string]) {
  const [most, contracted] = [day(kind), limit(kind, OF_CARRIER)]
  const expressions = [
    `${most} and ${contracted}`,
    contracted,
    `${contracted} - ${most}`,
    `${most} / ${contracted}`,
  ]
  return expressions.map((expr, at) => ({
    expr,
    column: {
      name: `${kind} ${at}`,
      heading: headings[at]!,
      ...(at === 3 ? { unit: 'percentunit', steps: USE_STEPS } : {}),
    } satisfies TableColumn,
  }))
}

function busiestTable(id: number, width: number): Placed {
  const most = `topk(50, ${day('concurrent_calls', `scope="trunk",${CHOSEN}`)})`
  const fastest = day('calls_per_second', `scope="trunk",${CHOSEN}`)
  return {
    kind: 'table',
    id,
    width,
    title: 'Peaks of each trunk',
    description:
      'Most calls up at one second and most INVITEs in one second, of the last 24 whole hours: the 50 with the most calls at once. When a peak was stands on the page.',
    unit: 'short',
    decimals: 0,
    empty: 'no calls',
    queries: [
      { expr: most, legend: 'calls' },
      { expr: `${fastest} and on (carrier, site, address) ${most}`, legend: 'per_second' },
    ],
    columns: [
      ONE_CARRIER,
      { name: 'site', heading: 'Site' },
      { name: 'address', heading: 'Far address' },
      { name: 'calls', heading: 'Concurrent calls' },
      { name: 'per_second', heading: 'Calls per second' },
    ],
    links: [PAGE],
  }
}
