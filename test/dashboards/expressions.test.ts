import { describe, expect, test } from 'vitest'
import { parsePromql } from '../../api/prom/parse.js'
import { burnPairs } from '../../api/slo/burn.js'
import { BURN_RULES } from '../../dashboards/burn.js'
import { floorOf, kpiExpression, kpiNamed } from '../../dashboards/expressions.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { PROM_SERIES_NAMES, SERVED_KPIS } from '../../schemas/prom-metrics.js'
import { boardsInFiles, type CompiledBoard, expressionsOf, rulesInFile, withVariables } from './grafana.js'

const boards = boardsInFiles()
const expressions = [
  ...expressionsOf(boards),
  ...rulesInFile().map(({ title, data }) => ({ where: title, expr: data[0]!.model.expr!, isInstant: true })),
]
const CHOICES = {
  one: { carrier: ['aldermoor'], site: ['dal'], direction: ['inbound'], __interval: ['1m'] },
  several: {
    carrier: ['aldermoor', 'unknown'],
    site: ['dal', 'unknown'],
    direction: ['inbound', 'outbound', 'unknown'],
    __interval: ['15m'],
  },
}

describe('expressions of dashboards and rules', () => {
  test('there are many, and each one parses and is of the subset, whatever is chosen', () => {
    expect(expressions.length).toBeGreaterThan(80)
    const refused = Object.values(CHOICES).flatMap((values) =>
      expressions.flatMap(({ where, expr }) => {
        const filled = withVariables(expr, values)
        try {
          parsePromql(filled)
          return filled.includes('$') ? [`${where}: a variable is left in ${filled}`] : []
        } catch (error) {
          return [`${where}: ${filled}: ${(error as Error).message}`]
        }
      }),
    )
    expect(refused).toEqual([])
  })

  test('a variable of the expressions is one of the dashboard', () => {
    const unknown = boards.flatMap((board) => {
      const known = new Set([...board.templating.list.map(({ name }) => name), '__interval'])
      return expressionsOf([board]).flatMap(({ where, expr }) =>
        [...expr.matchAll(/\$(\w+)/g)]
          .filter(([, name]) => !known.has(name!))
          .map(([text]) => `${where}: ${text}`),
      )
    })
    expect(unknown).toEqual([])
  })

  test('every metric, label and KPI is one that /prom serves', () => {
    const labelsOf = new Map(PROM_SERIES_NAMES.map(({ name, labels }) => [name, labels]))
    const kpis = new Set(SERVED_KPIS.map(({ id }) => id))
    const wrong = expressions.flatMap(({ where, expr }) => [
      ...[...expr.matchAll(/trunkscope_\w+/g)]
        .filter(([name]) => !labelsOf.has(name))
        .map(([name]) => `${where}: ${name}`),
      ...[...expr.matchAll(/(trunkscope_\w+)\{([^}]*)\}/g)].flatMap(([, name, matchers]) =>
        [...matchers!.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)]
          .filter(([, label]) => labelsOf.get(name!)?.includes(label!) !== true)
          .map(([, label]) => `${where}: ${name} has no label ${label}`),
      ),
      ...[...expr.matchAll(/kpi="(\w+)"/g)]
        .filter(([, id]) => !kpis.has(id!))
        .map(([text]) => `${where}: ${text}`),
    ])
    expect(wrong).toEqual([])
  })

  test('a legend names labels that the answer has', () => {
    const wrong = boards.flatMap((board: CompiledBoard) =>
      board.panels.flatMap(({ title, targets = [] }) =>
        targets.flatMap(({ expr, legendFormat }) => {
          const kept = /^(?:count\()?sum by \(([^)]*)\)|^histogram_quantile\([\d.]+, sum by \(([^)]*)\)/.exec(
            expr,
          )
          const labels = kept === null ? undefined : (kept[1] ?? kept[2])!.split(', ')
          return [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)]
            .filter(([, label]) => labels !== undefined && !labels.includes(label!))
            .map(([text]) => `${board.title}: ${title}: ${text}`)
        }),
      ),
    )
    expect(wrong).toEqual([])
  })

  test('a variable lists the values of a label that the metric has', () => {
    const labelsOf = new Map(PROM_SERIES_NAMES.map(({ name, labels }) => [name, labels]))
    const queries = boards.flatMap(({ templating }) =>
      templating.list
        .filter(({ type }) => type === 'query')
        .map(({ query }) => (query as { query: string }).query),
    )
    expect(new Set(queries).size).toBe(5)
    for (const query of queries) {
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(query)!
      expect(labelsOf.get(metric!)).toContain(label)
    }
  })

  test('ratios are sums over sums with their floor; nothing takes the mean of ratios', () => {
    expect(kpiExpression(kpiNamed('ner'), ['carrier'], 'site="dal"')).toBe(
      'sum by (carrier) (increase(trunkscope_kpi_numerator_total{kpi="ner",site="dal"}[1h])) / ' +
        'sum by (carrier) (increase(trunkscope_kpi_denominator_total{kpi="ner",site="dal"}[1h])) ' +
        'and on (carrier) (sum by (carrier) (increase(trunkscope_kpi_denominator_total{kpi="ner",site="dal"}[1h])) >= 100)',
    )
    expect(expressions.filter(({ expr }) => /\bavg\b|trunkscope_kpi_ratio/.test(expr))).toEqual([])
    for (const kpi of KPI_CATALOG) expect(kpiExpression(kpi, ['site'])).toContain(`>= ${floorOf(kpi)})`)
  })

  test('a floor is that of the catalog, and never below what Trunkscope itself calls low confidence', () => {
    expect(floorOf(kpiNamed('ner'))).toBe(100)
    expect(floorOf(kpiNamed('pdd_p99'))).toBe(500)
  })

  test('bars add up: each is the increase since the one before, of whole minutes', () => {
    const bars = boards
      .flatMap(({ panels }) => panels)
      .filter(({ fieldConfig }) => JSON.stringify(fieldConfig ?? {}).includes('"drawStyle":"bars"'))
    expect(bars.length).toBeGreaterThan(10)
    const wrong = bars.filter(
      ({ interval, targets = [] }) =>
        interval !== '1m' || targets.some(({ expr }) => !expr.includes('[$__interval]') || / \/ /.test(expr)),
    )
    expect(wrong.map(({ title }) => title)).toEqual([])
    expect(expressions.filter(({ expr }) => expr.includes('$__rate_interval'))).toEqual([])
  })

  test('burn is drawn with the windows and limits that Trunkscope pages by', () => {
    const name = (seconds: number) =>
      seconds % 86_400 === 0
        ? `${seconds / 86_400}d`
        : seconds % 3_600 === 0
          ? `${seconds / 3_600}h`
          : `${seconds / 60}m`
    expect(BURN_RULES.map(({ severity, long, short, limit }) => ({ severity, long, short, limit }))).toEqual(
      burnPairs(30).map(({ severity, longS, shortS, threshold }) => ({
        severity,
        long: name(longS),
        short: name(shortS),
        limit: threshold,
      })),
    )
  })
})
