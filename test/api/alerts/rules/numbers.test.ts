/** Numbers arrive on a carrier that does not own them. */
import { describe, expect, it } from 'vitest'
import type { AlertNumbers } from '../../../../api/alerts/numbers.js'
import { configSchema } from '../../../../schemas/config.js'
import { played } from '../played.js'

const NOON_S = Date.parse('2026-11-18T12:00:00Z') / 1_000

const config = (alerts: object = {}) =>
  configSchema.parse({
    carriers: [{ id: 'alpha', peers: ['198.51.100.1/32'], contacts: { escalation: 'the desk of alpha' } }],
    alerts: { burn: false, carrier_silent: false, page_url: 'https://trunkscope.example', ...alerts },
  })

const play = (misrouted: AlertNumbers['misrouted'], of = config()) =>
  played({
    config: of,
    lanes: [],
    numbersFromS: NOON_S,
    fromS: NOON_S,
    toS: NOON_S + 3 * 3_600,
    evidence: { misrouted },
  })

describe('NumberOnWrongCarrier', () => {
  it('is a ticket of the carrier on which they arrive, and over an hour after the last', async () => {
    const { told, notices } = await play(async (atS) =>
      atS < NOON_S + 600 ? [{ carrier: 'alpha', attempts: 12, numbers: 3 }] : [],
    )
    expect(told).toEqual([
      '12:00 firing NumberOnWrongCarrier alpha',
      '13:09 resolved NumberOnWrongCarrier alpha',
    ])
    const { annotations, severity } = notices[0]!
    expect(severity).toBe('ticket')
    expect(annotations.summary).toBe('12 calls in 60 min to 3 numbers of other carriers arrived on alpha')
    expect(annotations.runbook_url).toBe('dashboards/runbooks/NumberOnWrongCarrier.md#first-look')
    expect(annotations.escalation).toBe('the desk of alpha')
    expect(annotations.link).toBe('https://trunkscope.example/numbers')
  })

  it('two calls are none, and it is off where it is switched off', async () => {
    const few = await play(async () => [{ carrier: 'alpha', attempts: 2, numbers: 1 }])
    expect(few.told).toEqual([])
    const many = async () => [{ carrier: 'alpha', attempts: 20, numbers: 1 }]
    expect((await play(many, config({ number_on_wrong_carrier: false }))).told).toEqual([])
  })

  it('what fires goes on, held, while there are too many numbers to compare', async () => {
    const { told, rows } = await play(async (atS) =>
      atS < NOON_S + 600 ? [{ carrier: 'alpha', attempts: 5, numbers: 1 }] : undefined,
    )
    expect(told).toEqual(['12:00 firing NumberOnWrongCarrier alpha'])
    expect(rows[0]!.held).toBe('calls cannot be compared with the inventory now: there are too many')
  })
})
