/**
 * Search by how a call was routed: the routing number of a ported one (`rn`, RFC 4694 §4), and the trunk group that the Request-URI
 * names (`tgrp`, RFC 4904 §5: with its context or not at all). Both stand in the user part of the Request-URI that is stored.
 *
 * Takes    what somebody typed: separators, case, and a leading 00 or + are no part of a routing number; case is none of a group.
 * Returns  conditions on `request_uri`. By `rn` the short column `destination` narrows it first, which is the prefix of the routing
 *          number where there is one; by `tgrp` every Request-URI of the range is read.
 * Throws   TRUNKSCOPE_API_ROLE_TOO_LOW for who sees both masked: a search that finds something tells them.
 *          TRUNKSCOPE_API_BAD_VALUE for what can be no routing number.
 * Limits   The originating group stands in Contact, which no column holds. A URI with two routing numbers, which is
 *          nobody's standard, is found by neither; nor is a global one whose + was written %2B, which `destination` does not read.
 */
import { isAtLeast, type Principal } from '../../schemas/tokens.js'
import { ApiError } from '../errors.js'
import { listOf, oneOf, type Parameter } from '../parameters.js'
import { storedFormsOf } from './number-filter.js'

export interface RoutingFilter {
  name: 'rn' | 'tgrp'
  /** As they are compared: without separators, in upper case; groups in lower case. */
  values: readonly string[]
}

export function routingFilterOf(
  written: { rn?: Parameter; tgrp?: Parameter },
  principal: Principal,
): RoutingFilter[] {
  const rn = oneOf('rn', written.rn)
  const groups = listOf(written.tgrp).map((group) => group.toLowerCase())
  const filters: RoutingFilter[] = [
    ...(rn === undefined ? [] : [{ name: 'rn' as const, values: formsOf(rn) }]),
    ...(groups.length === 0 ? [] : [{ name: 'tgrp' as const, values: groups }]),
  ]
  const [first] = filters
  if (first !== undefined && !isAtLeast(principal.role, 'investigator')) {
    throw new ApiError(
      'TRUNKSCOPE_API_ROLE_TOO_LOW',
      `searching by routing needs the role investigator: this token sees it masked; leave out ${first.name}`,
      { parameter: first.name },
    )
  }
  return filters
}

/** Each form in which a routing number may stand: global or local, which may have hex digits. */
function formsOf(text: string): string[] {
  // A + that was not escaped arrives as a space.
  const digits = text.replace(/[\s()./-]/g, '').toUpperCase()
  const bare = digits.replace(/^\+/, '')
  if (/^[0-9]{1,64}$/.test(bare)) return storedFormsOf(bare)
  if (/^[0-9A-F*#]{1,64}$/.test(digits)) return [digits]
  throw new ApiError(
    'TRUNKSCOPE_API_BAD_VALUE',
    'rn is no routing number; write all of it, for example rn=%2B12155550000',
    { parameter: 'rn' },
  )
}

const parameterOf = (name: string) =>
  `decodeURLComponent(extract(request_uri, '(?i)^[^@]*?;${name}=([^;@?]*)'))`
const ROUTING_NUMBER = `upper(replaceRegexpAll(${parameterOf('rn')}, '[-.() ]', ''))`

/** @param isCoarse for a first look at rows as they were written, with the columns that only they have */
export function routingConditions(
  filters: readonly RoutingFilter[],
  isCoarse: boolean,
): { conditions: string[]; parameters: Record<string, unknown> } {
  const conditions: string[] = []
  const parameters: Record<string, unknown> = {}
  for (const { name, values } of filters) {
    parameters[name] = values
    if (name === 'tgrp') {
      conditions.push(
        `lower(${parameterOf('tgrp')}) IN {tgrp:Array(String)} AND ${parameterOf('trunk-context')} != ''`,
      )
      continue
    }
    conditions.push(`${ROUTING_NUMBER} IN {rn:Array(String)}`)
    const prefixes = values.map(prefixOf)
    if (!isCoarse || prefixes.includes('')) continue
    conditions.push('destination IN {rn_prefixes:Array(String)}')
    parameters.rn_prefixes = [...new Set(prefixes)]
  }
  return { conditions, parameters }
}

/** What `destination` makes of it (schemas/clickhouse/021_search_columns.sql); '': it may make anything of it. */
function prefixOf(number: string): string {
  if (!/^\+?[0-9]{7,}$/.test(number)) return ''
  return number.slice(0, Math.min(number.length - 4, number.startsWith('+') ? 8 : 7))
}
