/**
 * Suspicions that need the messages of an attempt: SDP, tags, P-Early-Media, reliability.
 *
 * Takes    the last try of a closed attempt (last-try.ts), and the thresholds.
 * Returns  the suspicion, or undefined.
 * Throws   nothing; bounded by the messages of one try and the streams of an SDP (sip/sdp.ts).
 * Source   metrics.md §5; RFC 3262 (reliable provisionals), RFC 5009 §8 (P-Early-Media). Decisions of ours stand above their rule.
 */
import type { Anomaly, AnomalyCode, AnomalyMessage } from '../../schemas/anomalies.js'
import { readAddress } from '../../sip/ip-prefix.js'
import type { SdpMedia } from '../../sip/sdp.js'
import type { LastTry, Seen } from './last-try.js'
import { seconds, type Thresholds } from './record-rules.js'

type Found = Omit<Anomaly, 'code'> | undefined
type Rule = (seen: LastTry, thresholds: Thresholds) => Found

/** In the order of the definitions. */
export function messageAnomalies(seen: LastTry, thresholds: Thresholds): Anomaly[] {
  return Object.entries(MESSAGE_RULES).flatMap(([code, rule]) => {
    const found = rule(seen, thresholds)
    return found === undefined ? [] : [{ code: code as AnomalyCode, ...found }]
  })
}

const MESSAGES_SHOWN = 8

const reference = ({ atUs, sip }: Seen): AnomalyMessage => ({
  what: sip.statusCode > 0 ? String(sip.statusCode) : sip.method,
  atUs,
})

const withMedia = ({ media }: Seen) => media !== undefined
const isReliable = ({ rseq }: Seen) => rseq >= 0

/** The last 18x with SDP before the answer, of these. */
function lastBefore(answer: Seen, provisionals: readonly Seen[]): Seen | undefined {
  return provisionals.findLast((one) => withMedia(one) && one.atUs <= answer.atUs)
}

const sdpChanged: Rule = ({ answer, provisionals }) => {
  if (answer?.media === undefined) return undefined
  const sameTag = provisionals.filter(({ sip }) => sip.toTag === answer.sip.toTag)
  const early = lastBefore(answer, sameTag)
  if (early?.media === undefined) return undefined
  const changes = changesOf(early.media, answer.media)
  if (changes.length === 0) return undefined
  return {
    severity: isReliable(early) ? 'high' : 'info',
    sentence: `The SDP of the ${answer.sip.statusCode} has another ${changes.join(', ')} than the ${isReliable(early) ? 'reliable' : 'unreliable'} ${early.sip.statusCode} of the same To tag.`,
    messages: [reference(early), reference(answer)],
  }
}

function changesOf(before: readonly SdpMedia[], after: readonly SdpMedia[]): string[] {
  if (before.length !== after.length || before.some(({ kind }, at) => kind !== after[at]!.kind)) {
    return ['set of streams']
  }
  const differs = (of: (media: SdpMedia) => string | number) =>
    before.some((media, at) => of(media) !== of(after[at]!))
  return [
    differs(({ address }) => address) ? 'address' : '',
    differs(({ port }) => port) ? 'port' : '',
    differs(({ formats }) => formats.join(' ')) ? 'codec' : '',
    differs(({ direction }) => direction) ? 'direction' : '',
  ].filter((change) => change !== '')
}

/** The first audio stream, else the first of any kind. */
function addressOf(media: readonly SdpMedia[] | undefined): string {
  return (media?.find(({ kind }) => kind === 'audio') ?? media?.[0])?.address ?? ''
}

/** Names and what is held (0.0.0.0) are in no network. */
function networkOf(address: string): string | undefined {
  const read = readAddress(address)
  if (read === undefined || read.words.every((word) => word === 0)) return undefined
  const [first = 0, second = 0] = read.words
  return read.family === 4 ? `4 ${first >>> 8}` : `6 ${first} ${second >>> 16}`
}

const originJump: Rule = ({ answer, provisionals }) => {
  if (answer?.media === undefined) return undefined
  const sameTag = provisionals.filter(({ sip }) => sip.toTag === answer.sip.toTag)
  const early = lastBefore(answer, sameTag) ?? lastBefore(answer, provisionals)
  if (early === undefined) return undefined
  const [from, to] = [networkOf(addressOf(early.media)), networkOf(addressOf(answer.media))]
  if (from === undefined || to === undefined || from === to) return undefined
  return {
    severity: 'warn',
    sentence: `Audio came from another network before the answer: the ${early.sip.statusCode} and the ${answer.sip.statusCode} name addresses of different ${from.startsWith('4') && to.startsWith('4') ? '/24 networks' : 'networks'}. AS numbers are not known here.`,
    messages: [reference(early), reference(answer)],
  }
}

/** The first 18x of each To tag. */
function firstOfTags(provisionals: readonly Seen[]): Map<string, Seen> {
  const tags = new Map<string, Seen>()
  for (const one of provisionals) {
    if (one.sip.toTag !== '' && !tags.has(one.sip.toTag)) tags.set(one.sip.toTag, one)
  }
  return tags
}

const multiTag: Rule = ({ provisionals }) => {
  const tags = firstOfTags(provisionals)
  if (tags.size < 2) return undefined
  return {
    severity: 'info',
    sentence: `${tags.size} early dialogs in one try: the call was forked behind this carrier.`,
    messages: [...tags.values()].slice(0, MESSAGES_SHOWN).map(reference),
  }
}

const newTagAnswer: Rule = ({ answer, provisionals }) => {
  const tags = firstOfTags(provisionals)
  if (answer === undefined || answer.sip.toTag === '' || tags.size === 0 || tags.has(answer.sip.toTag))
    return undefined
  return {
    severity: 'warn',
    sentence: `The ${answer.sip.statusCode} has a To tag that none of the 18x before it had: somebody answered who had not rung.`,
    messages: [...[...tags.values()].slice(0, MESSAGES_SHOWN).map(reference), reference(answer)],
  }
}

const noPem: Rule = ({ invite, provisionals }) => {
  if (invite.earlyMedia?.includes('supported') !== true) return undefined
  const bare = provisionals.find((one) => withMedia(one) && one.earlyMedia === undefined)
  if (bare === undefined) return undefined
  return {
    severity: 'info',
    sentence: `The INVITE supports P-Early-Media, and the ${bare.sip.statusCode} with SDP has none.`,
    messages: [reference(invite), reference(bare)],
  }
}

const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive']

/** By early dialog: what the callee's side said last of each stream, and its last SDP. */
const pemInactive: Rule = ({ provisionals, calleeUpdates, finalAtUs }) => {
  const said = [...provisionals, ...calleeUpdates]
    .filter(({ atUs }) => finalAtUs === 0 || atUs <= finalAtUs)
    .sort((a, b) => a.atUs - b.atUs)
  const tagOf = ({ sip }: Seen) => (sip.method === 'UPDATE' ? sip.fromTag : sip.toTag)
  for (const tag of new Set(said.map(tagOf))) {
    const ofDialog = said.filter((one) => tagOf(one) === tag)
    const authorized = ofDialog.findLast(({ earlyMedia }) => directionsOf(earlyMedia).length > 0)
    const described = ofDialog.findLast(withMedia)
    if (authorized === undefined || described?.media === undefined) continue
    const directions = directionsOf(authorized.earlyMedia)
    const isSilent = described.media.some(
      ({ direction, port }, at) =>
        direction === 'sendrecv' && port > 0 && (directions[at] ?? directions.at(-1)) === 'inactive',
    )
    if (!isSilent) continue
    return {
      severity: 'info',
      sentence:
        'P-Early-Media says inactive of a stream that the SDP has as sendrecv, up to the final response.',
      messages: authorized === described ? [reference(authorized)] : [authorized, described].map(reference),
    }
  }
  return undefined
}

function directionsOf(tokens: readonly string[] | undefined): string[] {
  return tokens?.filter((token) => DIRECTIONS.includes(token)) ?? []
}

const unreliable: Rule = ({ invite, provisionals }) => {
  const options = `${invite.sip.supported},${invite.sip.require}`.split(',')
  if (!options.some((option) => option.trim().toLowerCase() === '100rel')) return undefined
  const plain = provisionals.find((one) => withMedia(one) && !isReliable(one))
  if (plain === undefined) return undefined
  return {
    severity: 'info',
    sentence: `The INVITE allows reliable provisional responses, and the ${plain.sip.statusCode} with SDP is none (no RSeq).`,
    messages: [reference(invite), reference(plain)],
  }
}

/** By early dialog and RSeq; a copy that was sent again does not move the limit. */
const prackMissing: Rule = ({ invite, provisionals, pracks }, { early_media }) => {
  const reliable = new Map<string, Seen>()
  for (const one of provisionals) {
    const key = `${one.rseq} ${one.sip.toTag}`
    if (isReliable(one) && !reliable.has(key)) reliable.set(key, one)
  }
  const missing = [...reliable.values()].filter(
    ({ rseq, atUs }) =>
      !pracks.some(
        (prack) =>
          prack.rseq === rseq &&
          prack.cseq === invite.sip.cseqNumber &&
          prack.atUs >= atUs &&
          prack.atUs <= atUs + early_media.prack_ms * 1_000,
      ),
  )
  if (missing.length === 0) return undefined
  return {
    severity: 'warn',
    sentence: `No PRACK was seen within ${seconds(early_media.prack_ms)} of ${missing.length === 1 ? `a reliable ${missing[0]!.sip.statusCode}` : `${missing.length} reliable provisional responses`}.`,
    messages: missing.slice(0, MESSAGES_SHOWN).map(reference),
  }
}

/** Port 0 refuses a stream, and a call with video that is refused is a sound one: all streams must have it. */
const blackhole: Rule = ({ provisionals }) => {
  for (const one of provisionals) {
    const { media } = one
    if (media === undefined || media.length === 0) continue
    const why = media.every(({ port }) => port === 0)
      ? 'has port 0'
      : media
          .filter(({ port }) => port > 0)
          .map(({ address }) => unreachable(address))
          .find((words) => words !== '')
    if (why === undefined) continue
    return {
      severity: 'warn',
      sentence: `The SDP of the ${one.sip.statusCode} ${why}: its media has nowhere to come from.`,
      messages: [reference(one)],
    }
  }
  return undefined
}

/** '' for an address that others can reach. */
function unreachable(address: string): string {
  const read = readAddress(address)
  if (read === undefined) return ''
  if (read.words.every((word) => word === 0)) return 'names the address of nobody (0.0.0.0 or ::)'
  const [word = 0] = read.words
  const isPrivate =
    read.family === 4 && (word >>> 24 === 10 || word >>> 20 === 0xac1 || word >>> 16 === 0xc0a8)
  return isPrivate ? 'names a private address (RFC 1918)' : ''
}

export const MESSAGE_RULES: { [Code in AnomalyCode]?: Rule } = {
  EM_SDP_CHANGED: sdpChanged,
  EM_ORIGIN_JUMP: originJump,
  EM_MULTI_TAG: multiTag,
  EM_NEW_TAG_ANSWER: newTagAnswer,
  EM_NO_PEM: noPem,
  EM_PEM_INACTIVE: pemInactive,
  EM_UNRELIABLE: unreliable,
  EM_PRACK_MISSING: prackMissing,
  EM_BLACKHOLE: blackhole,
}
