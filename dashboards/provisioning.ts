/**
 * What Grafana reads at its start: the data source, where the dashboards lie, and alert rules that are switched off.
 *
 * The builders of the SDK make what the HTTP API takes; files have another shape (`rulesFile`). A value like `600` in place
 * of a time range keeps Grafana from starting, so test/dashboards/provisioning.test.ts looks at every field.
 */
import type { Rule, RuleGroup } from '@grafana/grafana-foundation-sdk/alerting'
import { DATA_SOURCE } from './panel.js'

/** Where docker-compose.yml mounts them; another place is another line in these files. */
export const PLACES = {
  api: 'http://api:8080/prom',
  token: '/run/trunkscope/api_token',
  dashboards: '/var/lib/grafana/dashboards',
} as const

export const FOLDER = { title: 'Trunkscope', uid: 'trunkscope' } as const

/** YAML by hand, because a person will read and change it. Grafana itself puts the token in, so none is in a file of ours. */
export function dataSourceFile(): string {
  return `# Grafana's built-in Prometheus data source, pointed at our API. Dashboards name it by its uid.
apiVersion: 1
datasources:
  - name: Trunkscope
    uid: ${DATA_SOURCE.uid}
    type: ${DATA_SOURCE.type}
    access: proxy
    url: ${PLACES.api}
    isDefault: true
    editable: false
    jsonData:
      httpMethod: POST
      manageAlerts: false
      timeInterval: 60s
      prometheusType: Prometheus
      # Minutes change when late messages come: what Grafana remembers of them would be wrong.
      incrementalQuerying: false
      httpHeaderName1: Authorization
    secureJsonData:
      httpHeaderValue1: Bearer $__file{${PLACES.token}}
`
}

export function dashboardsFile(): string {
  return `# The dashboards are made by npm run dashboards; a change in the browser would be gone with the next start.
apiVersion: 1
providers:
  - name: Trunkscope
    orgId: 1
    folder: ${FOLDER.title}
    folderUid: ${FOLDER.uid}
    type: file
    disableDeletion: true
    allowUiUpdates: false
    updateIntervalSeconds: 60
    options:
      path: ${PLACES.dashboards}
`
}

/** Groups of the builders, as a file that Grafana provisions from. */
export function rulesFile(groups: readonly RuleGroup[]) {
  return {
    apiVersion: 1,
    groups: groups.map(({ title, interval, rules }) => ({
      orgId: 1,
      name: title,
      folder: FOLDER.title,
      interval: `${interval}s`,
      rules: (rules ?? []).map(ruleInFile),
    })),
  }
}

function ruleInFile(rule: Rule) {
  return {
    uid: rule.uid,
    title: rule.title,
    condition: rule.condition,
    data: rule.data,
    for: rule.for,
    noDataState: rule.noDataState,
    execErrState: rule.execErrState,
    isPaused: rule.isPaused,
    labels: mapped(rule.labels, ownDollars),
    // In annotations Grafana expands nothing, and a doubled dollar would stay one too many.
    annotations: rule.annotations,
  }
}

/** Grafana takes `$labels` in a label for a variable of its environment; `$$labels` it reads as `$labels`. */
const ownDollars = (text: string) => text.replaceAll('$', '$$$$')

function mapped(texts: Record<string, string> | undefined, map: (text: string) => string) {
  return Object.fromEntries(Object.entries(texts ?? {}).map(([name, text]) => [name, map(text)]))
}
