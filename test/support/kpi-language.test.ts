import { describe, expect, test } from 'vitest'
import { decodeHep3 } from '../../sip/hep3.js'
import { readSip } from '../../sip/sip-message.js'
import { flowOf } from './kpi-flow.js'
import { parseKpiFile } from './kpi-language.js'
import { gapOf, ruleProblems } from './kpi-rules.js'
import { differences, emptySums, type Table } from './kpi-sums.js'
import { timeUs, wordsOf } from './kpi-words.js'

const HEAD = '# a call\nload carrier=acme\n'
const TAIL = '\neval attempts carrier=acme 1\n'

/** The messages of a flow: what each says, in the order in which they arrive. */
function messages(lines: string) {
  const file = parseKpiFile('x.kpi', HEAD + lines + TAIL)
  return flowOf(file, 7, 0, '.').frames.map((received) => {
    const frame = decodeHep3(received.bytes)
    if ('reason' in frame) throw new Error(frame.reason)
    return {
      ...readSip(frame.payload),
      source: frame.sourceAddress,
      text: frame.payload.toString(),
      ...received,
    }
  })
}

describe('the language of .kpi files', () => {
  describe('an unknown word is an error with its line, and says what is known', () => {
    for (const [what, text, problem] of [
      [
        'a statement',
        '# a\nlod carrier=acme\n',
        /x\.kpi:2: 'lod' is neither a statement \(set, clock, load, at, eval, rule\)/,
      ],
      [
        'a key of load',
        '# a\nload carier=acme\n',
        /x\.kpi:2: 'carier' is not known here \(carrier, customer/,
      ],
      [
        'a direction',
        '# a\nload carrier=acme direction=up\n',
        /x\.kpi:2: direction=up: write inbound or outbound/,
      ],
      ['a method', `${HEAD}  a 0s INVIT`, /x\.kpi:3: 'INVIT' is no method \(INVITE, ACK/],
      ['a status code', `${HEAD}  a 0s 700`, /x\.kpi:3: '700' is no method/],
      [
        'a key of an event',
        `${HEAD}  a 0s INVITE colour=red`,
        /x\.kpi:3: 'colour' is no key of an event \(cseq, branch/,
      ],
      ['a key of ^', `${HEAD}  a 0s INVITE 1s ^ tag=x`, /x\.kpi:3: \^ repeats a message as it was/],
      ['a time', `${HEAD}  a 0s INVITE 12 180`, /x\.kpi:3: '12' is no time/],
      ['a kind of identity', `${HEAD}  a 0s INVITE identity=D`, /x\.kpi:3: identity=D: write A, B, C/],
      [
        'a number',
        `${HEAD}  a 0s INVITE\neval asrr carrier=acme ratio 1`,
        /x\.kpi:4: 'asrr' is no KPI \(asr, ser/,
      ],
      [
        'a word of a ratio',
        `${HEAD}  a 0s INVITE\neval asr carrier=acme numerater 1`,
        /x\.kpi:4: 'numerater' is not said of asr/,
      ],
      [
        'a word of a quantile',
        `${HEAD}  a 0s INVITE\neval pdd_p50 ratio 1`,
        /x\.kpi:4: 'ratio' is not said of pdd_p50/,
      ],
      [
        'a column',
        `${HEAD}  a 0s INVITE\neval pdd attempt=a 1`,
        /x\.kpi:4: 'pdd' is no column of an attempt/,
      ],
      [
        'a filter',
        `${HEAD}  a 0s INVITE\neval asr carier=acme ratio 1`,
        /x\.kpi:4: 'carier' is not known here \(carrier, /,
      ],
      ['a threshold', '# a\nset patience=3\n', /x\.kpi:2: 'patience' is not known here \(ring_timers_s/],
      [
        'a window',
        `${HEAD}  a 0s INVITE\neval asr window=90s ratio 1`,
        /x\.kpi:4: a window is written in whole minutes/,
      ],
      [
        'a family of rules',
        `${HEAD}  a 0s INVITE\nrule colour RED fires=a`,
        /x\.kpi:4: 'colour' is no family of rules \(cancel_class,/,
      ],
      [
        'a rule code',
        `${HEAD}  a 0s INVITE\nrule flag racy fires=a`,
        /x\.kpi:4: 'racy' is no code of flag \(480_no_ring, race/,
      ],
      ['a list of a rule', `${HEAD}  a 0s INVITE\nrule flag race fire=a`, /x\.kpi:4: 'fire=a': write fires=/],
      [
        'a limit of nobody',
        `${HEAD}  a 0s INVITE\nrule flag race fires=a limit=b`,
        /x\.kpi:4: 'b' is at the limit, and neither/,
      ],
      ['an open quote', `${HEAD}  a 0s INVITE reason="x`, /x\.kpi:3: cannot read .* is a quote left open/],
    ] as const) {
      test(what, () => {
        expect(() => parseKpiFile('x.kpi', text + TAIL)).toThrow(problem)
      })
    }
  })

  test('a file without a sentence or without an eval is refused', () => {
    expect(() => parseKpiFile('x.kpi', 'load carrier=acme\n  a 0s INVITE\neval attempts 1')).toThrow(
      /begin with a comment/,
    )
    expect(() => parseKpiFile('x.kpi', `${HEAD}  a 0s INVITE`)).toThrow(/nothing is evaluated/)
  })

  test('an attempt outside a load, and a leg of two parties, are refused', () => {
    expect(() => parseKpiFile('x.kpi', '# a\n  a 0s INVITE\n')).toThrow(
      /x\.kpi:2: an attempt stands under a load line/,
    )
    expect(() => parseKpiFile('x.kpi', '# a\nload carrier=a customer=b\n')).toThrow(/x\.kpi:2: .* not both/)
  })

  test('words may be quoted, and a comment ends the line', () => {
    const words = wordsOf(`a  reason="SIP;text=\\"gone #1\\""  x='b "c"'  # the rest`, 'here')
    expect(words.map((word) => [word.key, word.value])).toEqual([
      ['', 'a'],
      ['reason', 'SIP;text="gone #1"'],
      ['x', 'b "c"'],
    ])
  })

  test('times have a unit', () => {
    expect(['1.2s', '20ms', '-3s', '2m', '5', 's'].map(timeUs)).toEqual([
      1_200_000,
      20_000,
      -3e6,
      120e6,
      undefined,
      undefined,
    ])
  })
})

describe('a call flow', () => {
  test('CANCEL and the ACK of its 487 bear the branch and the CSeq of the INVITE', () => {
    const sent = messages('  a 0s INVITE 1s 180 5s CANCEL 5.1s 487 5.2s ACK')
    expect(new Set(sent.map((message) => message.branch)).size).toBe(1)
    expect(sent.map((message) => message.cseqNumber)).toEqual([1, 1, 1, 1, 1])
    expect(sent.map((message) => message.toTag)).toEqual(['', 'a.1', '', 'a.1', 'a.1'])
  })

  test('after a 407 the next INVITE has the next CSeq and a new branch, and the ACK those of the first', () => {
    const [invite, , ack, again, answer] = messages('  a 0s INVITE 0.1s 407 0.2s ACK 0.3s INVITE 1s 180')
    expect([invite, ack, again, answer].map((message) => message?.cseqNumber)).toEqual([1, 1, 2, 2])
    expect(ack?.branch).toBe(invite?.branch)
    expect(again?.branch).not.toBe(invite?.branch)
    expect(answer?.branch).toBe(again?.branch)
  })

  test('what is written twice without keys, and ^, is the same message again', () => {
    const texts = messages('  a 0s INVITE identity=A 0.5s INVITE 1s 183 sdp=x 1.5s 183 2s ^').map(
      ({ text }) => text,
    )
    expect(texts[1]).toBe(texts[0])
    expect(texts[3]).toBe(texts[2])
    expect(texts[4]).toBe(texts[2])
  })

  test('a BYE from the callee turns tags and addresses round, and its 200 goes the other way', () => {
    const [, , bye, ok] = messages('  a 0s INVITE 1s 200 9s BYE from=callee 9.1s 200 cseq=BYE')
    expect([bye?.fromTag, bye?.toTag, ok?.fromTag, ok?.cseqMethod]).toEqual(['a.1', 'a', 'a.1', 'BYE'])
    expect(bye?.source).not.toBe(ok?.source)
  })

  test('an INVITE after the 200 is a re-INVITE with the To-tag of the call', () => {
    const sent = messages('  a 0s INVITE 1s 200 9s INVITE 9.1s 200 10s INVITE from=callee 10.1s 200')
    expect(sent.map((message) => message.toTag)).toEqual(['', 'a.1', 'a.1', 'a.1', 'a', 'a'])
    expect(sent.map((message) => message.cseqNumber)).toEqual([1, 1, 2, 2, 1, 1])
  })

  test('h.<Header> replaces a header, and an empty one takes it out', () => {
    const [invite] = messages('  a 0s INVITE h.Via="" h.Subject="hello" h.Max-Forwards="3"')
    expect(invite?.text).not.toContain('Via:')
    expect(invite?.text).toContain('Subject: hello\r\n')
    expect(invite?.text.match(/Max-Forwards/g)).toHaveLength(1)
  })

  test('each agent of the load sees every message, on its own clock', () => {
    const file = parseKpiFile(
      'x.kpi',
      `# a\nclock agent=2 -3s\nload carrier=acme agent=1,2\n  a 10s INVITE${TAIL}`,
    )
    const frames = flowOf(file, 7, 0, '.').frames.map((frame) => decodeHep3(frame.bytes))
    expect(frames).toMatchObject([
      { agentId: 2001, capturedAtUs: 10_000_000 },
      { agentId: 2002, capturedAtUs: 7_000_000 },
    ])
  })

  test('a*3 is three calls alike', () => {
    expect(messages('  a*3 0s INVITE').map((message) => message.fromTag)).toEqual(['a.1', 'a.2', 'a.3'])
  })
})

describe('a rule line', () => {
  const rulesOf = (...lines: string[]) =>
    parseKpiFile('x.kpi', [HEAD.trim(), '  a 0s INVITE', ...lines].join('\n')).evaluations.flatMap(
      ({ asks }) => (asks.kind === 'rule' ? [asks.rule] : []),
    )

  test('does not hold where a call lacks a code that it should have, or has one that it should not', () => {
    const [line] = rulesOf('rule flag race fires=a,b silent=c')
    const codes: Record<string, string[]> = { a: ['race'], b: [], c: ['race'] }
    expect(ruleProblems(line!, (name) => codes[name]!)).toEqual(['b has none', 'c has race'])
    expect(ruleProblems(line!, (name) => (name === 'c' ? [] : ['race']))).toEqual([])
    expect(ruleProblems(line!, () => 'nothing of it was seen')[0]).toBe('a: nothing of it was seen')
  })

  test('proves a code with a call that has it and one that has not, and with both sides of its limit', () => {
    expect(gapOf('flag', 'race', rulesOf('rule flag race fires=a silent=b'))).toBe('')
    expect(gapOf('flag', 'race', rulesOf('rule flag race fires=a'))).toMatch(/a call that has it not/)
    expect(gapOf('flag', 'race', rulesOf('rule flag cancel_no_final fires=a silent=b'))).toMatch(
      /a call that has it,/,
    )
    const half = rulesOf('rule suspicion EM_LONG fires=a silent=b limit=a')
    expect(gapOf('suspicion', 'EM_LONG', half)).toMatch(/the first call at its limit that has it not/)
    expect(
      gapOf('suspicion', 'EM_LONG', [...half, ...rulesOf('rule suspicion EM_LONG silent=c limit=c')]),
    ).toBe('')
  })
})

test('two tables of sums that differ anywhere are told apart', () => {
  const group = { minuteS: 60, party: 'carrier', carrier: 'acme-1', site: 'fra-1', direction: 'outbound' }
  const table = (change: (sums: ReturnType<typeof emptySums>) => void): Table => {
    const sums = emptySums(group)
    sums.counts.attempts = 2
    change(sums)
    return new Map([['key', sums]])
  }
  const truth = table(() => {})
  expect(
    differences(
      truth,
      table(() => {}),
    ),
  ).toEqual([])
  expect(
    differences(
      truth,
      table((sums) => Object.assign(sums.counts, { asr_numerator: 1 })),
    )[0],
  ).toMatch(/asr_numerator is 1/)
  expect(
    differences(
      truth,
      table((sums) => Object.assign(sums.maps, { responses: { 200: 1 } })),
    )[0],
  ).toMatch(/responses is/)
  expect(differences(truth, new Map())).toEqual(['group key: not by the SQL'])
})
