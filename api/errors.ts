/**
 * The error table: every code the api answers with, its status and its title. Errors leave as problem+json (RFC 9457);
 * `detail` says what was wrong with this request and what to write instead. Text of the engine never leaves: it may quote
 * SQL; the log has it.
 */
export const API_ERRORS = {
  TRUNKSCOPE_API_UNKNOWN_PARAMETER: { status: 400, title: 'Unknown query parameter' },
  TRUNKSCOPE_API_REPEATED_PARAMETER: { status: 400, title: 'Parameter given twice' },
  TRUNKSCOPE_API_BAD_TIME: { status: 400, title: 'Not a time' },
  TRUNKSCOPE_API_BAD_RANGE: { status: 400, title: 'A range that makes no sense' },
  TRUNKSCOPE_API_NOT_WHOLE_MINUTES: { status: 400, title: 'Not on minute marks' },
  TRUNKSCOPE_API_BAD_NUMBER: { status: 400, title: 'Not a usable number' },
  TRUNKSCOPE_API_BAD_VALUE: { status: 400, title: 'Not one of the known values' },
  TRUNKSCOPE_API_TOO_MANY_POINTS: { status: 400, title: 'Too many points' },
  TRUNKSCOPE_API_UNKNOWN_KPI: { status: 400, title: 'Unknown KPI' },
  TRUNKSCOPE_API_UNKNOWN_CARRIER: { status: 400, title: 'Unknown carrier' },
  TRUNKSCOPE_API_UNKNOWN_SITE: { status: 400, title: 'Unknown site' },
  TRUNKSCOPE_API_BAD_CURSOR: { status: 400, title: 'Not a cursor of this list' },
  TRUNKSCOPE_API_BAD_REQUEST: { status: 400, title: 'Bad request' },
  TRUNKSCOPE_API_UNAUTHORIZED: { status: 401, title: 'A token is needed' },
  TRUNKSCOPE_API_ROLE_TOO_LOW: { status: 403, title: 'Not for this role' },
  TRUNKSCOPE_API_CARRIER_LIMITED: { status: 403, title: 'Not for a token of some carriers' },
  TRUNKSCOPE_API_HOST_REFUSED: { status: 403, title: 'Host name refused' },
  TRUNKSCOPE_API_NO_SUCH_ROUTE: { status: 404, title: 'No such route' },
  TRUNKSCOPE_API_NO_SUCH_ATTEMPT: { status: 404, title: 'No such attempt' },
  TRUNKSCOPE_API_NO_SUCH_SLO: { status: 404, title: 'No such objective' },
  TRUNKSCOPE_API_NO_SUCH_CARRIER: { status: 404, title: 'No such carrier' },
  TRUNKSCOPE_API_NO_SUCH_TRUNK: { status: 404, title: 'No such trunk' },
  TRUNKSCOPE_API_NO_SUCH_DOCUMENT: { status: 404, title: 'No such document' },
  TRUNKSCOPE_API_NO_SUCH_SCHEDULE: { status: 404, title: 'No such schedule' },
  TRUNKSCOPE_API_NOT_MADE_HERE: { status: 409, title: 'Not made by this process' },
  TRUNKSCOPE_API_NO_SUCH_DELIVERY: { status: 404, title: 'No such delivery' },
  TRUNKSCOPE_API_NOT_RETRYABLE: { status: 409, title: 'Cannot be sent again' },
  TRUNKSCOPE_API_NO_SUCH_ALERT: { status: 404, title: 'No such alert' },
  TRUNKSCOPE_API_PACK_CHANGED: { status: 409, title: 'The attempts have changed' },
  TRUNKSCOPE_API_PACK_TOO_LARGE: { status: 413, title: 'The pack would be too large' },
  TRUNKSCOPE_API_BODY_TOO_LARGE: { status: 413, title: 'Body too large' },
  TRUNKSCOPE_API_TOO_MANY_FAILURES: { status: 429, title: 'Too many wrong tokens' },
  TRUNKSCOPE_API_PDF_UNAVAILABLE: { status: 501, title: 'No PDF can be made here' },
  TRUNKSCOPE_API_INTERNAL: { status: 500, title: 'An error of Trunkscope' },
  TRUNKSCOPE_API_STARTING: { status: 503, title: 'Not ready' },
  TRUNKSCOPE_API_AUDIT_UNAVAILABLE: { status: 503, title: 'The audit trail cannot be written' },
  TRUNKSCOPE_API_BUSY: { status: 503, title: 'Too many questions at once' },
  TRUNKSCOPE_API_QUERY_LIMIT: { status: 503, title: 'The question costs too much' },
} as const

/** Errors of the start: the process ends with them. */
export const API_START_ERRORS = {
  TRUNKSCOPE_API_EMPTY_TOKEN: 'a token is needed, and there is none',
  TRUNKSCOPE_API_PORT_IN_USE: 'the HTTP port is taken',
  TRUNKSCOPE_API_CANNOT_LISTEN: 'the HTTP address cannot be listened on',
} as const

export function startError(code: keyof typeof API_START_ERRORS, sentence: string, cause?: unknown): Error {
  return Object.assign(new Error(sentence, { cause }), { code })
}

export type ApiErrorCode = keyof typeof API_ERRORS

/** Members of a problem besides those of the standard. */
export interface ProblemExtras {
  /** The query parameter at fault. */
  parameter?: string
  /** Names that may have been meant. */
  suggestions?: string[]
  retryAfterS?: number
}

export class ApiError extends Error {
  readonly code: ApiErrorCode
  readonly extras: ProblemExtras

  constructor(code: ApiErrorCode, detail: string, extras: ProblemExtras = {}, cause?: unknown) {
    super(detail, { cause })
    this.code = code
    this.extras = extras
  }

  get status(): number {
    return API_ERRORS[this.code].status
  }
}

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: ApiErrorCode
  parameter?: string
  suggestions?: string[]
}

export function problemOf(error: ApiError): Problem {
  const { status, title } = API_ERRORS[error.code]
  const { parameter, suggestions } = error.extras
  return {
    type: `urn:trunkscope:problem:${error.code.slice('TRUNKSCOPE_API_'.length).toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...(parameter === undefined ? {} : { parameter }),
    ...(suggestions === undefined || suggestions.length === 0 ? {} : { suggestions }),
  }
}

/** The names nearest to a mistyped one, best first: at most `count`, and none that is more than half different. */
export function nearestNames(written: string, names: readonly string[], count = 3): string[] {
  const wanted = written.slice(0, 64).toLowerCase()
  return names
    .map((name) => ({ name, distance: editDistance(wanted, name.toLowerCase()), holds: holds(wanted, name) }))
    .filter(({ name, distance, holds }) => holds || distance <= Math.max(2, name.length / 2))
    .sort((a, b) => Number(b.holds) - Number(a.holds) || a.distance - b.distance)
    .slice(0, count)
    .map(({ name }) => name)
}

function holds(wanted: string, name: string): boolean {
  return wanted.length >= 3 && (name.includes(wanted) || wanted.includes(name))
}

/** Levenshtein distance; both texts are short. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]!
}

/** "; did you mean ner?" or nothing. */
export function didYouMean(suggestions: readonly string[]): string {
  return suggestions.length === 0 ? '' : `; did you mean ${suggestions.join(', ')}?`
}
