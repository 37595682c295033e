/**
 * Cuts the parts of a range into pieces whose sums can be kept: what is over, and not behind its marks (grains.ts).
 *
 * Whole hours and days that follow each other are one piece. The minutes of an hour that is over are cut at every tenth,
 * so that a range that moves on by a minute finds all but its first minutes again. Everything else is read at each
 * question.
 */
import { GRAIN_S, type Marks, type Parts, type Range } from './grains.js'

export interface Piece extends Range {
  grain: 'minute' | 'hour' | 'day'
  /** Another text after every change of what it sums; undefined: still changing. */
  state: string | undefined
}

const TEN_MINUTES_S = 600

/** A store that owes many hours would make one statement of hundreds of conditions. */
const KEPT_MAX = 20

export function piecesOf(parts: Parts, { stateOf }: Pick<Marks, 'stateOf'>): Piece[] {
  const pieces: Piece[] = parts.minute.flatMap((range) =>
    cutAt(range, GRAIN_S.hour).flatMap((inHour) => {
      const state = stateOf('hour', inHour.fromS - (inHour.fromS % GRAIN_S.hour))
      const cut = state === undefined ? [inHour] : cutAt(inHour, TEN_MINUTES_S)
      return cut.map((some) => ({ ...some, grain: 'minute' as const, state }))
    }),
  )
  for (const grain of ['hour', 'day'] as const) {
    for (const range of parts[grain]) {
      const states = cutAt(range, GRAIN_S[grain]).map(({ fromS }) => stateOf(grain, fromS))
      const state = states.includes(undefined) ? undefined : states.join(' ')
      pieces.push({ ...range, grain, state })
    }
  }
  const keepable = pieces.filter(({ state }) => state !== undefined).length
  return joined(keepable <= KEPT_MAX ? pieces : pieces.map((piece) => ({ ...piece, state: undefined })))
}

/** What is not kept is not told apart. */
function joined(pieces: readonly Piece[]): Piece[] {
  const whole: Piece[] = []
  for (const piece of pieces) {
    const last = whole.at(-1)
    const follows = last?.grain === piece.grain && last.toS === piece.fromS
    if (follows && last.state === undefined && piece.state === undefined) last.toS = piece.toS
    else whole.push({ ...piece })
  }
  return whole
}

function cutAt({ fromS, toS }: Range, lengthS: number): Range[] {
  const cut: Range[] = []
  for (let atS = fromS; atS < toS; ) {
    const endS = Math.min(toS, atS - (atS % lengthS) + lengthS)
    cut.push({ fromS: atS, toS: endS })
    atS = endS
  }
  return cut
}
