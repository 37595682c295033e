/**
 * The text of the SIP messages of one leg, as SBCs and switches write them.
 *
 * Takes    a planned leg.
 * Returns  whole messages, ASCII. What is the same in all messages of the leg is put together once.
 * Throws   nothing.
 * Source   RFC 3261; the bodies RFC 4566. Branches: one a try, its ACK to a failure and its CANCEL share it; the ACK
 *          to a 2xx and the BYE have their own (§17.1.1.3, §9.1, §13.2.2.4).
 */
import type { PlannedFinal, PlannedLeg } from './planned-call.js'

const ALLOW = 'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO\r\n'
const NO_BODY = 'Content-Length: 0\r\n\r\n'
const HOPS = 'Max-Forwards: 69\r\n'

interface Party {
  host: string
  /** host:port as it stands in a URI. */
  hostPort: string
  /** The URI of its Contact. */
  target: string
  agent: string
  /** Connection and port lines of its SDP. */
  media: string
  mediaPort: number
}

export class LegText {
  readonly #leg: PlannedLeg
  readonly #caller: Party
  readonly #callee: Party
  readonly #transport: string
  readonly #from: string
  readonly #to: string
  readonly #callId: string
  readonly #recordRoute: string
  readonly #route: string

  constructor(leg: PlannedLeg) {
    const { connection } = leg
    const isTcp = connection.toFar.ipProtocol === 6
    const sbc = { address: connection.sbcAddress, port: 5060, media: connection.sbcMediaAddress }
    const far = {
      address: connection.farAddress,
      port: connection.farPort,
      media: connection.farMediaAddress,
    }
    const port = 20_000 + leg.mediaPort
    this.#leg = leg
    this.#caller = party(leg.fromSbc ? sbc : far, leg.caller, `User-Agent: ${leg.callingAgent}`, isTcp, port)
    this.#callee = party(leg.fromSbc ? far : sbc, leg.callee, `Server: ${leg.calledAgent}`, isTcp, port)
    this.#transport = isTcp ? 'TCP' : 'UDP'
    const farHost = hostOf(connection.farAddress)
    const caller = leg.anonymous
      ? '"Anonymous" <sip:anonymous@anonymous.invalid>'
      : `${leg.callerName && `"${leg.callerName}" `}<sip:${leg.caller}@${this.#caller.host};user=phone>`
    this.#from = `${caller};tag=${leg.fromTag}\r\n`
    this.#to = `<sip:${leg.callee}@${this.#callee.host};user=phone>`
    this.#callId = `Call-ID: ${leg.callId}\r\n`
    this.#recordRoute = connection.recordRoute ? `Record-Route: <sip:${farHost};lr>\r\n` : ''
    this.#route = connection.recordRoute ? `Route: <sip:${farHost};lr>\r\n` : ''
  }

  /** The `attempt`-th INVITE, from 0; the second carries credentials. */
  invite(attempt: number): string {
    const leg = this.#leg
    const body = sessionDescription(this.#caller, leg.mediaPort)
    const privacy = leg.anonymous ? 'Privacy: id\r\n' : ''
    const identity = leg.identity === '' ? '' : `Identity: ${leg.identity}\r\n`
    const credentials = attempt === 0 ? '' : this.#credentials()
    return (
      `INVITE sip:${leg.callee}@${this.#callee.hostPort};user=phone SIP/2.0\r\n` +
      `${this.#via(this.#caller, `${leg.branch}.${attempt}`)}${leg.fromSbc ? '' : this.#recordRoute}${HOPS}` +
      `From: ${this.#from}To: ${this.#to}\r\n${this.#callId}CSeq: ${leg.cseq + attempt} INVITE\r\n` +
      `Contact: <${this.#caller.target}>\r\n` +
      `P-Asserted-Identity: <sip:${leg.caller}@${this.#caller.host};user=phone>\r\n` +
      `${privacy}${identity}${credentials}${this.#caller.agent}${ALLOW}Supported: timer, replaces\r\n` +
      `Session-Expires: 1800\r\nContent-Type: application/sdp\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    )
  }

  trying(attempt: number): string {
    return `SIP/2.0 100 Trying\r\n${this.#answerTo(attempt, 'INVITE', '')}${NO_BODY}`
  }

  challenge(): string {
    const nonce = this.#leg.branch.slice(7)
    return (
      `SIP/2.0 407 Proxy Authentication Required\r\n${this.#answerTo(0, 'INVITE', ';tag=a407')}` +
      `Proxy-Authenticate: Digest realm="${this.#callee.host}", nonce="${nonce}", algorithm=MD5, qop="auth"\r\n` +
      `${this.#callee.agent}${NO_BODY}`
    )
  }

  progress(attempt: number, code: 180 | 183, withSdp: boolean): string {
    const phrase = code === 180 ? 'Ringing' : 'Session Progress'
    const head =
      `SIP/2.0 ${code} ${phrase}\r\n${this.#answerTo(attempt, 'INVITE', `;tag=${this.#leg.toTag}`)}` +
      `${this.#recordRoute}Contact: <${this.#callee.target}>\r\n${this.#callee.agent}`
    return withSdp ? head + this.#answerBody() : head + NO_BODY
  }

  final(attempt: number, final: PlannedFinal): string {
    const { code, phrase, reason } = final
    const head = `SIP/2.0 ${code} ${phrase}\r\n${this.#answerTo(attempt, 'INVITE', `;tag=${this.#leg.toTag}`)}`
    if (code === 200) {
      return (
        `${head}${this.#recordRoute}Contact: <${this.#callee.target}>\r\n${this.#callee.agent}${ALLOW}` +
        `Supported: timer, replaces\r\nSession-Expires: 1800;refresher=uac\r\n${this.#answerBody()}`
      )
    }
    const moved =
      final.contact === '' ? '' : `Contact: <sip:${final.contact}@${this.#callee.host};user=phone>\r\n`
    const reasonLine = reason === '' ? '' : `Reason: ${reason}\r\n`
    return `${head}${moved}${reasonLine}${this.#callee.agent}${NO_BODY}`
  }

  /** ACK to the challenge or to a failure: a part of the INVITE's transaction. */
  ackOfFailure(attempt: number, toTag: string): string {
    const leg = this.#leg
    return (
      `ACK sip:${leg.callee}@${this.#callee.hostPort};user=phone SIP/2.0\r\n` +
      `${this.#via(this.#caller, `${leg.branch}.${attempt}`)}${HOPS}` +
      `From: ${this.#from}To: ${this.#to};tag=${toTag}\r\n${this.#callId}` +
      `CSeq: ${leg.cseq + attempt} ACK\r\n${NO_BODY}`
    )
  }

  ackOfAnswer(attempt: number): string {
    const leg = this.#leg
    return (
      `ACK ${this.#callee.target} SIP/2.0\r\n${this.#via(this.#caller, `${leg.branch}.ack`)}${this.#route}${HOPS}` +
      `From: ${this.#from}To: ${this.#to};tag=${leg.toTag}\r\n${this.#callId}` +
      `CSeq: ${leg.cseq + attempt} ACK\r\n${this.#caller.agent}${NO_BODY}`
    )
  }

  cancel(attempt: number, reason: string): string {
    const leg = this.#leg
    return (
      `CANCEL sip:${leg.callee}@${this.#callee.hostPort};user=phone SIP/2.0\r\n` +
      `${this.#via(this.#caller, `${leg.branch}.${attempt}`)}${HOPS}` +
      `From: ${this.#from}To: ${this.#to}\r\n${this.#callId}CSeq: ${leg.cseq + attempt} CANCEL\r\n` +
      `${reason === '' ? '' : `Reason: ${reason}\r\n`}${this.#caller.agent}${NO_BODY}`
    )
  }

  cancelled(attempt: number): string {
    const tag = `;tag=${this.#leg.toTag}`
    return `SIP/2.0 200 OK\r\n${this.#answerTo(attempt, 'CANCEL', tag)}${this.#callee.agent}${NO_BODY}`
  }

  bye(from: 'caller' | 'callee'): string {
    const [sender, receiver] = from === 'caller' ? [this.#caller, this.#callee] : [this.#callee, this.#caller]
    return (
      `BYE ${receiver.target} SIP/2.0\r\n${this.#byeHead(from, sender, this.#route + HOPS)}` +
      `Reason: Q.850;cause=16;text="Normal call clearing"\r\n${NO_BODY}`
    )
  }

  byeAnswer(from: 'caller' | 'callee'): string {
    const sender = from === 'caller' ? this.#caller : this.#callee
    return `SIP/2.0 200 OK\r\n${this.#byeHead(from, sender, '')}${NO_BODY}`
  }

  #byeHead(from: 'caller' | 'callee', sender: Party, afterVia: string): string {
    const leg = this.#leg
    const callee = `${this.#to};tag=${leg.toTag}\r\n`
    const parties =
      from === 'caller' ? `From: ${this.#from}To: ${callee}` : `From: ${callee}To: ${this.#from}`
    const cseq = from === 'caller' ? leg.cseq + 2 : 1
    return `${this.#via(sender, `${leg.branch}.bye`)}${afterVia}${parties}${this.#callId}CSeq: ${cseq} BYE\r\n`
  }

  #via(sender: Party, branch: string): string {
    return `Via: SIP/2.0/${this.#transport} ${sender.hostPort};branch=${branch}\r\n`
  }

  /** The headers a response copies from its request, and its To-tag. */
  #answerTo(attempt: number, method: 'INVITE' | 'CANCEL', tag: string): string {
    const leg = this.#leg
    return (
      `${this.#via(this.#caller, `${leg.branch}.${attempt}`)}From: ${this.#from}To: ${this.#to}${tag}\r\n` +
      `${this.#callId}CSeq: ${leg.cseq + attempt} ${method}\r\n`
    )
  }

  #answerBody(): string {
    const body = sessionDescription(this.#callee, this.#leg.mediaPort + 1)
    return `Content-Type: application/sdp\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  }

  #credentials(): string {
    const nonce = this.#leg.branch.slice(7)
    const host = this.#callee.host
    return (
      `Proxy-Authorization: Digest username="trunk", realm="${host}", nonce="${nonce}", uri="sip:${host}", ` +
      `response="${nonce}${nonce}", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001\r\n`
    )
  }
}

function party(
  end: { address: string; port: number; media: string },
  number: string,
  agent: string,
  isTcp: boolean,
  mediaPort: number,
): Party {
  const host = hostOf(end.address)
  const hostPort = `${host}:${end.port}`
  const target = `sip:${number}@${hostPort}${isTcp ? ';transport=tcp' : ''}`
  const media = `IN ${end.media.includes(':') ? 'IP6' : 'IP4'} ${end.media}`
  return { host, hostPort, target, agent: `${agent}\r\n`, media, mediaPort }
}

function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

function sessionDescription(at: Party, session: number): string {
  return (
    `v=0\r\no=- ${session} 1 ${at.media}\r\ns=-\r\nc=${at.media}\r\nt=0 0\r\n` +
    `m=audio ${at.mediaPort} RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n` +
    'a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n'
  )
}
