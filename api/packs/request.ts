/**
 * From the parameters of a dispute pack to a question that makes sense.
 *
 * Takes    texts as they stood in the address.
 * Returns  a `PackRequest`: whole minutes, whole seconds, classes in the order of their list, so that two ways to write one
 *          question are one question.
 * Throws   ApiError (400) with what to write instead.
 */
import { ApiError, didYouMean } from '../errors.js'
import { listOf, oneOf, type Parameter, wholeNumberOf } from '../parameters.js'
import { isoOf, MINUTE_US, shown, spanOf, timeUsOf } from '../time-span.js'
import { CLASS_IDS, classIdOf, nearestClasses } from './classes.js'

/** A quarter. */
export const LONGEST_DAYS = 92
export const CALLS_DEFAULT = 20
export const CALLS_MAX = 1_000

export interface PackParameters {
  from?: Parameter
  to?: Parameter
  class?: Parameter
  as_of?: Parameter
  calls?: Parameter
}

export interface PackRequest {
  carrier: string
  fromS: number
  /** Not part of it. */
  toS: number
  /** Ids; an attempt of any of them is in the pack. */
  classes: readonly string[]
  /** What was stored by the end of this second counts; undefined: now. */
  asOfS: number | undefined
  /** Sample calls. */
  calls: number
}

export function packRequestOf(carrier: string, written: PackParameters, nowUs: number): PackRequest {
  const from = oneOf('from', written.from)
  const to = oneOf('to', written.to)
  for (const [parameter, text] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (text === undefined || text === '') throw missing(parameter, nowUs)
  }
  const span = spanOf(
    { from: from!, to: to! },
    {
      nowUs,
      longestS: LONGEST_DAYS * 86_400,
      wholeMinutes: { otherwise: ': attempts are counted by their minute' },
    },
  )
  return {
    carrier,
    fromS: span.fromUs / 1e6,
    toS: span.toUs / 1e6,
    classes: classesOf(written.class),
    asOfS: asOfOf(oneOf('as_of', written.as_of), span.toUs, nowUs),
    calls:
      wholeNumberOf('calls', written.calls, { min: 0, max: CALLS_MAX, example: CALLS_DEFAULT }) ??
      CALLS_DEFAULT,
  }
}

function missing(parameter: 'from' | 'to', nowUs: number): ApiError {
  const dayUs = Math.floor(nowUs / 86_400e6) * 86_400e6
  const example = `from=${isoOf(Math.max(0, dayUs - 86_400e6))}&to=${isoOf(dayUs)}`
  return new ApiError(
    'TRUNKSCOPE_API_BAD_RANGE',
    `${parameter} is missing; a pack is about a window that is over: write for example ${example}`,
    { parameter },
  )
}

function classesOf(written: Parameter): string[] {
  const texts = listOf(written)
  if (texts.length === 0) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_VALUE',
      `class is missing; write what failed, for example class=no_ring_487,5xx; there are ${CLASS_IDS.join(', ')}`,
      { parameter: 'class' },
    )
  }
  const ids = texts.map((text) => {
    const id = classIdOf(text)
    if (id !== undefined) return id
    const suggestions = nearestClasses(text)
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_VALUE',
      `class=${shown(text)} is no failure class${didYouMean(suggestions) || ';'} there are ${CLASS_IDS.join(', ')}`,
      { parameter: 'class', suggestions },
    )
  })
  return CLASS_IDS.filter((id) => ids.includes(id))
}

function asOfOf(text: string | undefined, toUs: number, nowUs: number): number | undefined {
  const nowS = Math.floor(nowUs / 1e6)
  const us = text === undefined || text === '' ? nowS * 1e6 : timeUsOf('as_of', text)
  if (us % 1e6 !== 0) {
    const before = isoOf(Math.floor(us / 1e6) * 1e6)
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_TIME',
      `as_of=${isoOf(us)} lies within a second; write as_of=${before}`,
      { parameter: 'as_of' },
    )
  }
  if (us > nowS * 1e6) {
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_TIME',
      `as_of=${isoOf(us)} lies in the future; leave it out for now, and take it from the manifest to ask again`,
      { parameter: 'as_of' },
    )
  }
  if (us < toUs) {
    const end = isoOf(Math.floor(us / MINUTE_US) * MINUTE_US)
    throw new ApiError(
      'TRUNKSCOPE_API_BAD_RANGE',
      `to=${isoOf(toUs)} lies after ${text === undefined ? 'now' : `as_of=${isoOf(us)}`}; a pack is about a window that is over: ` +
        `write to=${end} or earlier`,
      { parameter: 'to' },
    )
  }
  return text === undefined || text === '' ? undefined : us / 1e6
}
