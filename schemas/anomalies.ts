/**
 * Suspicions about early media and false answer supervision (FAS): the codes of metrics.md §5, each with what makes it, from
 * where that comes and how much it weighs; the thresholds they go by; and the rows of `attempt_anomalies`.
 *
 * From signalling only: SIP has no early-media indicator, and no message proves that media flowed (RFC 3960 §3.2). So a code
 * is never a verdict. Rules: evidence/early-media/ (one attempt), fas-windows.ts (many). What they say stands in docs/early-media.md.
 */
import { z } from 'zod'

/** info: by itself nothing; warn: worth a look; high: media was moved, or somebody else answered than rang. */
export const SEVERITIES = ['info', 'warn', 'high'] as const
export type Severity = (typeof SEVERITIES)[number]

/**
 * Over which attempts a code is counted: those that it could have been about.
 *
 * early_media           an 18x with SDP
 * early_media_answered  an 18x with SDP, and a 2xx
 * rang                  any 18x
 * heard                 a post-dial delay
 * answered              a 2xx, CANCEL_RACE_200 left out
 */
export const BASES = ['early_media', 'early_media_answered', 'rang', 'heard', 'answered'] as const
export type Base = (typeof BASES)[number]

export interface AnomalyRule {
  name: string
  /** With the names of thresholds in {}. */
  condition: string
  /** The heaviest that it may be. */
  severity: Severity
  base: Base
  /** record: columns of the attempt; messages: those of its last try that are stored. */
  reads: 'record' | 'messages'
  /** Common on sound connections: only a rate above the carrier's own four weeks before says something. */
  isBaselineOnly?: true
  source: string
  version: number
}

const ours = { source: 'metrics.md §5, our decision', version: 1 } as const

export const ANOMALY_RULES = {
  EM_ANNOUNCE_FAIL: {
    ...ours,
    name: 'Announcement before a failure',
    condition:
      'An 18x with SDP, and {announce_fail_ms} ms or more later a final response that is neither 2xx nor 487.',
    severity: 'warn',
    base: 'early_media',
    reads: 'record',
  },
  EM_ANNOUNCE_CANCEL: {
    ...ours,
    name: 'Announcement, then the caller gave up',
    condition: 'An 18x with SDP, never a 180, and a CANCEL {announce_cancel_ms} ms or more after that 18x.',
    severity: 'warn',
    base: 'early_media',
    reads: 'record',
  },
  EM_183_NO_180: {
    ...ours,
    name: 'Answered without 180',
    condition: 'An 18x with SDP and a 2xx, and no 180. Many PSTN gateways do this.',
    severity: 'info',
    base: 'early_media_answered',
    reads: 'record',
    isBaselineOnly: true,
  },
  EM_LONG: {
    ...ours,
    name: 'Long early media',
    condition:
      'From the first 18x with SDP to CANCEL or final response more than {long_info_ms} ms (info) or {long_warn_ms} ms (warn).',
    severity: 'warn',
    base: 'early_media',
    reads: 'record',
  },
  EM_180_AFTER_183: {
    ...ours,
    name: 'Late alerting',
    condition: 'The first 180 came more than {late_180_ms} ms after another 18x.',
    severity: 'warn',
    base: 'rang',
    reads: 'record',
  },
  EM_183_AFTER_180: {
    ...ours,
    name: 'Ringing, then media',
    condition: 'SDP came first in an 18x after a bare 180.',
    severity: 'info',
    base: 'early_media',
    reads: 'record',
  },
  EM_SDP_CHANGED: {
    ...ours,
    name: 'SDP changed with the answer',
    condition:
      'SDP of the 2xx differs from that of the last 18x of the same To tag in address, port, codec or direction; the o= line is not compared. After a reliable 18x high, else info.',
    severity: 'high',
    base: 'early_media_answered',
    reads: 'messages',
    source: 'metrics.md §5, our decision; reliable: RFC 3262 §3',
  },
  EM_ORIGIN_JUMP: {
    ...ours,
    name: 'Media moved to another network',
    condition:
      'The address of the audio is in another /24 (IPv6: /48) in the 2xx than in the last 18x with SDP: that of the same To tag, where there is one. Networks are told by address alone: no AS numbers are known here.',
    severity: 'warn',
    base: 'early_media_answered',
    reads: 'messages',
  },
  EM_MULTI_TAG: {
    ...ours,
    name: 'Several early dialogs',
    condition: 'Two To tags or more in the 18x of one try: somebody downstream forks.',
    severity: 'info',
    base: 'rang',
    reads: 'messages',
    source: 'metrics.md §5, our decision; early dialogs: RFC 3261 §12.1',
  },
  EM_NEW_TAG_ANSWER: {
    ...ours,
    name: 'Answered by somebody who had not rung',
    condition: 'The To tag of the 2xx is in none of the 18x of its try, and these have tags.',
    severity: 'warn',
    base: 'rang',
    reads: 'messages',
  },
  EM_NO_PEM: {
    ...ours,
    name: 'Early media without P-Early-Media',
    condition: 'An 18x with SDP without P-Early-Media, where the INVITE carries P-Early-Media: supported.',
    severity: 'info',
    base: 'early_media',
    reads: 'messages',
    isBaselineOnly: true,
    source: 'metrics.md §5, our decision; RFC 5009 §8',
  },
  EM_PEM_INACTIVE: {
    ...ours,
    name: 'P-Early-Media inactive, SDP sendrecv',
    condition:
      'The last P-Early-Media before the final response says inactive for a stream that the last SDP of the same To tag has as sendrecv.',
    severity: 'info',
    base: 'early_media',
    reads: 'messages',
    source: 'metrics.md §5, our decision; RFC 5009 §8',
  },
  EM_UNRELIABLE: {
    ...ours,
    name: 'Early media not sent reliably',
    condition: 'An 18x with SDP has no RSeq, where the INVITE supports or requires 100rel.',
    severity: 'info',
    base: 'early_media',
    reads: 'messages',
    isBaselineOnly: true,
    source: 'metrics.md §5, our decision; RFC 3262 §3',
  },
  EM_PRACK_MISSING: {
    ...ours,
    name: 'PRACK missing',
    condition:
      'An 18x with RSeq, and no PRACK with that number in RAck within {prack_ms} ms (64·T1) of its first copy.',
    severity: 'warn',
    base: 'rang',
    reads: 'messages',
    source: 'metrics.md §5, our decision; RFC 3262 §3 and §4',
  },
  EM_BLACKHOLE: {
    ...ours,
    name: 'Early media to nowhere',
    condition:
      'SDP of an 18x names 0.0.0.0 (IPv6: ::) or a private address (RFC 1918) for a stream with a port, or port 0 for all its streams.',
    severity: 'warn',
    base: 'early_media',
    reads: 'messages',
  },
  LATE_18X: {
    ...ours,
    name: 'Silence after dialling',
    condition:
      'Post-dial delay above the limit of the route, else {late_18x_ms} ms, or {late_18x_international_ms} ms where caller and called number are of different countries.',
    severity: 'warn',
    base: 'heard',
    reads: 'record',
  },
  RING_ZERO: {
    ...ours,
    name: 'Answered as soon as it rang',
    condition:
      'The 2xx came {ring_zero_ms} ms or less after the first 18x, and the called number is not in answers_at_once.',
    severity: 'info',
    base: 'answered',
    reads: 'record',
    isBaselineOnly: true,
  },
  FAS_NO_PROGRESS: {
    ...ours,
    name: 'Answered without any 18x',
    condition:
      'A 2xx, no 18x at all, and a post-dial delay below {no_progress_ms} ms. IVRs do this: only the share by carrier and prefix says something.',
    severity: 'info',
    base: 'answered',
    reads: 'record',
    isBaselineOnly: true,
  },
  FAS_EARLY_ANSWER: {
    ...ours,
    name: 'Answered at once, and hung up by the caller',
    condition:
      'The 2xx came less than {early_answer_ms} ms after the INVITE, the call lasted less than {early_answer_call_ms} ms, and the caller sent the BYE.',
    severity: 'warn',
    base: 'answered',
    reads: 'record',
  },
} as const satisfies Readonly<Record<string, AnomalyRule>>

export type AnomalyCode = keyof typeof ANOMALY_RULES
export const ANOMALY_CODES = Object.keys(ANOMALY_RULES) as [AnomalyCode, ...AnomalyCode[]]

/** Of type AnomalyRule, not of each literal. */
export function anomalyRule(code: AnomalyCode): AnomalyRule {
  return ANOMALY_RULES[code]
}

export interface FasPart {
  name: string
  condition: string
  /** Added to the score when the rule holds; all together are 100. */
  points: number
  source: string
  version: number
}

/** What the FAS score of a carrier on one prefix is made of. */
export const FAS_PARTS = {
  FAS_VS_PEERS: {
    ...ours,
    name: 'Answers more than its peers, for shorter calls',
    condition:
      'ASR above that of the other carriers on the prefix together by more than {peers_standard_errors} combined standard errors, and ACD below {peers_acd_ratio} of theirs; {answers_min} answers or more on both sides.',
    points: 40,
  },
  FAS_FLAT_TTA: {
    ...ours,
    name: 'Answers like a machine',
    condition:
      'Standard deviation of the time from INVITE to 2xx below {flat_tta_ratio} of its mean; {answers_min} answers or more.',
    points: 20,
  },
  FAS_CALLEE_NEVER_BYE: {
    ...ours,
    name: 'The callee never hangs up',
    condition:
      'Share of calls that the callee ended below {callee_bye_ratio}; {answers_min} answered calls or more whose BYE was seen.',
    points: 20,
  },
  FAS_NO_PROGRESS: {
    ...ours,
    name: 'More answers without 18x than on its other prefixes',
    condition:
      'The 95 % interval of the share of FAS_NO_PROGRESS lies above that of all other prefixes of the carrier; {answers_min} answers or more on both sides.',
    points: 10,
  },
  FAS_EARLY_ANSWER: {
    ...ours,
    name: 'More answers at once than on its other prefixes',
    condition:
      'The 95 % interval of the share of FAS_EARLY_ANSWER lies above that of all other prefixes of the carrier; {answers_min} answers or more on both sides.',
    points: 10,
  },
} as const satisfies Readonly<Record<string, FasPart>>

export type FasCode = keyof typeof FAS_PARTS
export const FAS_CODES = Object.keys(FAS_PARTS) as [FasCode, ...FasCode[]]

/** Digits as numbers are stored: '+' where they are global. */
const numberPrefix = z.string().regex(/^\+?[0-9]{1,15}$/, {
  message: 'is no number or first digits of one; write for example "+1800", in quotes',
})
const milliseconds = (usual: number) => z.int().min(0).max(3_600_000).default(usual)

/** `thresholds.early_media`. Starting points, all of them (metrics.md §11 point 8). */
export const earlyMediaThresholds = z
  .strictObject({
    announce_fail_ms: milliseconds(2_000),
    announce_cancel_ms: milliseconds(8_000),
    long_info_ms: milliseconds(60_000),
    long_warn_ms: milliseconds(180_000),
    late_180_ms: milliseconds(10_000),
    prack_ms: milliseconds(32_000),
    late_18x_ms: milliseconds(8_000),
    late_18x_international_ms: milliseconds(11_000),
    /** Of called numbers that begin so; the longest prefix counts. */
    late_18x_routes: z
      .array(z.strictObject({ prefix: numberPrefix, late_18x_ms: z.int().min(0).max(3_600_000) }))
      .default([]),
    ring_zero_ms: milliseconds(300),
    /** Called numbers, or their first digits, behind which a machine answers: RING_ZERO says nothing of them. */
    answers_at_once: z.array(numberPrefix).default([]),
  })
  .prefault({})

/** `thresholds.fas`. */
export const fasThresholds = z
  .strictObject({
    no_progress_ms: milliseconds(1_500),
    early_answer_ms: milliseconds(2_000),
    early_answer_call_ms: milliseconds(10_000),
    /** Below this many answers there is neither rule nor score. */
    answers_min: z.int().min(2).max(1_000_000).default(30),
    flat_tta_ratio: z.number().min(0).max(1).default(0.1),
    callee_bye_ratio: z.number().min(0).max(1).default(0.02),
    peers_standard_errors: z.number().min(0).max(100).default(3),
    peers_acd_ratio: z.number().min(0).max(1).default(0.5),
    /** A prefix is flagged from this score on. */
    flagged_score: z.int().min(1).max(100).default(40),
    /** A carrier is flagged when its flagged prefixes have this share of its answers. */
    flagged_share_ratio: z.number().min(0).max(1).default(0.05),
  })
  .prefault({})

export type EarlyMediaThresholds = z.output<typeof earlyMediaThresholds>
export type FasThresholds = z.output<typeof fasThresholds>

/** The condition with the numbers of these thresholds in it. */
export function conditionText(
  { condition }: { condition: string },
  thresholds: EarlyMediaThresholds & FasThresholds,
): string {
  const values: Record<string, unknown> = thresholds
  return condition.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]))
}

/** A message that a suspicion rests on, by what it is and when the attempt's own agent saw it. */
export interface AnomalyMessage {
  /** Method, or status code. */
  what: string
  atUs: number
}

export interface Anomaly {
  code: AnomalyCode
  severity: Severity
  /** What was seen, with its numbers; names no telephone number. */
  sentence: string
  messages: AnomalyMessage[]
}
