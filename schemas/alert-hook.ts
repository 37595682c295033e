/**
 * What the api tells on-call: one transition of one alert, the same for every sink; and what it tells of a scorecard that a
 * schedule made. Both go through the same outbox.
 *
 * `key` is the alert's identity for ever: `sha256(rule, sorted labels)`, the first 32 hex digits. A value that changes stands
 * in annotations, never in a label: otherwise every evaluation would be a new alert.
 */

export type Severity = 'page' | 'ticket'

export interface AlertNotice {
  kind?: undefined
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
    /**
     * Of an alert about one carrier: how it stands beside the others on the same destinations (docs/peers.md), as it was when
     * the alert began. Left out where calls that fail are not what it is about, or it could not be read.
     */
    peers?: 'carrier' | 'destination' | 'both_fine' | 'not_enough'
    /** Its numbers; it stands at the end of `likely_cause`, too. */
    peers_sentence?: string
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

/** One number of a scorecard with its doubt. */
export interface HeadlineRow {
  id: string
  name: string
  unit: string
  value: number | null
  interval: readonly number[] | null
  low_confidence: boolean
  /** Why there is no value. */
  reason?: string
  previous: number | null
  change: string
}

export interface HeadlineGrade {
  grade: string
  confidence: string
  previous_grade: string
  why: string
}

/** What is told of a scorecard, in the words of its JSON. */
export interface ScorecardHeadline {
  week: { id: string; from: string; to: string; is_complete: boolean }
  as_of: string | null
  /** null: all carriers side by side. */
  carrier: ({ id: string; name: string; has_traffic: boolean } & HeadlineGrade) | null
  rows: readonly HeadlineRow[]
  /** Of all side by side: each, with its NER. */
  carriers: readonly ({
    id: string
    name: string
    has_traffic: boolean
    ner: HeadlineRow | null
  } & HeadlineGrade)[]
  /** Formats that could not be made. */
  omitted: readonly { format: string; why: string }[]
}

export interface ScorecardDocument {
  id: string
  format: string
  file_name: string
  sha256: string
  size_bytes: number
  /** Page of Trunkscope with the document; none without `alerts.page_url`. */
  link?: string
}

/** Told once. What goes to Alertmanager and PagerDuty is an alert; this is none. */
export interface ScorecardNotice {
  kind: 'scorecard'
  /** 32 hex digits: schedule, firing and carrier. */
  key: string
  transition: 1
  status: 'made'
  /** Id of the schedule. */
  rule: string
  severity?: undefined
  sinks: readonly string[]
  /** `schedule`, `week`, and `carrier` unless it is all side by side. */
  labels: Readonly<Record<string, string>>
  annotations: { summary: string; link?: string }
  headline: ScorecardHeadline
  documents: readonly ScorecardDocument[]
  firedAtUs: number
  madeAtUs: number
}

export type Notice = AlertNotice | ScorecardNotice
