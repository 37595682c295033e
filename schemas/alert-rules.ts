/**
 * `alerts` of trunkscope.yaml: on what somebody is told, how urgently, and where.
 *
 * The rules every installation has (burn of each objective, blind taps, capture loss, a collector that is behind) are on
 * without a line of configuration; `rules` adds rules on numbers of the KPI catalog.
 *
 * Source   metrics.md §8, ecosystem.md §7. What the keys mean, with examples: docs/alerts.md.
 */
import { z } from 'zod'
import { SLO_EACH } from './slos.js'

export const ALERT_SEVERITIES = ['page', 'ticket'] as const

/**
 * level: the number itself. past_weeks: its distance from the median of the same minutes of past weeks. peers: its distance
 * from the same number over all other carriers of that site (with `each: carrier`: of all sites).
 */
export const COMPARISONS = ['level', 'past_weeks', 'peers'] as const

/** Fewest events that speak for the alert (metrics.md §8); of a mean, which has no such events, fewest measurements. */
export const EVENTS_FLOOR = { page: 5, ticket: 3 } as const
export const MEAN_FLOOR = 100
/** Of rules on `attempts`: so many must be expected, so that none at all is no chance. */
export const EXPECTED_FLOOR = 20

const id = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
  message: 'is no id; write lower-case letters, digits, - and _, at most 63, for example alpha-answers-drop',
})
const sinks = z.array(z.string()).min(1)

export const alertRuleSchema = z
  .strictObject({
    id,
    /** Id or alias in the KPI catalog, or `attempts`: how many there were (only `below`, and not with `peers`). */
    kpi: z.string(),
    compare: z.enum(COMPARISONS).default('level'),
    /**
     * A ratio as 0..1, a delay in seconds. With `past_weeks` and `peers` a distance: 0.1 is ten points of a ratio; of `attempts`
     * a share of what past weeks let expect.
     */
    above: z.number().optional(),
    below: z.number().optional(),
    /** Of `past_weeks`: so many are looked at. */
    weeks: z.int().min(1).max(8).default(4),
    each: z.enum(SLO_EACH).default('carrier'),
    /** Only these; left out: all. */
    carriers: z.array(z.string()).min(1).optional(),
    sites: z.array(z.string()).min(1).optional(),
    window_minutes: z.int().min(1).max(4_320).default(60),
    /** How long it must hold before anybody is told. */
    for_minutes: z.int().min(0).max(1_440).default(2),
    /** How long it must be over before that is believed. */
    keep_firing_minutes: z.int().min(0).max(1_440).default(5),
    /** Left out: `EVENTS_FLOOR`; of `attempts` those to be expected, `EXPECTED_FLOOR`. */
    floor_events: z.int().min(1).optional(),
    severity: z.enum(ALERT_SEVERITIES).default('ticket'),
    /** Ids of sinks; left out: those of the severity. */
    sinks: sinks.optional(),
    runbook_url: z.url({ protocol: /^https?$/ }).optional(),
  })
  .refine(({ above, below }) => (above === undefined) !== (below === undefined), {
    message: 'needs above or below, and not both; write for example below: 0.9',
  })
export type AlertRuleConfig = z.output<typeof alertRuleSchema>

export const alertsSchema = z
  .strictObject({
    /** false: nothing is evaluated. */
    enabled: z.boolean().default(true),
    evaluation_interval_s: z.int().min(10).max(3_600).default(60),
    /** Address of Trunkscope as people reach it; without it alerts carry no links to its pages. */
    page_url: z.url({ protocol: /^https?$/ }).optional(),
    /** Where the pages of dashboards/runbooks/ lie. */
    runbooks_url: z.url({ protocol: /^https?$/ }).optional(),
    /** Whom to tell; left out: every sink. */
    sinks: z.strictObject({ page: sinks.optional(), ticket: sinks.optional() }).prefault({}),
    /** Rules that are on unless they are switched off here. */
    burn: z.boolean().default(true),
    blind_tap: z.boolean().default(true),
    carrier_silent: z.boolean().default(true),
    /** The share of attempts of a site that the capture lost a part of, over 15 minutes. */
    capture_loss: z
      .strictObject({
        enabled: z.boolean().default(true),
        above_ratio: z.number().gt(0).lt(1).default(0.05),
      })
      .prefault({}),
    /**
     * The share of A and B of a carrier and direction is farther below that of past weeks, or more of the calls that arrive
     * signed leave without a token.
     */
    attestation_lost: z
      .strictObject({
        enabled: z.boolean().default(true),
        falls_by_ratio: z.number().gt(0).lt(1).default(0.2),
        lost_above_ratio: z.number().gt(0).lt(1).default(0.05),
      })
      .prefault({}),
    /** Days before the end of a certificate that signs calls. */
    certificate_expiring: z
      .strictObject({
        enabled: z.boolean().default(true),
        ticket_days: z.int().min(1).max(365).default(14),
        page_days: z.int().min(0).max(365).default(3),
      })
      .prefault({}),
    /** A trunk that answers nothing any more (docs/trunks.md). */
    trunk_down: z
      .strictObject({
        enabled: z.boolean().default(true),
        severity: z.enum(ALERT_SEVERITIES).default('ticket'),
      })
      .prefault({}),
    /** With a number inventory: calls arrive on a carrier that does not own the called number (docs/numbers.md). */
    number_on_wrong_carrier: z.boolean().default(true),
    /** Of carriers with `spcs`: an inbound call is signed, with a valid signature, by somebody else. */
    signer_not_in_contract: z.boolean().default(true),
    rules: z.array(alertRuleSchema).max(200).default([]),
  })
  .prefault({})
export type AlertsConfig = z.output<typeof alertsSchema>
