import { describe, expect, test } from 'vitest'
import { invalidNumberVerdicts, type Reached } from '../../evidence/invalid-numbers.js'
import { NOON_US } from '../api/support.js'
import { leg } from './legs.js'

const DAY_US = 86_400e6
const refused = (changes: Parameters<typeof leg>[0] = {}) =>
  leg({ state: 'closed', disposition: 'INVALID_NUMBER', sli: 'excluded', nerNumerator: 0, ...changes })
const reached = (changes: Partial<Reached> = {}): Reached => ({
  e164: '+12155550100',
  carrier: 'beta',
  attemptId: 'f'.repeat(32),
  invitedAtUs: NOON_US,
  disposition: 'BUSY',
  ...changes,
})

describe('a number that a carrier calls invalid', () => {
  test.each([
    [DAY_US, true],
    [DAY_US + 1, false],
    [-DAY_US, true],
    [-DAY_US - 1, false],
  ])('reached over another carrier %s µs later: %s', (laterUs, isRevised) => {
    const verdicts = invalidNumberVerdicts([refused()], [reached({ invitedAtUs: NOON_US + laterUs })], 24)
    expect(verdicts.map(({ judgement }) => judgement.disposition)).toEqual(isRevised ? ['NETWORK'] : [])
  })

  test('is NETWORK and bad, with the nearest one as evidence', () => {
    const [verdict] = invalidNumberVerdicts(
      [refused()],
      [reached({ invitedAtUs: NOON_US + 7e6 }), reached({ invitedAtUs: NOON_US - 5e6, carrier: 'gamma' })],
      24,
    )
    expect(verdict?.judgement).toMatchObject({ sli: 'bad', nerNumerator: 0, nerDenominator: 1 })
    expect(verdict?.evidence).toMatchObject({ carrier: 'gamma', laterMs: -5_000 })
  })

  test.each([
    ['over the same carrier', {}, { carrier: 'alpha' }],
    ['another number', {}, { e164: '+12155550199' }],
    ['when the call came in: it is our side that refuses', { direction: 'inbound' }, {}],
    ['when the carrier is not known', { party: 'unknown', carrier: 'unknown' }, {}],
    ['when it is no E.164 number', { e164: '' }, { e164: '' }],
  ])('stays invalid: %s', (_, changes, other) => {
    expect(invalidNumberVerdicts([refused(changes)], [reached(other)], 24)).toEqual([])
  })
})
