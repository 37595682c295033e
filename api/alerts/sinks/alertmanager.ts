/**
 * Alertmanager, API v2: `POST {url}/api/v2/alerts`, a JSON array. An alert is its label set; it fires as long as it is told
 * again before its `endsAt`, and is resolved by one that is past. Grouping, silences, inhibition and escalation are its own.
 *
 * Takes    notices and the time; pure.
 * Returns  the request. Label names are cleaned to `[a-zA-Z_][a-zA-Z0-9_]*`, because one bad alert makes the answer 400 for
 *          all, although the good ones were taken.
 * Source   ecosystem.md §7; https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
 */
import type { AlertNotice } from '../../../schemas/alert-hook.js'
import { type AlertmanagerSink, cutText, linkOf, type OutgoingRequest, rfc3339 } from './sink.js'

/** Three resends may fail or be late before it thinks the alert is over. */
const MISSED_RESENDS = 3
const VALUE_UNITS_MAX = 4_096

export function alertmanagerRequest(
  sink: AlertmanagerSink,
  notices: readonly AlertNotice[],
  nowMs: number,
): OutgoingRequest {
  const alerts = notices.map((notice) => alertOf(notice, nowMs, sink.resendIntervalS))
  return {
    url: `${sink.url.replace(/\/+$/, '')}/api/v2/alerts`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts),
  }
}

function alertOf(notice: AlertNotice, nowMs: number, resendIntervalS: number) {
  const { annotations, labels } = notice
  const generatorURL = linkOf(annotations.link)
  return {
    labels: cleanLabels({ alertname: notice.rule, severity: notice.severity, ...labels }),
    annotations: cleanLabels(annotations),
    startsAt: rfc3339(notice.startsAtUs),
    endsAt: rfc3339(
      notice.status === 'firing'
        ? nowMs * 1_000 + MISSED_RESENDS * resendIntervalS * 1e6
        : // Before its start it would be refused, and an end to come would keep it firing.
          Math.max(notice.startsAtUs, Math.min(notice.endsAtUs ?? nowMs * 1_000, nowMs * 1_000)),
    ),
    ...(generatorURL === undefined ? {} : { generatorURL }),
  }
}

/** Names as Alertmanager wants them; two that become the same are told apart by a number, in the order of the names. */
export function cleanLabels(labels: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const clean: Record<string, string> = {}
  // Names that need no cleaning keep theirs.
  const names = Object.keys(labels).sort(
    (a, b) => Number(isClean(b)) - Number(isClean(a)) || (a < b ? -1 : 1),
  )
  for (const name of names) {
    const value = labels[name]
    // An empty value is no label to it.
    if (value === undefined || value === '') continue
    const base = cleanName(name)
    let free = base
    for (let number = 2; Object.hasOwn(clean, free); number++) free = `${base}_${number}`
    Object.defineProperty(clean, free, {
      value: cutText(value, VALUE_UNITS_MAX),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return clean
}

const isClean = (name: string) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)

function cleanName(name: string): string {
  const cleaned = name.replace(/[^a-zA-Z0-9_]/g, '_')
  return /^[a-zA-Z_]/.test(cleaned) ? cleaned : `_${cleaned}`
}
