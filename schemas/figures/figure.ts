/**
 * A published number that is counted from attempts, checks of tokens, legs or trunks when somebody asks, and so is no KPI of the
 * rollups: what it means, how it is made, from where that comes, and where answers have it.
 */
export interface Figure {
  name: string
  unit: FigureUnit
  formula: string
  /** Section of the standard, or "our decision". */
  source: string
  version: number
  /** Address of an answer, then the field in it; whatever stands below the field belongs to it. */
  fields: readonly string[]
}

/** `word`: one of a closed list that the formula names. */
export type FigureUnit = 'count' | 'ratio' | 's' | 'ms' | 'days' | 'points' | 'calls' | 'calls/s' | 'word'

export type Figures = Readonly<Record<string, Figure>>

export const SCORECARD_ROWS = '/v1/carriers/{id}/scorecard rows'
