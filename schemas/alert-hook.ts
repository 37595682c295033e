/**
 * What the api tells on-call: one transition of one alert, the same for every sink.
 *
 * `key` is the alert's identity for ever: `sha256(rule, sorted labels)`, the first 32 hex digits. A value that changes stands
 * in annotations, never in a label: otherwise every evaluation would be a new alert.
 */

export type Severity = 'page' | 'ticket'

export interface AlertNotice {
  /** 32 hex digits. */
  key: string
  /** Ascending over the alert's life; `<key>.<transition>` names this notice for ever. */
  transition: number
  status: 'firing' | 'resolved'
  rule: string
  severity: Severity
  /** Ids of sinks to tell. */
  sinks: readonly string[]
  /** `alertname`, `severity`, and what it is about: `carrier`, `site`, `slo`, `agent`. */
  labels: Readonly<Record<string, string>>
  annotations: {
    /** One line with the carrier, the numbers, n, and the interval. */
    summary: string
    /** "alpha only: the other carriers of dal are fine". */
    likely_cause?: string
    runbook_url?: string
    /** Whom to call at the carrier. */
    escalation?: string
    /** Attempt ids, a few. */
    sample_attempts?: string
    /** Page of Trunkscope with the attempts. */
    link?: string
    [name: string]: string | undefined
  }
  /** Numbers for machines: numerator, denominator, interval, burn … */
  details: Readonly<Record<string, string | number | null>>
  startsAtUs: number
  /** Of a resolved one. */
  endsAtUs: number | undefined
}
