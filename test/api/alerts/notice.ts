/** Notices as the rules give them. */
import type { AlertNotice } from '../../../schemas/alert-hook.js'

/** 2026-11-20T10:02:00Z. */
export const STARTED_US = 1_795_168_920_000_000

export function notice(changes: Partial<AlertNotice> = {}): AlertNotice {
  const status = changes.status ?? 'firing'
  return {
    key: '0123456789abcdef0123456789abcdef',
    transition: status === 'firing' ? 1 : 2,
    status,
    rule: 'CarrierBurnFast',
    severity: 'page',
    sinks: ['hook'],
    labels: { alertname: 'CarrierBurnFast', severity: 'page', carrier: 'alpha', site: 'dal' },
    annotations: {
      summary: 'alpha dal: burn 20, 20 of 1,000 bad in 1 h (99.5 % promised)',
      likely_cause: 'alpha only: the other carriers of dal are fine',
      runbook_url: 'https://runbooks.example/CarrierBurnFast.md#first-look',
      link: 'https://trunkscope.example/attempts?carrier=alpha',
    },
    details: { numerator: 20, denominator: 1_000, burn: 20, capture_loss_ratio: 0 },
    startsAtUs: STARTED_US,
    endsAtUs: status === 'resolved' ? STARTED_US + 600e6 : undefined,
    ...changes,
  }
}

/** The same alert for another carrier, with a key of its own. */
export function noticeOf(carrier: string, changes: Partial<AlertNotice> = {}): AlertNotice {
  const base = notice(changes)
  return {
    ...base,
    key: changes.key ?? Buffer.from(carrier.padEnd(16, '.')).toString('hex').slice(0, 32),
    labels: { ...base.labels, carrier },
  }
}
