/**
 * The messages of the last try of an attempt: its INVITE, what came back before the final response, and the first 2xx.
 *
 * Takes    messages of one Call-ID as they were captured, in any order and more than once.
 * Returns  those of one agent (the one whose clock the attempt has) on the attempt's leg, in order of time; undefined where
 *          the INVITE is not among them: they are not stored any more, or were never captured.
 * Throws   nothing: what cannot be read is passed over, and an SDP that was cut on its way is none.
 *
 * The last try is that of the INVITE without To tag with the highest CSeq, then the latest; its responses bear its CSeq, and
 * its branch where both have one (some agents mirror responses without Via). Re-INVITEs have a To tag and are none.
 */
import type { SipMessage } from '../../schemas/sip-message.js'
import { headerValues } from '../../sip/header-lines.js'
import { readSdp, type SdpMedia, sdpBodyOf } from '../../sip/sdp.js'
import { readSip } from '../../sip/sip-message.js'

export interface Captured {
  agent: string
  capturedAtUs: number
  source: string
  destination: string
  bytes: Buffer
}

export interface Seen {
  atUs: number
  sip: SipMessage
  /** Of its SDP; undefined without one. */
  media: readonly SdpMedia[] | undefined
  /** RSeq; -1 without one. */
  rseq: number
  /** P-Early-Media, tokens in order and in lower case; undefined without the header. */
  earlyMedia: readonly string[] | undefined
}

export interface LastTry {
  invite: Seen
  /** 101 to 189. */
  provisionals: readonly Seen[]
  answer: Seen | undefined
  /** First final response, or 0. */
  finalAtUs: number
  /** RAck of each PRACK. */
  pracks: readonly { rseq: number; cseq: number; atUs: number }[]
  /** What the callee's side said beside: UPDATE, and responses to PRACK and UPDATE. */
  calleeUpdates: readonly Seen[]
}

export interface TriedAttempt {
  clockAgent: string
  addressLow: string
  addressHigh: string
  fromTag: string
}

const EARLY_MEDIA_TOKENS_MAX = 64

export function lastTryOf(attempt: TriedAttempt, captured: readonly Captured[]): LastTry | undefined {
  const read = captured
    .filter((one) => one.agent === attempt.clockAgent && isOfLeg(attempt, one))
    .sort((a, b) => a.capturedAtUs - b.capturedAtUs || Buffer.compare(a.bytes, b.bytes))
    .filter((one, at, all) => at === 0 || !isSame(one, all[at - 1]!))
    .map(({ capturedAtUs, bytes }) => ({ atUs: capturedAtUs, bytes, sip: readSip(bytes) }))
    .filter(({ sip }) => sip.parseError === '' || sip.parseError === 'no_via')
  const ofCaller = read.filter(({ sip }) => sip.fromTag === attempt.fromTag)
  const invites = ofCaller.filter(({ sip }) => sip.method === 'INVITE' && sip.toTag === '')
  const cseq = Math.max(...invites.map(({ sip }) => sip.cseqNumber))
  // A retransmission is later too, and has the same branch: the first of the branch that began last.
  const branches = new Map<string, (typeof invites)[number]>()
  for (const one of invites) {
    if (one.sip.cseqNumber === cseq && !branches.has(one.sip.branch)) branches.set(one.sip.branch, one)
  }
  const invite = [...branches.values()].at(-1)
  if (invite === undefined) return undefined

  const ofInvite = ofCaller
    .filter(({ sip }) => {
      const isOfBranch = sip.branch === '' || invite.sip.branch === '' || sip.branch === invite.sip.branch
      return sip.statusCode > 0 && sip.cseqMethod === 'INVITE' && sip.cseqNumber === cseq && isOfBranch
    })
    .map(seenOf)
  const answer = ofInvite.find(({ sip }) => sip.statusCode >= 200 && sip.statusCode < 300)
  return {
    invite: seenOf(invite),
    provisionals: ofInvite.filter(({ sip }) => sip.statusCode > 100 && sip.statusCode < 190),
    answer,
    finalAtUs: ofInvite.find(({ sip }) => sip.statusCode >= 200)?.atUs ?? 0,
    pracks: ofCaller.filter(({ sip }) => sip.method === 'PRACK').flatMap(rackOf),
    calleeUpdates: read
      .filter(
        ({ sip }) =>
          (sip.method === 'UPDATE' && sip.toTag === attempt.fromTag) ||
          (sip.statusCode >= 200 &&
            sip.statusCode < 300 &&
            sip.fromTag === attempt.fromTag &&
            (sip.cseqMethod === 'PRACK' || sip.cseqMethod === 'UPDATE')),
      )
      .map(seenOf),
  }
}

function isOfLeg({ addressLow, addressHigh }: TriedAttempt, { source, destination }: Captured): boolean {
  return (
    (source === addressLow && destination === addressHigh) ||
    (source === addressHigh && destination === addressLow)
  )
}

function isSame(one: Captured, other: Captured): boolean {
  return one.capturedAtUs === other.capturedAtUs && one.bytes.equals(other.bytes)
}

function seenOf({ atUs, sip, bytes }: { atUs: number; sip: SipMessage; bytes: Buffer }): Seen {
  const body = sip.truncated ? '' : sdpBodyOf(bytes, sip)
  const [rseq = ''] =
    sip.statusCode > 100 && sip.statusCode < 200 ? headerValues(bytes.toString('latin1'), 'RSeq') : []
  return {
    atUs,
    sip,
    media: body === '' ? undefined : readSdp(body).media,
    rseq: /^\d{1,10}$/.test(rseq) ? Number(rseq) : -1,
    earlyMedia:
      sip.earlyMedia === ''
        ? undefined
        : sip.earlyMedia
            .split(',', EARLY_MEDIA_TOKENS_MAX)
            .map((token) => token.split(';', 1)[0]!.trim().toLowerCase()),
  }
}

/** `RAck: 776656 1 INVITE`, RFC 3262 §7.2. */
function rackOf({ atUs, bytes }: { atUs: number; bytes: Buffer }): LastTry['pracks'][number][] {
  const [value = ''] = headerValues(bytes.toString('latin1'), 'RAck')
  const match = /^(\d{1,10})[ \t]+(\d{1,10})[ \t]+INVITE$/i.exec(value.slice(0, 64))
  return match === null ? [] : [{ rseq: Number(match[1]), cseq: Number(match[2]), atUs }]
}
