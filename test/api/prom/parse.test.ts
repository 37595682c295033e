import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parsePromql } from '../../../api/prom/parse.js'
import { PromError } from '../../../api/prom/prom-error.js'
import type { Expr } from '../../../api/prom/syntax-tree.js'
import { anyKnownScalar, anyKnownVector } from './known-samples.js'

/** What the parser understood, with all its parentheses. */
function understood(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return String(expr.value)
    case 'string':
      return JSON.stringify(expr.value)
    case 'selector':
    case 'range': {
      const window = expr.kind === 'range' ? `[${expr.windowS}]` : ''
      return `${expr.selector.metric ?? ''}${window}${expr.offsetS === 0 ? '' : `@${-expr.offsetS}`}`
    }
    case 'window':
      return `${expr.over}${expr.perSecond ? '/s' : ''}(${understood(expr.range)})`
    case 'clamp':
      return `clamp(${understood(expr.vector)})`
    case 'absent':
      return `absent(${understood(expr.vector)})`
    case 'vector':
      return `vector(${understood(expr.scalar)})`
    case 'histogram_quantile':
      return `quantile(${understood(expr.quantile)}, ${understood(expr.buckets)})`
    case 'aggregate':
      return `${expr.op} ${expr.grouping.without ? 'without' : 'by'}(${expr.grouping.labels})(${understood(expr.vector)})`
    case 'binary': {
      const { on, labels } = expr.matching
      const matching = on || labels.length > 0 ? ` ${on ? 'on' : 'ignoring'}(${labels})` : ''
      return `(${understood(expr.left)} ${expr.op}${expr.bool ? ' bool' : ''}${matching} ${understood(expr.right)})`
    }
    case 'negate':
      return `-(${understood(expr.operand)})`
  }
}

function refusal(text: string): { type: string; message: string } {
  try {
    parsePromql(text)
  } catch (error) {
    if (error instanceof PromError) return { type: error.errorType, message: error.message }
    throw error
  }
  throw new Error(`not refused: ${text}`)
}

function outcome(text: string): string {
  try {
    return understood(parsePromql(text))
  } catch (error) {
    return (error as PromError).errorType
  }
}

describe('what binds closest', () => {
  test.each([
    ['1 - 2 - 3', '((1 - 2) - 3)'],
    ['a + b * c', '(a + (b * c))'],
    ['a or b and c unless d', '(a or ((b and c) unless d))'],
    ['a + b > c and d', '(((a + b) > c) and d)'],
    ['-a * b', '(-(a) * b)'],
    ['a * -b / c', '((a * -(b)) / c)'],
    ['- - a', '-(-(a))'],
    ['+a', 'a'],
    ['-1 + 2', '(-1 + 2)'],
    ['a -1', '(a - 1)'],
    ['a - -1', '(a - -1)'],
    ['(a + b) * c', '((a + b) * c)'],
    ['a AND ON (x) b', '(a and on(x) b)'],
    ['a > bool ignoring (x, y,) b', '(a > bool ignoring(x,y) b)'],
  ])('%s is %s', (text, expected) => {
    expect(understood(parsePromql(text))).toBe(expected)
  })

  // The grammar reads the first of these as (a + b) offset 5m.
  test.each([
    ['a + b offset 5m', '(a + b@-300)'],
    ['a + b offset 5m * c', '(a + (b@-300 * c))'],
    ['-a offset 5m', '-(a@-300)'],
    ['a offset -1h30m', 'a@5400'],
    ['a / rate(b[5m] offset 1d)', '(a / increase/s(b[300]@-86400))'],
    ['rate((b[5m]))', 'increase/s(b[300])'],
  ])('offset and range belong to the selector before them: %s', (text, expected) => {
    expect(understood(parsePromql(text))).toBe(expected)
  })

  test('comments and line ends may stand anywhere', () => {
    expect(understood(parsePromql('# why\nsum ( # of\n a # first\n + # plus\n b ) # end'))).toBe(
      'sum by()((a + b))',
    )
  })
})

describe('types', () => {
  test.each([
    ['1 + 2', 'scalar'],
    ['1 > bool 2', 'scalar'],
    ['-1', 'scalar'],
    ['x', 'vector'],
    ['x > 1', 'vector'],
    ['vector(1)', 'vector'],
    ['x[5m]', 'matrix'],
  ])('%s is a %s', (text, type) => {
    expect(parsePromql(text).type).toBe(type)
  })
})

describe('literals', () => {
  test.each([
    ['010', 8],
    ['09', 9],
    ['0x1F', 31],
    ['1_000', 1_000],
    ['.5', 0.5],
    ['1e3', 1_000],
    ['Inf', Number.POSITIVE_INFINITY],
    ['-inf', Number.NEGATIVE_INFINITY],
    ['NaN', Number.NaN],
  ])('the number %s is %d', (text, value) => {
    expect(parsePromql(text)).toMatchObject({ kind: 'number', value })
  })

  test.each([
    ['"a\\"b\\n\\x41\\101\\u00e9\\U0001F600"', 'a"b\nAAé😀'],
    ["'a\\'b\"'", 'a\'b"'],
    ['`a\\n"\'`', 'a\\n"\''],
    ['"\\xc3\\xa9"', 'é'],
  ])('the string %s', (text, value) => {
    expect(parsePromql(`x{a=${text}}`)).toMatchObject({
      selector: { matchers: [{ label: 'a', op: '=', value }] },
    })
  })

  test('any value of a label survives JSON quoting', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (value) => {
        // JSON escapes the slash nowhere and lone surrogates as \u, which no UTF-8 has.
        expect(parsePromql(`x{a=${JSON.stringify(value)}}`)).toMatchObject({
          selector: { matchers: [{ value }] },
        })
      }),
    )
  })
})

describe('selectors', () => {
  test('matchers travel as they are, with the place', () => {
    expect(parsePromql('1 + x{a="b", c!="d", e=~"f|g", h!~"(i*)*"}')).toMatchObject({
      right: {
        selector: {
          metric: 'x',
          at: 5,
          matchers: [
            { label: 'a', op: '=', value: 'b' },
            { label: 'c', op: '!=', value: 'd' },
            { label: 'e', op: '=~', value: 'f|g' },
            { label: 'h', op: '!~', value: '(i*)*' },
          ],
        },
      },
    })
  })

  test.each([
    '{a="x"}',
    '{a!=""}',
    '{a=~".+"}',
    '{a=~"x|yy?"}',
    '{a=~"(?i:x)"}',
    '{a=~"[]a*]"}',
    '{a=~"\\\\bx?"}',
    '{a=~"(?:a{1,3})"}',
    '{a=~"\\\\Qa*\\\\E"}',
    '{a!~".*"}',
    '{a!~"|x"}',
    '{a="", b="x"}',
  ])('%s refuses the empty value of some label', (text) => {
    expect(parsePromql(text).kind).toBe('selector')
  })

  test.each([
    '{}',
    '{a=""}',
    '{a!="x"}',
    '{a=~""}',
    '{a=~".*"}',
    '{a=~"x?"}',
    '{a=~"x|"}',
    '{a=~"(x*)+"}',
    '{a=~"x{0,2}"}',
    '{a=~"^$"}',
    '{a=~"(?i)"}',
    '{a=~"\\\\A\\\\B\\\\z"}',
    '{a=~"\\\\Q\\\\E"}',
    '{a!~"x"}',
  ])('%s would ask for everything', (text) => {
    expect(refusal(text)).toMatchObject({
      type: 'bad_data',
      message: expect.stringContaining('at least one matcher'),
    })
  })

  test.each([
    '(',
    ')',
    '[',
    '[a',
    '*',
    'a**',
    'a{2,1}',
    'a{1001}',
    '(?=a)',
    '(?<!a)',
    '\\\\',
    '\\\\1',
    '\\\\Z',
    '\\\\_x\\\\y',
  ])('the expression %s is none of RE2', (expression) => {
    expect(refusal(`x{a=~"${expression}"}`).type).toBe('bad_data')
  })

  test('on plain expressions, whether "" matches is what another engine says', () => {
    const part = fc.constantFrom(
      'a',
      'b',
      '.',
      '^',
      '$',
      '|',
      '(?:a)',
      '(b|)',
      '[ab]',
      'a*',
      'b?',
      '(?:a|b)+',
      'a{0}',
      '\\.',
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const expression = parts.join('')
        const text = `{a!~${JSON.stringify(expression)}}`
        if (new RegExp(`^(?:${expression})$`).test('')) expect(parsePromql(text).kind).toBe('selector')
        else expect(refusal(text).type).toBe('bad_data')
      }),
    )
  })
})

describe('422 names the part that is not answered, and where', () => {
  test.each([
    ['max_over_time(x[1h:5m])', 'subquery "x[1h:5m]" at 15'],
    ['a + b[1h:]', 'subquery "b[1h:]" at 5'],
    ['irate(x[5m])', 'function irate "irate(x[5m])" at 1: use rate'],
    [
      '1 + label_replace(x, "a", "$1", "b", "c")',
      'function label_replace "label_replace(x, "a", "$1", "b", "c")" at 5',
    ],
    ['stddev by (a) (x)', 'aggregation stddev "stddev by (a) (x)" at 1'],
    ['quantile(0.9, x)', 'aggregation quantile "quantile(0.9, x)" at 1'],
    ['x ^ 2', 'operator "^" at 3'],
    ['-1^0.5', 'operator "^" at 3'],
    ['x % 2', 'operator "%" at 3'],
    ['x atan2 y', 'operator "atan2" at 3'],
    ['x / on (a) group_left (b) y', 'group_left "on (a) group_left (b)" at 5'],
    ['x / ignoring (a) group_right y', 'group_right "ignoring (a) group_right" at 5'],
    ['x @ 5', '@ modifier "x @ 5" at 1'],
    ['x @ end()', '@ modifier "x @ end()" at 1'],
    ['rate(x[5m] smoothed)', 'smoothed modifier "x[5m] smoothed" at 6'],
    ['x[300]', 'duration without a unit "300" at 3'],
    ['x[1500ms]', 'duration with a fraction of a second "1500ms" at 3'],
    ['5m', 'duration as a number "5m" at 1'],
    ['{"x"}', 'quoted name ""x"" at 2'],
    ['sum by ("a b") (x)', 'quoted name ""a b"" at 9'],
    ['"x"', 'string as the answer ""x"" at 1'],
    ['x + fill(0) y', 'fill modifier "fill(0)" at 5'],
    [`${'('.repeat(300)}x${')'.repeat(300)}`, 'depth'],
    [Array(60).fill('x').join('+'), '60 selectors'],
  ])('%s', (text, named) => {
    const { type, message } = refusal(text)
    expect(message).toContain(`unsupported: ${named}`)
    expect(message).toMatch(/, see docs\/promql\.md$/)
    expect(type).toBe('execution')
  })
})

describe('400 says what is wrong, and where', () => {
  test.each([
    ['', 'unexpected end of query'],
    ['sum(x', 'at 6: unexpected end of query'],
    ['x{a="b} + 1', 'at 12: unexpected end of query'],
    ['a + $b', 'at 5: unexpected "$b"'],
    ['"x', 'at 1: unterminated quoted string'],
    ['rate(x)', 'at 6: expected type range vector in call to function "rate", got instant vector "x"'],
    ['topk(x)', 'at 1: wrong number of arguments for aggregate expression provided, expected 2, got 1'],
    ['x[5m+1m]', 'at 3: not a duration: "5m+1m"'],
    ['x[(5m)]', 'at 3: not a duration: "(5m)"'],
    ['a + sum(b) offset 5m', 'at 5: offset modifier must be preceded by'],
    ['x{__name__="y"}', 'at 1: metric name must not be set twice'],
  ])('%s', (text, sentence) => {
    const { type, message } = refusal(text)
    expect(message).toContain(sentence)
    expect(type).toBe('bad_data')
  })
})

test('a text that is too long is not read at all', () => {
  expect(refusal('x'.repeat(32_769))).toMatchObject({
    type: 'bad_data',
    message: expect.stringContaining('32769'),
  })
})

describe('any text', () => {
  test('gives a tree or a PromError', () => {
    const parts = fc.constantFrom(
      ...[
        'x',
        'rate',
        'sum',
        'by',
        'topk',
        'offset',
        'on',
        'bool',
        'or',
        'group_left',
        '(',
        ')',
        '[',
        ']',
        '{',
        '}',
      ],
      ...[
        ',',
        '=',
        '=~',
        '"a"',
        "'",
        '`',
        '5m',
        '1',
        '-',
        '+',
        '*',
        '^',
        '@',
        ':',
        '#',
        '\n',
        '\\',
        'é',
        '$',
        '>',
        ' ',
      ],
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(parts, { maxLength: 20 }).map((chosen) => chosen.join('')),
    )
    fc.assert(
      fc.property(text, (query) => {
        try {
          parsePromql(query)
        } catch (error) {
          expect(error).toBeInstanceOf(PromError)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('of the subset is understood whatever blanks and parentheses stand around it', () => {
    fc.assert(
      fc.property(fc.oneof(anyKnownScalar, anyKnownVector), (query) => {
        expect(outcome(`( ${query}\n)`)).toBe(outcome(query))
      }),
    )
  })

  // Whether the grammar gives up first or the stack ends is left open.
  test('of the deepest kind is refused', () => {
    for (const part of ['(', '-', 'a+', 'x[', 'sum(']) refusal(part.repeat(32_768 / part.length))
  })

  test('is refused where it uses up the stack', () => {
    // Down to where nothing more can be called, then up again until the parser is reached but cannot finish.
    const atTheEnd = (): { type: string } => {
      try {
        return atTheEnd()
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        return refusal('('.repeat(32_768))
      }
    }
    expect(atTheEnd().type).toBe('execution')
  })
})
