import { describe, expect, it } from 'vitest'
import { CallPlanner } from '../../../bin/demo/call-planner.js'
import { callMessages, type TimedMessage } from '../../../bin/demo/calls.js'
import type { PlannedCall } from '../../../bin/demo/planned-call.js'
import { troubleBefore } from '../../../bin/demo/trouble.js'
import { readSip } from '../../../sip/sip-message.js'
import { isDocumentationAddress } from './documentation-ranges.js'
import { headerOf, observe } from './observed-call.js'

const NOW_US = 1_795_000_000_000_000
const CALLS = 2_500

function plan(count: number): PlannedCall[] {
  const planner = new CallPlanner({ seed: 'calls', trouble: troubleBefore(NOW_US) })
  // Half of the calls before the trouble, half in it.
  return Array.from({ length: count }, (_, index) =>
    planner.plan(NOW_US - 3_600_000_000 + Math.round((3_600_000_000 * index) / count)),
  )
}

const calls = plan(CALLS).map((call) => ({ call, messages: callMessages(call) }))
const onCarrierLeg = ({ call, messages }: { call: PlannedCall; messages: TimedMessage[] }) => {
  const { toFar, fromFar } = call.carrierLeg.connection
  return messages.filter(({ route }) => route === toFar || route === fromFar)
}

describe('demo calls', () => {
  it('come to what the answer sheet says, as a plain look at the messages shows', () => {
    const seen = new Set<string>()
    for (const each of calls) {
      const { expected } = each.call
      const observed = observe(onCarrierLeg(each), expected.sbcAddress)
      expect(observed).toEqual({
        callId: expected.callId,
        fromTag: expected.fromTag,
        tries: expected.tries,
        inviteRetransmissions: expected.inviteRetransmissions,
        invitedAtUs: expected.invitedAtUs,
        finalCode: expected.finalCode,
        finalAtUs: expected.closedAtUs,
        rang: expected.rang,
        pddMs: expected.pddMs,
        cancelClass: expected.cancelClass,
        disposition: expected.disposition,
        durationMs: expected.durationMs,
        byeFrom: expected.byeFrom,
        attestation: expected.attestation,
        direction: expected.direction,
      })
      seen.add(each.call.outcome)
    }
    expect(seen.size).toBeGreaterThanOrEqual(23)
  })

  it('are SIP that our reader takes without an objection, with the fields of the plan', () => {
    for (const { call, messages } of calls.slice(0, 600)) {
      for (const { text, route } of messages) {
        const bytes = Buffer.from(text, 'latin1')
        const message = readSip(bytes)
        const { customerLeg } = call
        const isCarriers = message.callId === call.expected.callId
        const leg = isCarriers ? call.carrierLeg : customerLeg!
        expect(message.parseError).toBe('')
        expect([message.truncated, message.contentLength]).toEqual([false, message.bodyLength])
        expect(message.callId).toBe(leg.callId)
        expect([leg.connection.toFar, leg.connection.fromFar]).toContain(route)
        expect([leg.fromTag, leg.toTag]).toContain(message.fromTag)
        expect(message.hasSdp).toBe(message.contentType === 'application/sdp')
        if (message.method !== 'INVITE' || !isCarriers) continue
        expect(message.assertedIdentities[0]).toContain(leg.caller)
        expect(message.requestUri).toContain(leg.callee)
        expect(message.toTag).toBe('')
      }
    }
  })

  it('follow one another in time, and each is seen by the agent of its site', () => {
    for (const { call, messages } of calls) {
      const times = messages.map(({ atUs }) => atUs)
      expect(times).toEqual([...times].sort((one, other) => one - other))
      expect(times.every(Number.isSafeInteger)).toBe(true)
      expect(new Set(messages.map(({ route }) => route.agentId))).toEqual(new Set([call.expected.agentId]))
    }
  })

  it('mention documentation addresses and example names only', () => {
    const [addresses, hosts] = [new Set<string>(), new Set<string>()]
    for (const { messages } of calls.slice(0, 600)) {
      for (const { text } of messages) {
        for (const [address] of text.matchAll(/\b\d{1,3}(\.\d{1,3}){3}\b/g)) addresses.add(address)
        for (const [, address] of text.matchAll(/(?:\[|IP6 )([0-9a-f:]+)/g)) addresses.add(address!)
        for (const [, host] of text.matchAll(/@([a-z][a-z0-9.-]*)/g)) hosts.add(host!)
      }
    }
    expect([...addresses].filter((address) => !isDocumentationAddress(address))).toEqual([])
    expect([...hosts].filter((host) => !/\.(example|invalid)$/.test(host))).toEqual([])
    expect([addresses.size > 20, hosts.size > 5]).toEqual([true, true])
  })

  it('keep branches as transactions do: CANCEL and ACK to a failure share the INVITE’s, others do not', () => {
    for (const each of calls.slice(0, 600)) {
      const branches = new Map<string, Set<string>>()
      for (const { text } of onCarrierLeg(each)) {
        if (text.startsWith('SIP/2.0 ')) continue
        const [number, method] = headerOf(text, 'CSeq').split(' ')
        const isOfInvite = method !== 'BYE' && !(method === 'ACK' && headerOf(text, 'Via').endsWith('.ack'))
        const key = isOfInvite ? `transaction ${number}` : `${method}`
        branches.set(key, (branches.get(key) ?? new Set()).add(headerOf(text, 'Via')))
      }
      const all = [...branches.values()]
      expect(all.every((each) => each.size === 1)).toBe(true)
      expect(new Set(all.flatMap((each) => [...each])).size).toBe(all.length)
    }
  })
})
