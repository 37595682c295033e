/**
 * readSip on an INVITE of about 800 bytes with SDP and a SHAKEN token, and what follows it for a stored message. One line
 * a figure, in CPU time; the median of RUNS runs. drachtio-sip is not installed: its 227k messages/s are of faults.md §5.1.
 *
 * Run      npx tsc && node dist/bench/decode-sip.js
 */
import { decodeHep3, encodeHep3, sipPayloadOf } from '../sip/hep3.js'
import { attestationOf, readIdentity } from '../sip/passport.js'
import { redactSip } from '../sip/redact.js'
import { sdpHash } from '../sip/sdp.js'
import { readSip } from '../sip/sip-message.js'
import { readNameAddr, readUri } from '../sip/uri.js'
import { cpuNsPerCall, median } from './measure.js'
import { sampleInvite } from './sample-messages.js'

const RUNS = 7
const MESSAGES = 1_000
const ROUNDS = 200

const invites = Array.from({ length: MESSAGES }, (_, index) => sampleInvite(index))
const messages = invites.map((bytes) => readSip(bytes))
const frames = invites.map((payload) =>
  encodeHep3({
    sourceAddress: '198.51.100.10',
    destinationAddress: '203.0.113.20',
    capturedAtUs: 1,
    payload,
  }),
)

console.log(
  `INVITE: ${invites[0]!.length} bytes, parseError '${messages[0]!.parseError}', SDP ${messages[0]!.hasSdp}`,
)
measure('readSip', (index) => readSip(invites[index]!).bodyOffset)
measure('decodeHep3 + readSip', (index) => {
  const frame = decodeHep3(frames[index]!)
  const payload = 'reason' in frame ? frame : sipPayloadOf(frame)
  return Buffer.isBuffer(payload) ? readSip(payload).bodyOffset : 0
})
measure('redactSip, nothing to redact', (index) => redactSip(invites[index]!, messages[index]!).length)
measure(
  'readIdentity + attestationOf',
  (index) => attestationOf([readIdentity(messages[index]!.identities[0]!)]).length,
)
measure('sdpHash', (index) => sdpHash(invites[index]!, messages[index]!).length)
measure('readNameAddr + readUri of To', (index) => readUri(readNameAddr(messages[index]!.to).uri).user.length)

function measure(what: string, work: (index: number) => number): void {
  cpuNsPerCall(MESSAGES, ROUNDS, work) // Warms up.
  const runs = Array.from({ length: RUNS }, () => cpuNsPerCall(MESSAGES, ROUNDS, work) / 1_000)
  const us = median(runs)
  console.log(
    `${what}: ${us.toFixed(2)} us, ${Math.round(1_000 / us)}k/s (best ${Math.min(...runs).toFixed(2)} us)`,
  )
}
