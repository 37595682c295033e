import { describe, expect, test } from 'vitest'
import { anomaliesOf } from '../../../evidence/early-media/anomalies-of.js'
import { MESSAGE_RULES } from '../../../evidence/early-media/message-rules.js'
import { RECORD_RULES } from '../../../evidence/early-media/record-rules.js'
import { ANOMALY_CODES, anomalyRule } from '../../../schemas/anomalies.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, NOON_US } from '../../api/support.js'
import { request, response, TRIED } from './messages.js'

const { thresholds } = configSchema.parse({})
const call = {
  ...attempt({
    invitedAtUs: NOON_US,
    first18xAtUs: NOON_US + 1e6,
    first180AtUs: 0,
    firstSdp18xAtUs: NOON_US + 1e6,
    answeredAtUs: NOON_US + 5e6,
    finalAtUs: NOON_US + 5e6,
  }),
  ...TRIED,
}
const messages = [request(0, 'INVITE'), response(1, 183, { sdp: {} }), response(5, 200, { sdp: { port: 9 } })]

describe('suspicions of an attempt', () => {
  test('every code has a rule, over the record or over the messages as the definitions say', () => {
    const codesOf = (reads: string) => ANOMALY_CODES.filter((code) => anomalyRule(code).reads === reads)
    expect(Object.keys(RECORD_RULES)).toEqual(codesOf('record'))
    expect(Object.keys(MESSAGE_RULES)).toEqual(codesOf('messages'))
  })

  test('come from record and messages, in the order of the definitions', () => {
    const { anomalies, hasMessages } = anomaliesOf(call, messages, thresholds)
    expect(anomalies.map(({ code }) => code)).toEqual(['EM_183_NO_180', 'EM_SDP_CHANGED'])
    expect(hasMessages).toBe(true)
  })

  test.each([undefined, [], messages.slice(1)])('without the INVITE only the record speaks', (captured) => {
    const { anomalies, hasMessages } = anomaliesOf(call, captured, thresholds)
    expect(anomalies.map(({ code }) => code)).toEqual(['EM_183_NO_180'])
    expect(hasMessages).toBe(false)
  })

  test('none is heavier than its definition says', () => {
    const weights = ['info', 'warn', 'high']
    for (const { code, severity } of anomaliesOf(call, messages, thresholds).anomalies)
      expect(weights.indexOf(severity)).toBeLessThanOrEqual(weights.indexOf(anomalyRule(code).severity))
  })
})
