/**
 * Expressions of the subset over the metrics of whoever asks. Mostly well typed: operands stand without parentheses at
 * times, so that who binds closest is part of the question, and then types may clash.
 */
import fc from 'fast-check'

export interface Ground {
  /** Names, without matchers. */
  counters: readonly string[]
  /** With their matchers. */
  gauge: fc.Arbitrary<string>
  /** Whether gauges may be asked for over a window. */
  hasGaugeWindows: boolean
  /** Of counters. */
  matchers: readonly string[]
  /** To group by and to match on. */
  labels: readonly string[]
  /** Cumulative counts with a label `le`. */
  buckets: string
}

export function matched(names: readonly string[], matchers: readonly string[]): fc.Arbitrary<string> {
  const chosenMatchers = fc
    .uniqueArray(fc.constantFrom(...matchers), { maxLength: 2 })
    .map((chosen) => (chosen.length === 0 ? '' : `{${chosen.join(', ')}}`))
  return fc.tuple(fc.constantFrom(...names), chosenMatchers).map((parts) => parts.join(''))
}

const window = fc.constantFrom('1m', '2m', '5m', '17m', '1h')
const offset = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom(' offset 5m', ' offset 1h', ' offset -3m') },
)
const number = fc.constantFrom('0', '1', '2', '0.5', '100', '-3', '1e3', 'Inf', 'NaN', '+4')

/** What an expression may be made of, on the ground of these metrics. */
export function expressionsOver(ground: Ground): {
  scalar: fc.Arbitrary<string>
  vector: fc.Arbitrary<string>
} {
  const { gauge } = ground
  const counter = matched(ground.counters, ground.matchers)
  const labelList = fc
    .uniqueArray(fc.constantFrom(...ground.labels), { maxLength: 2 })
    .map((names) => `(${names.join(', ')})`)
  return fc.letrec<{ scalar: string; vector: string }>((tie) => ({
    scalar: fc.oneof(
      { maxDepth: 2, depthIdentifier: 'scalar' },
      { weight: 5, arbitrary: number },
      {
        weight: 1,
        arbitrary: fc
          .tuple(tie('scalar'), fc.constantFrom('+', '-', '*', '/', '> bool', '== bool'), tie('scalar'))
          .map(([left, op, right]) => `(${left} ${op} ${right})`),
      },
      { weight: 1, arbitrary: tie('scalar').map((inner) => `-(${inner})`) },
    ),
    vector: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'vector' },
      {
        weight: 1,
        arbitrary: fc.oneof(counter, gauge).chain((text) => offset.map((suffix) => text + suffix)),
      },
      {
        weight: 3,
        arbitrary: fc
          .tuple(fc.constantFrom('rate', 'increase'), counter, window, offset)
          .map(([name, text, length, suffix]) => `${name}(${text}[${length}]${suffix})`),
      },
      {
        weight: ground.hasGaugeWindows ? 2 : 0,
        arbitrary: fc
          .tuple(fc.constantFrom('sum', 'avg', 'max'), gauge, window, offset)
          .map(([name, text, length, suffix]) => `${name}_over_time(${text}[${length}]${suffix})`),
      },
      {
        weight: 5,
        arbitrary: fc
          .tuple(
            fc.constantFrom('sum', 'avg', 'min', 'max', 'count'),
            fc.constantFrom('by', 'without', ''),
            labelList,
            tie('vector'),
          )
          .map(([op, how, names, inner]) =>
            how === '' ? `${op}(${inner})` : `${op} ${how} ${names} (${inner})`,
          ),
      },
      // Which of equals is chosen is left open, so only what does not depend on it.
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom('sum', 'min', 'count'), fc.constantFrom('0', '1', '2', '-1'), tie('vector'))
          .map(([op, k, inner]) => `${op}(topk(${k}, ${inner}))`),
      },
      {
        weight: 3,
        arbitrary: fc
          .tuple(
            tie('vector'),
            fc.constantFrom('+', '-', '*', '/', '==', '!=', '<', '<=', '>', '>=', '> bool', '== bool'),
            fc.constantFrom('on', 'ignoring', ''),
            labelList,
            tie('vector'),
          )
          .map(
            ([left, op, how, names, right]) =>
              `(${left} ${op} ${how === '' ? '' : `${how} ${names}`} ${right})`,
          ),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(
            tie('vector'),
            fc.constantFrom('and', 'or', 'unless'),
            fc.constantFrom('on', 'ignoring', ''),
            labelList,
            tie('vector'),
          )
          .map(
            ([left, op, how, names, right]) =>
              `(${left} ${op} ${how === '' ? '' : `${how} ${names}`} ${right})`,
          ),
      },
      {
        weight: 3,
        arbitrary: fc
          .tuple(
            tie('vector'),
            fc.constantFrom('+', '-', '*', '/', '==', '!=', '<', '<=', '>', '>=', '> bool', '<= bool'),
            tie('scalar'),
            fc.boolean(),
          )
          // Without parentheses: the order of operators is part of the question.
          .map(([left, op, right, isTurned]) =>
            isTurned ? `${right} ${op} ${left}` : `${left} ${op} ${right}`,
          ),
      },
      { weight: 1, arbitrary: tie('vector').map((inner) => `-${inner}`) },
      { weight: 1, arbitrary: tie('vector').map((inner) => `absent(${inner})`) },
      { weight: 1, arbitrary: tie('scalar').map((inner) => `vector(${inner})`) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom('clamp_min', 'clamp_max'), tie('vector'), tie('scalar'))
          .map(([name, inner, limit]) => `${name}(${inner}, ${limit})`),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(
            fc.constantFrom('0.5', '0.95', '0', '1', '2', '-1', '1/3'),
            window,
            fc.constantFrom('', 'carrier', 'site'),
          )
          .map(([quantile, length, name]) => {
            const buckets = `rate(${ground.buckets}[${length}])`
            const summed = name === '' ? buckets : `sum by (le, ${name}) (${buckets})`
            return `histogram_quantile(${quantile}, ${summed})`
          }),
      },
    ),
  }))
}
