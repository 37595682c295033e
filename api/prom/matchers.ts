/**
 * Label matchers: read once, asked of values in hand or written as a condition of SQL.
 *
 * `=`, `!=` and alternations of plain words, as Grafana's multi-value variables send them, are sets. Any other regular
 * expression runs in the store (RE2, anchored at both ends, as a parameter), never in JavaScript's engine, which can be made
 * to hang.
 */
import type { Readers } from '../readers.js'
import { shown } from '../time-span.js'
import { PromError } from './prom-error.js'
import type { Matcher } from './series.js'

export interface Test {
  label: string
  isNegated: boolean
  /** `some`: any value but the empty one. */
  what:
    | { kind: 'set'; values: ReadonlySet<string> }
    | { kind: 'any' }
    | { kind: 'some' }
    | { kind: 'regex'; text: string }
}

export function testOf({ label, op, value }: Matcher): Test {
  const isNegated = op === '!=' || op === '!~'
  if (op === '=' || op === '!=') return { label, isNegated, what: { kind: 'set', values: new Set([value]) } }
  if (value === '.*') return { label, isNegated, what: { kind: 'any' } }
  if (value === '.+') return { label, isNegated, what: { kind: 'some' } }
  const words = plainWords(value)
  return {
    label,
    isNegated,
    what: words === undefined ? { kind: 'regex', text: value } : { kind: 'set', values: new Set(words) },
  }
}

const META = new Set('.+*?()|[]{}^$\\')

/** The words of an alternation that holds nothing else; a pair of brackets around all of it is Grafana's. */
function plainWords(text: string): string[] | undefined {
  const inside = text.startsWith('(') && text.endsWith(')') ? text.slice(1, -1) : text
  const words = ['']
  for (let at = 0; at < inside.length; at++) {
    let letter = inside[at]!
    if (letter === '|') {
      words.push('')
      continue
    }
    if (letter === '\\') {
      letter = inside[++at] ?? ''
      // `\.` and `\-` stand for themselves, `\d` does not.
      if (!/^[!-/:-@[-`{-~]$/.test(letter)) return undefined
    } else if (META.has(letter)) return undefined
    words[words.length - 1] += letter
  }
  return words
}

/** What the store said about regular expressions on some values: `holds(text, value)`. */
export type RegexAnswers = ReadonlyMap<string, ReadonlySet<string>>

/** Asks nothing where there is no regular expression. Throws `bad_data` for one that is none. */
export async function askRegexes(
  readers: Readers,
  tests: readonly Test[],
  values: readonly string[],
): Promise<RegexAnswers> {
  const texts = [...new Set(tests.flatMap(({ what }) => (what.kind === 'regex' ? [what.text] : [])))]
  const answers = new Map<string, ReadonlySet<string>>()
  if (texts.length === 0) return answers
  const parameters: Record<string, unknown> = { values }
  const columns = texts.map((text, at) => {
    parameters[`re_${at}`] = anchored(text)
    return `arrayFilter(value -> match(value, {re_${at}:String}), {values:Array(String)}) AS held_${at}`
  })
  const [row] = await regexGuarded(texts, () =>
    readers.select<Record<string, string[]>>(`SELECT ${columns.join(', ')}`, parameters),
  )
  for (const [at, text] of texts.entries()) answers.set(text, new Set(row?.[`held_${at}`] ?? []))
  return answers
}

export function holds({ isNegated, what }: Test, value: string, answers: RegexAnswers): boolean {
  const isMatch =
    what.kind === 'set'
      ? what.values.has(value)
      : what.kind === 'any'
        ? true
        : what.kind === 'some'
          ? value !== ''
          : answers.get(what.text)!.has(value)
  return isMatch !== isNegated
}

export class Conditions {
  readonly parameters: Record<string, unknown> = {}
  readonly #prefix: string
  #count = 0

  /** @param prefix  begins the names of its parameters */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** @param value  an expression of our own text */
  of(value: string, { isNegated, what }: Test): string {
    const not = isNegated ? 'NOT ' : ''
    if (what.kind === 'any') return isNegated ? '0' : '1'
    if (what.kind === 'some') return `${value} ${isNegated ? '=' : '!='} ''`
    const name = `${this.#prefix}${this.#count++}`
    if (what.kind === 'set') {
      this.parameters[name] = [...what.values]
      return `${value} ${not}IN {${name}:Array(String)}`
    }
    this.parameters[name] = anchored(what.text)
    return `${not}match(${value}, {${name}:String})`
  }
}

/** As Prometheus anchors it. */
const anchored = (text: string) => `^(?:${text})$`

/** CANNOT_COMPILE_REGEXP. */
const BAD_REGEX_CODE = '427'

async function regexGuarded<Answer>(texts: readonly string[], run: () => Promise<Answer>): Promise<Answer> {
  try {
    return await run()
  } catch (cause) {
    if (String((cause as { code?: unknown } | null)?.code) !== BAD_REGEX_CODE) throw cause
    throw new PromError(
      'bad_data',
      `not a regular expression of RE2: ${texts.map((text) => `"${shown(text)}"`).join(' or ')}`,
    )
  }
}
