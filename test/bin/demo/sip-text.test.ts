import { describe, expect, it } from 'vitest'
import { CallPlanner } from '../../../bin/demo/call-planner.js'
import type { PlannedLeg } from '../../../bin/demo/planned-call.js'
import { LegText } from '../../../bin/demo/sip-text.js'
import { headerOf } from './observed-call.js'

const planner = new CallPlanner({ seed: 'text' })
const legs = Array.from({ length: 600 }, () => planner.plan(1_795_000_000_000_000).carrierLeg)
const legWith = (is: (leg: PlannedLeg) => boolean) => legs.find(is)!
const startOf = (text: string) => text.slice(0, text.indexOf('\r\n'))

describe('SIP text of a leg', () => {
  const ipv6 = legWith((leg) => leg.connection.farAddress.includes(':') && leg.fromSbc)
  const tcp = legWith((leg) => leg.connection.toFar.ipProtocol === 6)
  const proxied = legWith((leg) => leg.connection.recordRoute && leg.fromSbc)
  const anonymous = legWith((leg) => leg.anonymous)

  it('writes IPv6 hosts in brackets, and addresses in SDP without', () => {
    const invite = new LegText(ipv6).invite(0)
    expect(startOf(invite)).toBe(
      `INVITE sip:${ipv6.callee}@[${ipv6.connection.farAddress}]:5060;user=phone SIP/2.0`,
    )
    expect(invite).toContain(`\r\nc=IN IP6 ${ipv6.connection.sbcMediaAddress}\r\n`)
  })

  it('names the transport in Via and Contact', () => {
    const invite = new LegText(tcp).invite(0)
    expect(headerOf(invite, 'Via')).toMatch(/^SIP\/2\.0\/TCP /)
    expect(headerOf(invite, 'Contact')).toMatch(/;transport=tcp>$/)
  })

  it('keeps the far proxy in the dialog: Record-Route in its answers, Route in what follows', () => {
    const text = new LegText(proxied)
    const route = `<sip:${proxied.connection.farAddress};lr>`
    expect(headerOf(text.progress(0, 180, false), 'Record-Route')).toBe(route)
    expect(headerOf(text.ackOfAnswer(0), 'Route')).toBe(route)
    expect(headerOf(text.invite(0), 'Record-Route')).toBe('')
  })

  it('hides the number of an anonymous caller in From, and asserts it', () => {
    const invite = new LegText(anonymous).invite(0)
    expect(headerOf(invite, 'From')).toBe(
      `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=${anonymous.fromTag}`,
    )
    expect(headerOf(invite, 'P-Asserted-Identity')).toContain(anonymous.caller)
    expect(headerOf(invite, 'Privacy')).toBe('id')
  })

  it('turns the parties round when the callee hangs up', () => {
    const [leg, text] = [proxied, new LegText(proxied)]
    const [bye, answer] = [text.bye('callee'), text.byeAnswer('callee')]
    expect(headerOf(bye, 'From')).toMatch(new RegExp(`;tag=${leg.toTag}$`))
    expect(headerOf(bye, 'To')).toMatch(new RegExp(`;tag=${leg.fromTag}$`))
    for (const name of ['Via', 'From', 'To', 'Call-ID', 'CSeq']) {
      expect(headerOf(answer, name)).toBe(headerOf(bye, name))
    }
  })

  it('answers a challenge under the next CSeq, with credentials', () => {
    const [leg, text] = [proxied, new LegText(proxied)]
    expect(startOf(text.challenge())).toBe('SIP/2.0 407 Proxy Authentication Required')
    expect(headerOf(text.invite(1), 'Proxy-Authorization')).toMatch(/^Digest username="trunk", /)
    expect(headerOf(text.invite(1), 'CSeq')).toBe(`${leg.cseq + 1} INVITE`)
    expect(headerOf(text.invite(0), 'Proxy-Authorization')).toBe('')
  })
})
