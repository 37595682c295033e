/**
 * What became of an attempt: exactly one class, its part in NER and in the availability SLI.
 *
 * Precedence: 2xx, 3xx, 401/407; then the CANCEL analysis; then 603+, 608 and the STIR codes; then the Q.850 cause of the
 * final response (16, 31 and 127 say nothing); then the status code.
 *
 * Source   metrics.md §2 (table and precedence) and §6 (603+); RFC 3398, RFC 8224 §6.2.2, RFC 8606 §4.
 */
import type { CancelClass, Disposition, Sli } from '../../schemas/attempt.js'
import type { ReasonValue } from '../../sip/reason.js'

export interface Ending {
  /** 0 when there was none. */
  finalCode: number
  phrase: string
  /** Of the final response. */
  reasons: readonly ReasonValue[]
  /** An 18x came before. */
  rang: boolean
  cancel: { class: CancelClass; sli: Sli } | undefined
}

export interface Judgement {
  disposition: Disposition
  sli: Sli
  nerNumerator: number
  nerDenominator: number
}

const GOOD: readonly Disposition[] = ['ANSWERED', 'BUSY', 'NO_ANSWER', 'REJECTED']
const EXCLUDED: readonly Disposition[] = [
  'REDIRECT',
  'INVALID_NUMBER',
  'BLOCKED',
  'IDENTITY',
  'AUTH',
  'ELSEWHERE',
]
const OUTSIDE_NER: readonly Disposition[] = ['REDIRECT', 'ELSEWHERE']

export function judge(ending: Ending): Judgement {
  const disposition = dispositionOf(ending)
  const byCancel =
    disposition === 'PRE_RING_CANCEL' || disposition === 'ELSEWHERE' ? ending.cancel?.sli : undefined
  return {
    disposition,
    sli:
      byCancel ?? (GOOD.includes(disposition) ? 'good' : EXCLUDED.includes(disposition) ? 'excluded' : 'bad'),
    nerNumerator: GOOD.includes(disposition) ? 1 : 0,
    nerDenominator: OUTSIDE_NER.includes(disposition) ? 0 : 1,
  }
}

function dispositionOf(ending: Ending): Disposition {
  const { finalCode, cancel } = ending
  if (finalCode >= 200 && finalCode < 300) return 'ANSWERED'
  if (finalCode >= 300 && finalCode < 400) return 'REDIRECT'
  if (finalCode === 401 || finalCode === 407) return 'AUTH'
  if (cancel !== undefined) return ofCancel(cancel.class, ending.rang)
  if (finalCode === 0) return 'TIMEOUT'
  return ofBlocking(ending) ?? ofQ850(ending.reasons) ?? ofStatusCode(finalCode, ending.rang)
}

function ofCancel(cancelClass: CancelClass, rang: boolean): Disposition {
  if (cancelClass === 'ELSEWHERE') return 'ELSEWHERE'
  if (cancelClass === '487_NO_CANCEL') return 'UNKNOWN'
  return rang ? 'NO_ANSWER' : 'PRE_RING_CANCEL'
}

/** 603+ (ATIS-1000099), 608 (RFC 8688), and the STIR codes (RFC 8224 §6.2.2). */
function ofBlocking({ finalCode, phrase, reasons }: Ending): Disposition | undefined {
  if (finalCode === 608) return 'BLOCKED'
  if (finalCode === 603 && isNetworkBlocked(phrase, reasons)) return 'BLOCKED'
  if ([428, 436, 437, 438].includes(finalCode)) return 'IDENTITY'
  if (finalCode === 403 && /^stale date$/i.test(phrase.trim())) return 'IDENTITY'
  return undefined
}

function isNetworkBlocked(phrase: string, reasons: readonly ReasonValue[]): boolean {
  return (
    /^network blocked$/i.test(phrase.trim()) &&
    reasons.some((reason) => reason.text.startsWith('v=analytics1'))
  )
}

const Q850: ReadonlyMap<number, Disposition> = new Map([
  ...each([17], 'BUSY'),
  ...each([18, 19, 20], 'NO_ANSWER'),
  ...each([1, 22, 28], 'INVALID_NUMBER'),
  ...each([34, 42, 44, 47], 'CONGESTION'),
  ...each([55, 57, 87], 'POLICY'),
  ...each([2, 3, 25, 26, 27, 38, 41, 102, 111], 'NETWORK'),
])

/** A cause that is unlisted, or 21 without a location, decides nothing: the status code does. */
function ofQ850(reasons: readonly ReasonValue[]): Disposition | undefined {
  const q850 = reasons.find((reason) => reason.protocol === 'Q.850')
  if (q850 === undefined || [16, 31, 127].includes(q850.cause)) return undefined
  if (q850.cause === 21) {
    if (q850.location === '') return undefined
    return q850.location.toUpperCase() === 'U' ? 'REJECTED' : 'POLICY'
  }
  return Q850.get(q850.cause)
}

const STATUS_CODE: ReadonlyMap<number, Disposition> = new Map([
  ...each([486, 600], 'BUSY'),
  ...each([480], 'NO_ANSWER'),
  ...each([603, 607], 'REJECTED'),
  ...each([404, 410, 484, 485, 604, 416], 'INVALID_NUMBER'),
  ...each([402], 'AUTH'),
  ...each([400, 405, 406, 413, 414, 415, 420, 421, 482, 483, 488, 501, 505, 513, 606], 'CONFIG'),
  ...each([403, 433], 'POLICY'),
  ...each([503], 'CONGESTION'),
])

function ofStatusCode(finalCode: number, rang: boolean): Disposition {
  if (finalCode === 408) return rang ? 'NO_ANSWER' : 'NETWORK'
  const listed = STATUS_CODE.get(finalCode)
  if (listed !== undefined) return listed
  return finalCode >= 500 && finalCode < 600 ? 'NETWORK' : 'UNKNOWN'
}

function each(codes: readonly number[], disposition: Disposition): [number, Disposition][] {
  return codes.map((code) => [code, disposition])
}
