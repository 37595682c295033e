/**
 * A dashboard around its panels: variables, links to the others, and places, so that no file of a reader counts squares.
 */
import {
  ConstantVariableBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  type Panel,
  QueryVariableBuilder,
  type RowPanel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DATA_SOURCE, linkOf, type PanelSpec, panel } from './panel.js'

/** Where a browser finds Trunkscope's own pages: as docker-compose.yml publishes them. docs/grafana.md says how to change it. */
export const PAGE_ADDRESS = 'http://127.0.0.1:8080'

/** Every dashboard, in the order of the links at their top. */
export const BOARDS = {
  noc: { uid: 'trunkscope-noc', title: 'NOC wall' },
  carrier: { uid: 'trunkscope-carrier', title: 'Carrier' },
  attestation: { uid: 'trunkscope-attestation', title: 'STIR/SHAKEN' },
  trunks: { uid: 'trunkscope-trunks', title: 'Trunks' },
  'on-call': { uid: 'trunkscope-on-call', title: 'SLOs and on-call' },
  pipeline: { uid: 'trunkscope-pipeline', title: 'Pipeline health' },
  runbooks: { uid: 'trunkscope-runbooks', title: 'Runbooks' },
} as const
export type BoardName = keyof typeof BOARDS

/** Labels a reader may narrow a dashboard down to, and the sentence beside each. */
const FILTERS = {
  carrier: ['Carrier', 'Who bills us. unknown: traffic of peers that no carrier is configured for.'],
  site: ['Site', 'Where the SBC stands.'],
  direction: ['Direction', 'As seen from us.'],
} as const
export type Filter = keyof typeof FILTERS

export interface BoardRow {
  title: string
  /** In squares of about 30 px. */
  height: number
  /** Side by side; `width` of 24 in all. */
  panels: readonly (PanelSpec & { width: number })[]
}

export interface FrameSpec {
  name: BoardName
  /** The question it answers. */
  description: string
  filters: readonly Filter[]
  /** The metric whose labels are there to choose from; left out: attempts. */
  listedBy?: string
  time: { from: string; to: string }
}

const ROW_IDS_FROM = 1_000
const WIDTH = 24

/** Boards whose panels have no carriers: nothing that was chosen there is of use elsewhere, or the other way round. */
const WITHOUT_FILTERS: ReadonlySet<string> = new Set<BoardName>(['pipeline', 'runbooks'])

export function board({ rows, ...spec }: FrameSpec & { rows: readonly BoardRow[] }): Dashboard {
  const built = frame(spec)
  built.panels = panelsOf(rows)
  return built
}

/** A dashboard without its panels. */
export function frame(spec: FrameSpec): Dashboard {
  const { uid, title } = BOARDS[spec.name]
  const builder = new DashboardBuilder(`Trunkscope: ${title}`)
    .uid(uid)
    .description(spec.description)
    .tags(['trunkscope'])
    .timezone('utc')
    .time(spec.time)
    .refresh('1m')
    .tooltip(DashboardCursorSync.Crosshair)
  for (const filter of spec.filters) builder.withVariable(filterVariable(filter, spec.listedBy))
  builder.withVariable(
    new ConstantVariableBuilder('trunkscope')
      .description("Address of Trunkscope's own pages")
      .value(PAGE_ADDRESS),
  )
  const built = builder.build()
  built.links = Object.entries(BOARDS)
    .filter(([name]) => name !== spec.name)
    .map(([name, other]) =>
      linkOf({
        title: other.title,
        icon: 'dashboard',
        url: `/d/${other.uid}`,
        includeVars: !WITHOUT_FILTERS.has(name) && !WITHOUT_FILTERS.has(spec.name),
        keepTime: true,
      }),
    )
  return built
}

function filterVariable(filter: Filter, metric = 'trunkscope_attempts_total'): QueryVariableBuilder {
  const [label, description] = FILTERS[filter]
  return new QueryVariableBuilder(filter)
    .label(label)
    .description(description)
    .datasource(DATA_SOURCE)
    .query({
      query: `label_values(${metric}, ${filter})`,
      refId: `variable_${filter}`,
    })
    .definition(`label_values(${metric}, ${filter})`)
    .multi(true)
    .includeAll(true)
    .current({ selected: true, text: ['All'], value: ['$__all'] })
    .allowCustomValue(false)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
}

function panelsOf(rows: readonly BoardRow[]): (Panel | RowPanel)[] {
  let y = 0
  return rows.flatMap((row, index) => {
    const heading: RowPanel = {
      type: 'row',
      id: ROW_IDS_FROM + index,
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
      panels: [],
    }
    y++
    let x = 0
    const placed = row.panels.map(({ width, ...spec }) => {
      const drawn = panel(spec, { x, y, w: width, h: row.height })
      x += width
      return drawn
    })
    y += row.height
    return [heading, ...placed]
  })
}
