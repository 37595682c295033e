/**
 * PagerDuty, Events API v2: `trigger` opens an incident or adds to the open one of the same `dedup_key`, `resolve` ends it.
 *
 * Takes    a notice; pure. Returns the request.
 * Source   ecosystem.md §7; https://developer.pagerduty.com/docs/send-alert-event: summary ≤ 1,024 characters, dedup_key
 *          ≤ 255, severity one of critical, error, warning, info; an event is at most 512 KB.
 */
import type { AlertNotice } from '../../../schemas/alert-hook.js'
import { cutText, linkOf, type OutgoingRequest, type PagerDutySink, rfc3339 } from './sink.js'

const SUMMARY_UNITS_MAX = 1_024
const DEDUP_KEY_UNITS_MAX = 255
const DETAIL_UNITS_MAX = 4_096
const SEVERITIES = { page: 'critical', ticket: 'warning' } as const

export function pagerDutyRequest(sink: PagerDutySink, notice: AlertNotice): OutgoingRequest {
  const head = {
    routing_key: sink.routingKey,
    event_action: notice.status === 'firing' ? 'trigger' : 'resolve',
    dedup_key: cutText(notice.key, DEDUP_KEY_UNITS_MAX),
  }
  return {
    url: sink.url,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(notice.status === 'firing' ? { ...head, ...triggerOf(notice) } : head),
  }
}

function triggerOf(notice: AlertNotice) {
  const { annotations, labels } = notice
  const clientUrl = linkOf(annotations.link)
  const runbook = linkOf(annotations.runbook_url)
  return {
    client: 'Trunkscope',
    ...(clientUrl === undefined ? {} : { client_url: clientUrl }),
    ...(runbook === undefined ? {} : { links: [{ href: runbook, text: 'Runbook' }] }),
    payload: {
      summary: cutText(annotations.summary || notice.rule, SUMMARY_UNITS_MAX),
      // Must not be empty.
      source: labels.site || labels.agent || labels.carrier || 'trunkscope',
      severity: SEVERITIES[notice.severity],
      timestamp: rfc3339(notice.startsAtUs),
      ...(labels.carrier === undefined ? {} : { component: labels.carrier, group: labels.carrier }),
      class: notice.rule,
      custom_details: detailsOf(notice),
    },
  }
}

function detailsOf({ annotations, details, labels }: AlertNotice): Record<string, string | number | null> {
  const { summary: _, ...others } = annotations
  const texts = Object.entries({ ...labels, ...others }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, cutText(value, DETAIL_UNITS_MAX)] as const],
  )
  return { ...Object.fromEntries(texts), ...details }
}
