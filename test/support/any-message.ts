/** Any message of one attempt, for property tests of the fold. */
import fc from 'fast-check'
import type { ObservedMessage } from '../../schemas/observed-message.js'
import { observed } from './messages.js'

/** Few times, so that draws are common; more agents, tries, codes, tags and reasons than any cap lets in. */
export const anyMessage: fc.Arbitrary<ObservedMessage> = fc
  .record({
    at: fc.oneof(
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 0, max: 300 }).map((n) => n / 50),
    ),
    agent: fc.integer({ min: 1, max: 12 }).map((n) => `tap/${n}`),
    kind: fc.constantFrom(
      'INVITE',
      'INVITE',
      'reinvite',
      'CANCEL',
      'ACK',
      'BYE',
      'bye-answer',
      'code',
      'code',
      'code',
    ),
    code: fc.oneof(
      fc.constantFrom(100, 180, 181, 183, 199),
      fc.constantFrom(200, 202, 302, 401, 404, 407, 486, 487, 500, 503, 600, 603),
    ),
    cseq: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }) }, fc.integer({ min: 1, max: 40 })),
    branch: fc.oneof(fc.constantFrom('z9-a', 'z9-b', ''), fc.integer({ min: 1, max: 5 }).map(String)),
    toTag: fc.integer({ min: 1, max: 24 }).map((n) => `to-${n}`),
    reasons: fc.array(
      fc.integer({ min: 1, max: 14 }).map((n) => `Q.850;cause=${n}`),
      { maxLength: 10 },
    ),
    sourcePort: fc.constantFrom(5060, 5061),
    destinationPort: fc.constantFrom(5060, 5070),
    hasSdp: fc.boolean(),
    fromFar: fc.boolean(),
    identity: fc.constantFrom('A', 'B', 'C'),
  })
  .map(({ kind, code, cseq, toTag, identity, ...fields }) => {
    const common = { ...fields, cseqNumber: cseq, sdpHash: fields.hasSdp ? toTag : '' }
    switch (kind) {
      case 'INVITE':
        return observed({ ...common, method: 'INVITE', identities: [identity], userAgent: toTag })
      case 'reinvite':
        return observed({ ...common, method: 'INVITE', toTag })
      case 'CANCEL':
      case 'ACK':
        return observed({ ...common, method: kind, cseqMethod: kind, toTag: kind === 'ACK' ? toTag : '' })
      case 'BYE':
        return fields.fromFar
          ? observed({ ...common, cseqMethod: 'BYE', fromTag: toTag, toTag: 'from-1' })
          : observed({ ...common, cseqMethod: 'BYE', toTag })
      case 'bye-answer':
        return observed({ ...common, code, cseqMethod: 'BYE', toTag })
      default:
        return observed({ ...common, code, toTag, reasonPhrase: toTag })
    }
  })
