/**
 * The two ways to refuse a query: it is no PromQL (400), or it is PromQL that is not answered here (422). Both name the
 * place, counted from 1.
 */
import { PromError } from './prom-error.js'

const QUOTED_MAX = 80

export function badData(what: string, at: number): PromError {
  return new PromError('bad_data', `parse error at ${at}: ${what}`)
}

/** `unsupported: subquery "x[1h:5m]" at 18, see docs/promql.md` */
export function unsupported(what: string, text: string, at: number, advice?: string): PromError {
  const hint = advice === undefined ? '' : `: ${advice}`
  return new PromError(
    'execution',
    `unsupported: ${what} ${quoted(text)} at ${at}${hint}, see docs/promql.md`,
  )
}

export function quoted(text: string): string {
  return `"${text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}…` : text}"`
}
