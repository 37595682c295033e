/**
 * Attempts as they are judged: the rows of `call_attempts` with what the evidence passes say in the columns that the fold
 * filled from one leg alone (`attempt_verdicts`, docs/evidence.md). Rollups and every reader of these columns read here.
 *
 * A verdict holds for the judgement that it revises (`of_…`). Where the fold has said something else since, the fold stands,
 * so that nobody ever reads the class of one judgement beside the answer of another.
 *
 * Text comes from our own lists only; every value is a query parameter.
 */

/** The columns of `call_attempts` that a verdict replaces. */
export const JUDGED_COLUMNS = [
  'disposition',
  'sli',
  'ner_numerator',
  'ner_denominator',
  'cancel_class',
] as const
export type JudgedColumn = (typeof JUDGED_COLUMNS)[number]

export interface JudgedSelection {
  /** A condition on `minute`, and on nothing that attempts alone have: it narrows the verdicts as well as the attempts. */
  minutes: string
  /** Conditions on attempts; judged columns in them are those of the fold. */
  where?: string
  /** Columns of the key only. */
  prewhere?: string
}

/**
 * For the place of a table after FROM: every column of `call_attempts` (021_search_columns.sql makes some that * leaves out), the
 * judged ones replaced. `call_attempts` is read
 * FINAL. What is asked of judged columns stands in the statement around it.
 */
export function judgedAttempts({ minutes, where, prewhere }: JudgedSelection): string {
  const replaced = JUDGED_COLUMNS.map(
    (column) => `if(${HOLDS}, verdict.${column}, attempt.${column}) AS ${column}`,
  )
  return `(SELECT attempt.* REPLACE(${replaced.join(', ')})
    FROM (SELECT *, number_tails, destination FROM call_attempts FINAL${prewhere === undefined ? '' : ` PREWHERE ${prewhere}`}
      WHERE ${minutes}${where === undefined ? '' : ` AND ${where}`}) AS attempt
    LEFT ANY JOIN (SELECT minute, attempt_id, of_disposition, of_cancel_class, of_rang, ${JUDGED_COLUMNS.join(', ')}
      FROM attempt_verdicts FINAL WHERE ${minutes}) AS verdict
    ON attempt.attempt_id = verdict.attempt_id)`
}

/** Joined by the id alone: a third cheaper, and one that has a verdict under two minutes is about to lose one. */
const HOLDS = `verdict.minute = attempt.minute AND verdict.of_disposition = attempt.disposition
      AND verdict.of_cancel_class = attempt.cancel_class AND verdict.of_rang = attempt.rang`

/**
 * Attempts that a condition on judged columns may fit, for a search that looks for candidates before it reads what stands:
 * by the fold's value, or by a verdict's.
 */
export function mayBeJudged(column: JudgedColumn, values: string, minutes: string): string {
  return `(${column} IN ${values} OR (minute, attempt_id) IN (
    SELECT minute, attempt_id FROM attempt_verdicts WHERE ${minutes} AND ${column} IN ${values}))`
}
