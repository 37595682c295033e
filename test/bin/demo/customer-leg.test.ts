import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../bin/demo/behaviour.js'
import { CallPlanner } from '../../../bin/demo/call-planner.js'
import { callMessages } from '../../../bin/demo/calls.js'
import type { PlannedCall } from '../../../bin/demo/planned-call.js'
import { readSip } from '../../../sip/sip-message.js'

const planner = new CallPlanner({ seed: 'customers' })
const mirrored = Array.from({ length: 8_000 }, () => planner.plan(1_795_000_000_000_000)).filter(
  (call) => call.customerLeg !== undefined,
)

const codesOf = (call: PlannedCall) =>
  callMessages(call)
    .map(({ text }) => readSip(Buffer.from(text, 'latin1')))
    .filter((message) => message.callId === call.customerLeg!.callId && message.cseqMethod === 'INVITE')
    .map((message) => message.statusCode)
const first = (outcome: Outcome, outbound = true) =>
  mirrored.find((call) => call.outcome === outcome && call.carrierLeg.fromSbc === outbound)!

describe('customer leg', () => {
  it('is seen at one site only, under a Call-ID of its own', () => {
    expect(new Set(mirrored.map((call) => call.expected.site))).toEqual(new Set(['fra']))
    for (const { carrierLeg, customerLeg } of mirrored) {
      expect(customerLeg!.callId).not.toBe(carrierLeg.callId)
      expect(customerLeg!.fromSbc).toBe(!carrierLeg.fromSbc)
      expect(customerLeg!.connection.farAddress).toMatch(/^203\.0\.113\.(1[3-9]\d|2\d\d)$/)
    }
  })

  it('begins before the carrier’s leg of an outbound call and after that of an inbound one', () => {
    for (const { carrierLeg, customerLeg } of mirrored) {
      expect(customerLeg!.invitedAtUs < carrierLeg.invitedAtUs).toBe(carrierLeg.fromSbc)
      if (!carrierLeg.final || carrierLeg.cancel) continue
      expect(customerLeg!.final!.atUs > carrierLeg.final.atUs).toBe(carrierLeg.fromSbc)
    }
  })

  it('is in order: INVITE, 100, what rings, the final response', () => {
    for (const { customerLeg: leg } of mirrored) {
      const times = [
        leg!.invitedAtUs,
        leg!.tryingAtUs,
        ...leg!.progress.map((step) => step.atUs),
        leg!.final!.atUs,
      ]
      expect(times).toEqual([...times].sort((one, other) => one - other))
    }
  })

  it('ends as the SBC has it: a relayed answer, or its own when it gave up', () => {
    expect(codesOf(first('busy')).at(-1)).toBe(486)
    expect(codesOf(first('abandoned')).at(-1)).toBe(487)
    expect(codesOf(first('ring_timer')).at(-1)).toBe(480)
    expect(first('ring_timer').customerLeg!.cancel).toBeUndefined()
    expect(codesOf(first('abandoned', false)).at(-1)).toBe(487)
  })
})
