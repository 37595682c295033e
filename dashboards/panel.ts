/**
 * One panel, with all that the SDK leaves out: id, refIds, unit, description, data source, legend and the text of an empty one.
 *
 * Takes    what a reader of the dashboard needs to know of it.
 * Returns  Classic JSON, which Grafana 10 to 13 load from a file.
 * Throws   nothing: what is missing is found by test/dashboards/compiled.test.ts.
 */
import {
  GraphDrawStyle,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
} from '@grafana/grafana-foundation-sdk/common'
import {
  type DashboardLink,
  type DataTransformerConfig,
  defaultDashboardLink,
  FieldColorModeId,
  MappingType,
  type Panel,
  type Threshold,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as StateTimelinePanel } from '@grafana/grafana-foundation-sdk/statetimeline'
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TimeseriesPanel } from '@grafana/grafana-foundation-sdk/timeseries'
import type { Kpi } from '../schemas/kpi/kpi.js'

/** The uid of the data source is its only name here: no address and no secret is in a dashboard. */
export const DATA_SOURCE = { type: 'prometheus', uid: 'trunkscope' } as const

export const INSUFFICIENT = 'insufficient data'

/** Rollups are minutes: a shorter step has no points of its own. */
const STEP_MIN = '1m'

export interface PanelQuery {
  expr: string
  /** Grafana's `{{label}}`; of a table the heading of the column. */
  legend: string
}

export interface PanelLink {
  title: string
  url: string
}

interface Shared {
  /** Of its dashboard, for ever: links and alerts point at it. */
  id: number
  title: string
  description: string
  unit: string
  queries: readonly PanelQuery[]
  /** Decimals; Grafana's choice without. */
  decimals?: number
  min?: number
  max?: number
  steps?: readonly Threshold[]
  /** What stands where there is no value. */
  empty?: string
  /** Of a point or a cell. */
  links?: readonly PanelLink[]
  /** Of the panel: its runbooks. */
  runbooks?: readonly PanelLink[]
}

/**
 * `lines` over time, `bars` that add up, one `stat`, `states` over time in words, or a `table` of what holds at the end of the
 * range.
 */
export type PanelSpec = Shared &
  (
    | { kind: 'lines' | 'bars' | 'stat' }
    | { kind: 'states'; words: readonly StateWord[] }
    | { kind: 'table'; columns: readonly TableColumn[] }
  )

/** What is written and painted in the place of a value. */
export interface StateWord {
  value: number
  text: string
  color: string
}

/** A column of a table: a query's, by its legend, or a label's, by its name. */
export interface TableColumn {
  name: string
  heading: string
  unit?: string
  decimals?: number
  steps?: readonly Threshold[]
  links?: readonly PanelLink[]
}

export interface Place {
  x: number
  y: number
  w: number
  h: number
}

export function panel(spec: PanelSpec, place: Place): Panel {
  const builder = builderOf(spec)
    .id(spec.id)
    .title(spec.title)
    .description(spec.description)
    .datasource(DATA_SOURCE)
    .gridPos(place)
    .interval(STEP_MIN)
    .unit(spec.unit)
    .noValue(spec.empty ?? INSUFFICIENT)
  if (spec.decimals !== undefined) builder.decimals(spec.decimals)
  if (spec.min !== undefined) builder.min(spec.min)
  if (spec.max !== undefined) builder.max(spec.max)
  const isInstant = spec.kind === 'table' || spec.kind === 'stat'
  const built = builder
    .thresholds({
      build: () => ({ mode: ThresholdsMode.Absolute, steps: [...(spec.steps ?? [NO_JUDGEMENT])] }),
    })
    .colorScheme({
      build: () => ({
        mode:
          isInstant || spec.kind === 'states'
            ? FieldColorModeId.Thresholds
            : FieldColorModeId.PaletteClassicByName,
      }),
    })
    .build()
  built.fieldConfig!.defaults.links = (spec.links ?? []).map(inNewTab)
  built.links = (spec.runbooks ?? []).map(inNewTab)
  built.targets = spec.queries.map(({ expr, legend }, index) => ({
    refId: String.fromCharCode(65 + index),
    datasource: DATA_SOURCE,
    expr,
    legendFormat: legend,
    instant: isInstant,
    range: !isInstant,
    exemplar: false,
    format: spec.kind === 'table' ? PromQueryFormat.Table : PromQueryFormat.TimeSeries,
    editorMode: 'code',
  })) as unknown as NonNullable<Panel['targets']>
  return built
}

function inNewTab({ title, url }: PanelLink): DashboardLink {
  return linkOf({ title, url, targetBlank: true })
}

/** A link one can see: the SDK's own hide in a menu. */
export function linkOf(changes: Partial<DashboardLink>): DashboardLink {
  const { placement: _inMenu, ...link } = { ...defaultDashboardLink(), ...changes }
  return link
}

/** A value that nothing was decided about is neither good nor bad. */
const NO_JUDGEMENT: Threshold = { value: null, color: 'text' }

function builderOf(spec: PanelSpec): TimeseriesPanel | StatPanel | StateTimelinePanel | TablePanel {
  switch (spec.kind) {
    case 'stat':
      return new StatPanel().reduceOptions({
        build: () => ({ values: false, calcs: ['lastNotNull'], fields: '' }),
      })
    case 'table':
      return tableOf(spec.queries, spec.columns)
    case 'states':
      return statesOf(spec.words)
    default:
      return seriesOf(spec)
  }
}

function seriesOf(spec: PanelSpec): TimeseriesPanel {
  const isBars = spec.kind === 'bars'
  const builder = new TimeseriesPanel()
    .legend({
      build: () => ({
        displayMode: LegendDisplayMode.Table,
        placement: LegendPlacement.Bottom,
        showLegend: true,
        // Bars add up, so their sum says something; the mean of ratios does not.
        calcs: isBars ? ['sum'] : ['lastNotNull'],
      }),
    })
    .tooltip({ build: () => ({ mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending }) })
    .drawStyle(isBars ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .fillOpacity(isBars ? 80 : 0)
    .lineWidth(isBars ? 0 : 2)
    // Where a number is below its floor the line ends: nothing is drawn over the gap.
    .spanNulls(false)
  if (isBars) builder.stacking({ build: () => ({ mode: StackingMode.Normal, group: 'A' }) })
  if (spec.steps !== undefined && !isBars)
    builder.thresholdsStyle({ build: () => ({ mode: GraphThresholdsStyleMode.Dashed }) })
  return builder
}

/** A band a series; what is equal side by side is one piece. */
function statesOf(words: readonly StateWord[]): StateTimelinePanel {
  return new StateTimelinePanel()
    .mergeValues(true)
    .showValue(VisibilityMode.Auto)
    .mappings([
      {
        type: MappingType.ValueToText,
        options: Object.fromEntries(
          words.map(({ value, text, color }, index) => [String(value), { text, color, index }]),
        ),
      },
    ])
}

/** One row a label set: the queries' answers side by side. */
function tableOf(queries: readonly PanelQuery[], columns: readonly TableColumn[]): TablePanel {
  const columnOf = (index: number) =>
    queries.length === 1 ? 'Value' : `Value #${String.fromCharCode(65 + index)}`
  const fieldOf = ({ name }: TableColumn) => {
    const index = queries.findIndex(({ legend }) => legend === name)
    return index < 0 ? name : columnOf(index)
  }
  const shown: DataTransformerConfig[] = [
    { id: 'merge', options: {} },
    { id: 'filterFieldsByName', options: { include: { names: columns.map(fieldOf) } } },
    {
      id: 'organize',
      options: {
        indexByName: Object.fromEntries(columns.map((column, index) => [fieldOf(column), index])),
        renameByName: Object.fromEntries(columns.map((column) => [fieldOf(column), column.heading])),
      },
    },
  ]
  const builder = new TablePanel().transformations(shown)
  for (const column of columns) {
    const properties = [
      ...(column.unit === undefined ? [] : [{ id: 'unit', value: column.unit }]),
      ...(column.decimals === undefined ? [] : [{ id: 'decimals', value: column.decimals }]),
      ...(column.steps === undefined
        ? []
        : [
            { id: 'thresholds', value: { mode: 'absolute', steps: column.steps } },
            { id: 'custom.cellOptions', value: { type: 'color-text' } },
          ]),
      ...(column.links === undefined ? [] : [{ id: 'links', value: column.links.map(inNewTab) }]),
    ]
    if (properties.length > 0) builder.overrideByName(column.heading, properties)
  }
  return builder
}

/** Grafana's name for the unit of a KPI: a share is shown as percent, on panels and nowhere else. */
export const UNIT_OF: Record<Kpi['unit'], string> = { ratio: 'percentunit', s: 's' }

/** Green, yellow and red where the catalog says from where on; without a judgement none. */
export function stepsOf({ thresholds }: Kpi): readonly Threshold[] | undefined {
  if (thresholds === undefined) return undefined
  const { warn, bad } = thresholds
  return warn < bad ? risingSteps(warn, bad) : fallingSteps(warn, bad)
}

export function risingSteps(warn: number, bad: number): readonly Threshold[] {
  return [
    { value: null, color: 'green' },
    { value: warn, color: 'yellow' },
    { value: bad, color: 'red' },
  ]
}

export function fallingSteps(warn: number, bad: number): readonly Threshold[] {
  return [
    { value: null, color: 'red' },
    { value: bad, color: 'yellow' },
    { value: warn, color: 'green' },
  ]
}
