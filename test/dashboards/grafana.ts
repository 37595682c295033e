/** What Grafana does with a compiled dashboard before it asks: finds the expressions and fills in the variables. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const COMPILED = 'dashboards/compiled'

export interface CompiledPanel {
  id: number
  type: string
  title: string
  description?: string
  gridPos: { x: number; y: number; w: number; h: number }
  datasource?: { type: string; uid: string }
  interval?: string
  links?: { title: string; url: string }[]
  options: { content?: string; legend?: { showLegend: boolean } }
  fieldConfig: {
    defaults: { unit?: string; noValue?: string; links?: { url: string }[] }
    overrides: { matcher: { options: string }; properties: { id: string; value: unknown }[] }[]
  }
  targets?: {
    refId: string
    expr: string
    instant: boolean
    range: boolean
    datasource: { uid: string }
    legendFormat: string
  }[]
}

export interface CompiledBoard {
  uid: string
  title: string
  description: string
  schemaVersion: number
  panels: CompiledPanel[]
  links: { url: string }[]
  templating: {
    list: { name: string; type: string; query: string | { query: string }; description?: string }[]
  }
}

export interface CompiledRule {
  uid: string
  title: string
  condition: string
  data: {
    refId: string
    datasourceUid: string
    relativeTimeRange: unknown
    model: { refId: string; expr?: string }
  }[]
  for: string
  noDataState: string
  execErrState: string
  isPaused: boolean
  labels: Record<string, string>
  annotations: Record<string, string>
}

export function compiledText(path: string): string {
  return readFileSync(join(COMPILED, path), 'utf8')
}

export function boardsInFiles(): CompiledBoard[] {
  return readdirSync(join(COMPILED, 'json'))
    .sort()
    .map((name) => JSON.parse(compiledText(join('json', name))) as CompiledBoard)
}

/** All but headings and text. */
export function drawnPanels(board: CompiledBoard): CompiledPanel[] {
  return board.panels.filter(({ type }) => type !== 'row' && type !== 'text')
}

export function rulesInFile(): CompiledRule[] {
  const file = JSON.parse(compiledText('provisioning/alerting/trunkscope.json')) as {
    groups: { rules: CompiledRule[] }[]
  }
  return file.groups.flatMap(({ rules }) => rules)
}

/** `(a|b)` for several values and `a` for one: what the Prometheus data source puts in place of `$carrier`. */
export function withVariables(text: string, values: Record<string, readonly string[]>): string {
  return text.replace(/\$(\w+)|\$\{(\w+)(?::(\w+))?\}/g, (whole, bare, braced, format) => {
    const chosen = values[bare ?? braced]
    if (chosen === undefined) return whole
    if (format === 'csv') return chosen.join(',')
    return chosen.length === 1 ? chosen[0]! : `(${chosen.join('|')})`
  })
}

export interface Expression {
  where: string
  expr: string
  isInstant: boolean
}

export function expressionsOf(boards: readonly CompiledBoard[]): Expression[] {
  return boards.flatMap((board) =>
    drawnPanels(board).flatMap((panel) =>
      (panel.targets ?? []).map(({ refId, expr, instant }) => ({
        where: `${board.title}: ${panel.title} (${refId})`,
        expr,
        isInstant: instant,
      })),
    ),
  )
}

/** Every address on a dashboard, as written. */
export function urlsOf(board: CompiledBoard): string[] {
  const ofPanels = board.panels.flatMap(({ links = [], fieldConfig }) => [
    ...links,
    ...(fieldConfig?.defaults.links ?? []),
    ...(fieldConfig?.overrides ?? []).flatMap(({ properties }) =>
      properties.filter(({ id }) => id === 'links').flatMap(({ value }) => value as { url: string }[]),
    ),
  ])
  return [...new Set([...board.links, ...ofPanels].map(({ url }) => url))]
}
