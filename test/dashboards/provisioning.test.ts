import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { GRAFANA_RULES } from '../../dashboards/alert-rules.js'
import { PLACES } from '../../dashboards/provisioning.js'
import { readCompose } from '../support/compose.js'
import { type CompiledRule, compiledText, rulesInFile } from './grafana.js'

const rules = rulesInFile()
const ofRule = (fields: (rule: CompiledRule) => boolean) =>
  rules.filter((rule) => !fields(rule)).map(({ title }) => title)

describe('provisioning files', () => {
  test('the data source asks by POST, never incrementally, and its token comes from a file', () => {
    const { apiVersion, datasources } = parse(compiledText('provisioning/datasources/trunkscope.yaml'))
    expect(apiVersion).toBe(1)
    expect(datasources).toHaveLength(1)
    expect(datasources[0]).toMatchObject({
      uid: 'trunkscope',
      type: 'prometheus',
      access: 'proxy',
      url: 'http://api:8080/prom',
      jsonData: {
        httpMethod: 'POST',
        manageAlerts: false,
        timeInterval: '60s',
        prometheusType: 'Prometheus',
        incrementalQuerying: false,
        httpHeaderName1: 'Authorization',
      },
    })
    const { httpHeaderValue1 } = datasources[0].secureJsonData
    expect(httpHeaderValue1).toBe(`Bearer $__file{${PLACES.token}}`)
  })

  test('the dashboards lie where compose mounts them, and are not changed in a browser', () => {
    const { apiVersion, providers } = parse(compiledText('provisioning/dashboards/trunkscope.yaml'))
    expect(apiVersion).toBe(1)
    expect(providers).toMatchObject([
      { type: 'file', folderUid: 'trunkscope', allowUiUpdates: false, options: { path: PLACES.dashboards } },
    ])
    const mounts = readCompose(readFileSync('docker-compose.yml', 'utf8')).services.grafana!.volumes!
    expect(mounts).toContain(`./dashboards/compiled/json:${PLACES.dashboards}:ro`)
    for (const folder of ['datasources', 'dashboards']) {
      expect(mounts).toContain(
        `./dashboards/compiled/provisioning/${folder}:/etc/grafana/provisioning/${folder}:ro`,
      )
    }
    // Trunkscope alerts itself: that Grafana does too is for who asks for it.
    expect(mounts.join()).not.toContain('provisioning/alerting')
  })

  test('rules are paused, have uids, and every field that a file needs', () => {
    expect(rules.map(({ title }) => title)).toEqual(GRAFANA_RULES.map(({ name }) => name))
    expect(ofRule(({ isPaused }) => isPaused === true)).toEqual([])
    expect(new Set(rules.map(({ uid }) => uid)).size).toBe(rules.length)
    expect(ofRule(({ uid }) => /^[a-z0-9-]{1,40}$/.test(uid))).toEqual([])
    expect(
      ofRule(({ noDataState, execErrState }) => noDataState === 'OK' && execErrState === 'Error'),
    ).toEqual([])
    expect(ofRule((rule) => /^\d+[sm]$/.test(rule.for))).toEqual([])
    expect(ofRule(({ condition, data }) => data.some(({ refId }) => refId === condition))).toEqual([])
    expect(
      ofRule(({ data }) =>
        data.every(
          ({ refId, model, datasourceUid }) =>
            model.refId === refId && ['trunkscope', '__expr__'].includes(datasourceUid),
        ),
      ),
    ).toEqual([])
  })

  test('a time range is one object: a number in its place keeps Grafana from starting', () => {
    const ranges = rules.flatMap(({ data }) => data.map(({ relativeTimeRange }) => relativeTimeRange))
    expect(new Set(ranges.map((range) => JSON.stringify(range)))).toEqual(new Set(['{"from":600,"to":0}']))
  })

  test('nothing but labels and annotations has a dollar that Grafana would expand', () => {
    const rest = rules.map(({ labels: _labels, annotations: _annotations, ...rule }) => JSON.stringify(rule))
    expect(rest.filter((text) => text.includes('$'))).toEqual([])
  })

  test('labels double their dollars, annotations do not', () => {
    for (const { labels, annotations } of rules) {
      expect(Object.values(labels).join()).not.toMatch(/(?<!\$)\$(?!\$)/)
      expect(labels.about).toMatch(/^\{\{ \$\$labels\.\w+ \}\}$/)
      expect(Object.values(annotations).join()).toContain('{{ $labels.')
      expect(Object.values(annotations).join()).not.toContain('$$')
    }
  })

  test('the file has one group, and no policy and no receiver: those would replace the whole tree of an organisation', () => {
    const file = JSON.parse(compiledText('provisioning/alerting/trunkscope.json'))
    expect(Object.keys(file)).toEqual(['apiVersion', 'groups'])
    expect(file.groups).toMatchObject([
      { orgId: 1, name: 'Trunkscope', folder: 'Trunkscope', interval: '60s' },
    ])
  })
})
