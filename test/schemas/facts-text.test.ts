import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { factsFromText, factsText } from '../../collector/fold/attempt-facts.js'
import type { AttemptFacts, TryView } from '../../schemas/attempt-facts.js'
import { readFacts, writeFacts } from '../../schemas/facts-text.js'
import type { IdentityToken } from '../../schemas/passport.js'
import { anyMessage } from '../support/any-message.js'
import { copyOf, factsFrom } from '../support/messages.js'

/** What the wire can hold: bytes as chars, and what JSON inside a token can say, lone surrogates included. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(fc.integer({ min: 0, max: 0xff }), { maxLength: 60 })
    .map((codes) => String.fromCharCode(...codes)),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
    .map((codes) => String.fromCharCode(...codes)),
  fc.constantFrom(
    '',
    ':',
    '=',
    '=0,',
    '3:abc',
    '4"00e9',
    '{',
    '1',
    ',',
    '"',
    '\n',
    '\0',
    '\\u0000',
    '-1,',
    'é',
    '€',
    '\ud800',
  ),
)
/** Few, so that they come again. */
const name = fc.oneof(fc.constantFrom('', 'tap/1', 'tap/2', '192.0.2.11', '=a,'), text)
const time = fc.oneof(
  fc.integer({ min: 1_795_000_000_000_000, max: 1_795_000_100_000_000 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
)
const number = fc.integer({ min: 0, max: 0xffff_ffff })
const list = <Entry>(entry: fc.Arbitrary<Entry>) => fc.array(entry, { maxLength: 3 })

const agentTime = fc.record({ agent: name, atUs: time })
const ends = {
  atUs: time,
  agent: name,
  agentId: number,
  sourceAddress: name,
  sourcePort: number,
  destinationAddress: name,
  destinationPort: number,
}
const token: fc.Arbitrary<IdentityToken> = fc.record({
  form: fc.constantFrom('full', 'compact', 'malformed'),
  ppt: text,
  attest: text,
  orig: text,
  dest: list(name),
  iatS: number,
  x5u: text,
  origId: text,
  div: text,
  tokenHash: text,
  problem: fc.constantFrom('', 'truncated', 'not_a_token', 'bad_json', 'bad_attest', 'too_long'),
})
const view: fc.Arbitrary<TryView> = fc.record(
  {
    agent: name,
    invites: list(time),
    lastInvite: time,
    first100: time,
    first18x: time,
    first180: time,
    firstSdp18x: time,
    firstResponse: time,
    lastProvisional: time,
    firstCancel: time,
  },
  { requiredKeys: ['agent', 'invites'] },
)
const attempt = fc.record(
  {
    cseq: fc.integer({ min: -1, max: 0xffff_ffff }),
    branch: text,
    reinvite: fc.boolean(),
    invite: fc.record({
      ...ends,
      hash: text,
      requestUri: text,
      from: text,
      to: text,
      contact: text,
      assertedIdentities: list(text),
      identities: list(token),
      userAgent: text,
      sdpHash: text,
      frameFlags: number,
      truncated: fc.boolean(),
    }),
    ends: fc.record(ends),
    views: list(view),
    finals: list(
      fc.record({
        code: number,
        times: list(agentTime),
        atUs: time,
        agent: name,
        hash: text,
        phrase: text,
        toTag: name,
        reasons: list(text),
        sdpHash: text,
      }),
    ),
    cancelReasons: list(text),
    earlyTags: list(name),
  },
  { requiredKeys: ['cseq', 'branch', 'reinvite', 'views', 'finals', 'cancelReasons', 'earlyTags'] },
)
const anyFacts: fc.Arbitrary<AttemptFacts> = fc.record({
  key: fc.record({ addressLow: name, addressHigh: name, callId: text, fromTag: name }),
  tries: list(attempt),
  byes: list(
    fc.record({
      fromTag: name,
      toTag: name,
      times: list(agentTime),
      finalTimes: list(agentTime),
      reasons: list(text),
    }),
  ),
  acks: list(agentTime),
  overflow: fc.boolean(),
})

describe('the text of facts', () => {
  test('gives back any facts, whatever the wire put into them, and absent times stay absent', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        expect(readFacts(writeFacts(facts))).toStrictEqual(copyOf(facts))
      }),
      { numRuns: 500 },
    )
  })

  test('is one text for one set of facts, and another for any other', () => {
    fc.assert(
      fc.property(anyFacts, anyFacts, (one, other) => {
        expect(writeFacts(copyOf(one))).toBe(writeFacts(one))
        expect(writeFacts(one) === writeFacts(other)).toBe(JSON.stringify(one) === JSON.stringify(other))
      }),
      { numRuns: 200 },
    )
  })

  test('has chars of one byte only, so that the store gives it back as it was', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const written = writeFacts(facts)
        for (let at = 0; at < written.length; at++) expect(written.charCodeAt(at)).toBeLessThan(0x100)
      }),
      { numRuns: 100 },
    )
  })

  test('does not depend on the order in which the messages came', () => {
    fc.assert(
      fc.property(
        fc
          .array(anyMessage, { minLength: 1, maxLength: 30 })
          .chain((messages) =>
            fc.tuple(
              fc.constant(messages),
              fc.shuffledSubarray(messages, { minLength: messages.length, maxLength: messages.length }),
            ),
          ),
        ([messages, shuffled]) => {
          expect(factsText({ ...factsFrom(shuffled), key: factsFrom(messages).key })).toBe(
            factsText(factsFrom(messages)),
          )
        },
      ),
      { numRuns: 150 },
    )
  })

  test('is read in the JSON of version 0.1, too, and is then the text of the same facts', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 30 }), (messages) => {
        const facts = factsFrom(messages)
        const [json, written] = [JSON.stringify(facts), factsText(facts)]
        expect(factsFromText(json)).toEqual(factsFromText(JSON.stringify(factsFromText(json))))
        expect(factsText(factsFromText(json))).toBe(written)
      }),
      { numRuns: 100 },
    )
  })

  test('that is cut, or goes on, is an error and never other facts', () => {
    fc.assert(
      fc.property(anyFacts, fc.nat(), (facts, where) => {
        const written = writeFacts(facts)
        expect(() => readFacts(written.slice(0, where % written.length))).toThrow(SyntaxError)
        expect(() => readFacts(`${written}a,`)).toThrow(SyntaxError)
      }),
      { numRuns: 200 },
    )
    expect(() => readFacts('2')).toThrow('stored facts of a version that is not known here: 2')
  })

  test('holds no digits but those of texts: a search for a number finds no time and no port', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 30 }), (messages) => {
        const digits = (found: string) => found.match(/\d+/g) ?? []
        const facts = factsFrom(messages)
        const texts: string[] = []
        JSON.stringify(facts, (_, value) => {
          if (typeof value === 'string') texts.push(value)
          return value
        })
        const known = new Set(texts.flatMap(digits))
        for (const found of digits(factsText(facts).slice(1))) expect(known).toContain(found)
      }),
      { numRuns: 50 },
    )
  })

  test('says what stands often once: the name of the agent, addresses, tags', () => {
    const agentTime = { agent: 'a rather long name of an agent', atUs: 1_795_000_000_000_000 }
    const facts: AttemptFacts = {
      key: { addressLow: '192.0.2.1', addressHigh: '198.51.100.1', callId: 'c', fromTag: 'f' },
      tries: [],
      byes: [],
      acks: [agentTime, { ...agentTime, atUs: agentTime.atUs + 40 }],
      overflow: false,
    }
    expect(writeFacts(facts)).toBe(
      '1j:192.0.2.1,m:198.51.100.1,b:c,b:f,a,a,a,c,bo:a rather long name of an agent,ggailabfpdaaa,=d,ci,',
    )
  })

  test('takes a name back after more different ones than it remembers', () => {
    const facts: AttemptFacts = {
      key: { addressLow: '', addressHigh: '', callId: '', fromTag: '' },
      tries: [],
      byes: [],
      acks: [...Array(80).keys(), ...Array(80).keys()].map((n) => ({ agent: `tap/${n}`, atUs: n })),
      overflow: true,
    }
    expect(readFacts(writeFacts(facts))).toStrictEqual(facts)
  })
})
