import fc from 'fast-check'
import { expect, test } from 'vitest'
import { foldOf } from '../../../collector/fold-wiring.js'
import { RowBinaryWriter } from '../../../collector/store/rowbinary.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { ATTEMPT_COLUMNS } from '../../../schemas/call-attempts.js'
import { configSchema } from '../../../schemas/config.js'
import { anyMessage } from '../../support/any-message.js'
import { FAR, factsFrom, observed, SBC, START_US } from '../../support/messages.js'

const FOLD = foldOf(
  configSchema.parse({ carriers: [{ id: 'acme', peers: [FAR] }], sites: [{ id: 'fra', sbc: [SBC] }] }),
)
const delay = fc.option(fc.double({ noNaN: true, min: 0, max: 4e6 }))

test('a row of an attempt that is spelled out has the bytes of its columns, in their order', () => {
  fc.assert(
    fc.property(
      fc.array(anyMessage, { minLength: 1, maxLength: 20 }),
      fc.record({ pddMs: delay, authMs: delay, durationMs: delay, ringDelayMs: delay }),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.boolean(),
      (messages, delays, text, isDeleted) => {
        const facts = factsFrom(messages)
        const made = FOLD.attemptOf(FOLD.attemptIdOf(facts.key), facts, START_US + 60_000_000)
        const attempt: Attempt = { ...made, ...delays, callId: text, toTags: [...made.toTags, text] }
        const row = {
          attempt,
          version: 3,
          isDeleted,
          busPartition: 7,
          storedAtS: 1_795_000_000,
          factsText: text,
        }
        const [spelled, byColumn] = [new RowBinaryWriter(), new RowBinaryWriter()]
        spelled.attempt(row)
        byColumn.row(ATTEMPT_COLUMNS, row)
        expect(spelled.rows).toBe(1)
        expect(Buffer.concat(spelled.take())).toEqual(Buffer.concat(byColumn.take()))
      },
    ),
    { numRuns: 200 },
  )
})

test('no two columns are swapped unseen: each has a value of its own', () => {
  const facts = factsFrom([observed({})])
  let count = 0
  const distinct = (value: unknown): unknown => {
    if (typeof value === 'number' || value === null) return ++count
    if (typeof value === 'string') return `text ${++count}`
    if (Array.isArray(value)) return [`entry ${++count}`]
    return value
  }
  const made = FOLD.attemptOf('0123456789abcdef'.repeat(2), facts, START_US)
  const attempt = Object.fromEntries(
    Object.entries(made).map(([name, value]) => [name, name === 'attemptId' ? value : distinct(value)]),
  ) as unknown as Attempt
  const row = {
    attempt,
    version: 1_000,
    isDeleted: true,
    busPartition: 1_001,
    storedAtS: 1_002,
    factsText: 'f',
  }
  const [spelled, byColumn] = [new RowBinaryWriter(), new RowBinaryWriter()]
  spelled.attempt(row)
  byColumn.row(ATTEMPT_COLUMNS, row)
  expect(Buffer.concat(spelled.take())).toEqual(Buffer.concat(byColumn.take()))
})
