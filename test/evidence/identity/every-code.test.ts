/**
 * Every code that the check of an Identity token can say (schemas/identity-checks.ts), each with a token that gets it and the one
 * next to it that does not. A code without both does not compile. They are no .kpi cases: a flow has no keys to sign with.
 */
import { describe, expect, test } from 'vitest'
import { verifyTokens } from '../../../evidence/identity/verify-token.js'
import {
  CHAINS,
  type Chain,
  FAILING_FINDINGS,
  FINDINGS,
  type Finding,
  INVALID_REASONS,
  type InvalidReason,
  NOT_CHECKED_REASONS,
  type NotCheckedReason,
} from '../../../schemas/identity-checks.js'
import { IDENTITY_MAX_CHARS } from '../../../sip/passport.js'
import { OPT_DEPTH_MAX } from '../../../sip/passport-claims.js'
import {
  CALL,
  CLAIMS,
  certificateWith,
  INFO,
  INVITED_S,
  KEY,
  KEY_A2,
  shaken,
  tokenOf,
  V1,
  verifyHere,
  X5U,
} from './tokens.js'

interface Received {
  values: string[]
  call?: Partial<typeof CALL>
  found?: ReturnType<typeof certificateWith>
  verify?: typeof verifyHere
}
interface Both {
  has: Received
  hasNot: Received
}

async function check({ values, call, found = certificateWith(KEY), verify = verifyHere }: Received) {
  return verifyTokens(values, { ...CALL, ...call }, { certificateOf: () => found, verify })
}

const SOUND: Received = { values: [shaken()] }
const AT_MS = INVITED_S * 1_000
const TOKEN = tokenOf({}, CLAIMS)

const claiming = (claims: object): Received => ({ values: [shaken(claims)] })
const headed = (header: object): Received => ({ values: [shaken({}, header)] })
const withParameters = (parameters: string): Received => ({ values: [TOKEN + parameters] })
const called = (call: Partial<typeof CALL>): Received => ({ values: [shaken()], call })

function signedWith(changes: object, trust: unknown = { fromMs: 0, toMs: 8e15 }): Received {
  const found = certificateWith(KEY) as Extract<ReturnType<typeof certificateWith>, { certificate: unknown }>
  return {
    values: [shaken()],
    found: { certificate: { ...found.certificate, ...changes }, trust: trust as never },
  }
}

const FROM_1 = '13125550111'
const FROM_2 = '13125550112'
const TARGET = '13125550123'
const base = shaken({ dest: { tn: [FROM_1] } })
const div = (from: string, to: string, claims: object = {}, ppt = 'div') =>
  `${tokenOf({ ppt }, { dest: { tn: [to] }, div: { tn: from }, iat: CLAIMS.iat, orig: CLAIMS.orig, ...claims })};info=<${X5U}>;ppt=${ppt}`
const bare = (value: string) => value.split(';')[0]!
const diverted = (...values: string[]): Received => ({ values: [base, ...values] })

/** Tokens in each other, `depth` of them around the one that begins the chain. */
function nested(depth: number): Received {
  let token = bare(base)
  for (let at = 0; at < depth; at++) token = bare(div(FROM_1, FROM_1, { opt: token }, 'div-o'))
  return { values: [`${token};info=<${X5U}>;ppt=div-o`] }
}

const OF_FINDING: Readonly<Record<Finding, Both>> = {
  iat_missing: { has: claiming({ iat: 0 }), hasNot: claiming({ iat: 1 }) },
  iat_stale: { has: claiming({ iat: INVITED_S - 61 }), hasNot: claiming({ iat: INVITED_S - 60 }) },
  iat_in_future: { has: claiming({ iat: INVITED_S + 61 }), hasNot: claiming({ iat: INVITED_S + 60 }) },
  orig_missing: { has: claiming({ orig: {} }), hasNot: SOUND },
  orig_mismatch: {
    has: called({ assertedIdentities: [], from: '<sip:+14155551001@a.example>' }),
    hasNot: called({ assertedIdentities: [], from: '<sip:4155551000@a.example>' }),
  },
  orig_is_from_only: {
    has: called({ assertedIdentities: ['<sip:+14155551001@a.example>'] }),
    hasNot: called({ assertedIdentities: ['<tel:+1-415-555-1000>'] }),
  },
  orig_without_country_code: {
    has: called({ assertedIdentities: [], from: '<sip:4155551000@a.example>' }),
    hasNot: called({ assertedIdentities: [], from: '<sip:+4155551000@a.example>' }),
  },
  dest_missing: { has: claiming({ dest: {} }), hasNot: SOUND },
  dest_mismatch: {
    has: called({ to: '<sip:+13125550199@a.example>', requestUri: 'sip:+13125550199@a.example' }),
    hasNot: called({ requestUri: 'sip:+13125550199@a.example' }),
  },
  dest_diverted: { has: diverted(div(FROM_1, TARGET)), hasNot: diverted(div(FROM_2, TARGET)) },
  info_is_not_x5u: {
    has: withParameters(`;info=<${X5U}?>;ppt=shaken`),
    hasNot: withParameters(`;info=<${X5U}>;ppt=shaken`),
  },
  info_missing: { has: withParameters(';ppt=shaken'), hasNot: withParameters(`;info=<${X5U}>;ppt=shaken`) },
  ppt_is_not_of_token: {
    has: withParameters(`;info=<${X5U}>;ppt=rph`),
    hasNot: withParameters(`;info=<${X5U}>;ppt="shaken"`),
  },
  algorithm_is_not_of_token: {
    has: withParameters(`;info=<${X5U}>;alg=RS256;ppt=shaken`),
    hasNot: withParameters(`;info=<${X5U}>;alg=ES256;ppt=shaken`),
  },
  attest_missing: { has: claiming({ attest: 'D' }), hasNot: claiming({ attest: 'C' }) },
  claim_missing: { has: claiming({ origid: undefined }), hasNot: SOUND },
  div_without_previous: { has: diverted(div(FROM_2, TARGET)), hasNot: diverted(div(FROM_1, TARGET)) },
  div_orig_changed: {
    has: diverted(div(FROM_1, TARGET, { orig: { tn: '14155551001' } })),
    hasNot: diverted(div(FROM_1, TARGET)),
  },
  div_last_is_not_target: { has: diverted(div(FROM_1, FROM_2)), hasNot: diverted(div(FROM_1, TARGET)) },
  div_with_opt: {
    has: diverted(div(FROM_1, TARGET, { opt: bare(base) })),
    hasNot: { values: [div(FROM_1, TARGET, { opt: bare(base) }, 'div-o')] },
  },
  opt_missing: {
    has: { values: [div(FROM_1, TARGET, {}, 'div-o')] },
    hasNot: { values: [div(FROM_1, TARGET, { opt: bare(base) }, 'div-o')] },
  },
  opt_too_deep: { has: nested(OPT_DEPTH_MAX + 1), hasNot: nested(OPT_DEPTH_MAX) },
  not_canonical: {
    has: { values: [`${tokenOf({}, JSON.stringify({ ...CLAIMS, attest: 'A' }, null, 1))}${INFO}`] },
    hasNot: { values: [`${tokenOf({}, JSON.stringify(CLAIMS))}${INFO}`] },
  },
  certificate_expired: {
    has: signedWith({ notAfterMs: AT_MS - 1 }),
    hasNot: signedWith({ notAfterMs: AT_MS }),
  },
  certificate_not_yet_valid: {
    has: signedWith({ notBeforeMs: AT_MS + 1 }),
    hasNot: signedWith({ notBeforeMs: AT_MS }),
  },
  certificate_untrusted: {
    has: signedWith({}, { fromMs: 0, toMs: AT_MS - 1 }),
    hasNot: signedWith({}, { fromMs: 0, toMs: AT_MS }),
  },
  certificate_not_for_signing: { has: signedWith({ maySign: false }), hasNot: SOUND },
  certificate_without_spc: {
    has: signedWith({ authority: { spcs: [], ranges: [], numbers: [] } }),
    hasNot: SOUND,
  },
  roots_not_configured: { has: signedWith({}, 'no_roots'), hasNot: signedWith({}, 'untrusted') },
}

/** The token of RFC 8225 §7.1 in compact form, with the key of its appendix. */
function compact(date: string, parameters = ''): Received {
  return {
    values: [`..${V1.split('.')[2]};info=<https://cert.example.org/passport.cer>${parameters}`],
    call: {
      invitedAtUs: 1_443_208_345e6,
      from: 'Bob <sip:12155551212@example.com;user=phone>;tag=1928301774',
      to: 'Alice <sip:alice@example.com>',
      requestUri: 'sip:alice@example.com',
      assertedIdentities: [],
      date,
    },
    found: certificateWith(KEY_A2),
  }
}
const COMPACT = compact('Fri, 25 Sep 2015 19:12:25 GMT')

const [HEADER_PART, CLAIMS_PART, SIGNATURE_PART = ''] = TOKEN.split('.')

const OF_INVALID: Readonly<Record<InvalidReason, Both>> = {
  signature_mismatch: {
    has: {
      values: [
        `${HEADER_PART}.${CLAIMS_PART}.${SIGNATURE_PART.startsWith('A') ? 'B' : 'A'}${SIGNATURE_PART.slice(1)}${INFO}`,
      ],
    },
    hasNot: { values: [`${TOKEN}${INFO}`] },
  },
  compact_mismatch: { has: compact('Fri, 25 Sep 2015 19:12:26 GMT'), hasNot: COMPACT },
  signature_not_raw: { has: { values: [`${TOKEN}AAAA${INFO}`] }, hasNot: { values: [`${TOKEN}${INFO}`] } },
  algorithm_not_es256: { has: headed({ alg: 'es256' }), hasNot: headed({ alg: 'ES256' }) },
  type_not_passport: { has: headed({ typ: 'JWT' }), hasNot: headed({ typ: 'PASSporT' }) },
  critical_header: { has: headed({ crit: [] }), hasNot: headed({ critical: [] }) },
  not_a_token: {
    has: { values: [`${HEADER_PART}.${CLAIMS_PART}.${INFO}`] },
    hasNot: { values: [`${HEADER_PART}.${CLAIMS_PART}.A${INFO}`] },
  },
  bad_json: {
    has: { values: [`${tokenOf({}, '[]')}${INFO}`] },
    hasNot: { values: [`${tokenOf({}, '{}')}${INFO}`] },
  },
}

/** A sound header value, so many characters long. */
function ofLength(chars: number): Received {
  const value = `${shaken()};padding=`
  return { values: [value + 'a'.repeat(chars - value.length)] }
}

const OF_NOT_CHECKED: Readonly<Record<NotCheckedReason, Both>> = {
  truncated: {
    has: { values: [TOKEN.slice(0, -1)], call: { isCut: true } },
    hasNot: { values: [`${TOKEN};i`], call: { isCut: true } },
  },
  too_long: { has: ofLength(IDENTITY_MAX_CHARS + 1), hasNot: ofLength(IDENTITY_MAX_CHARS) },
  ppt_unsupported: { has: headed({ ppt: 'xyz' }), hasNot: headed({ ppt: 'rph' }) },
  no_x5u: {
    has: { values: [`${tokenOf({ x5u: undefined }, CLAIMS)};ppt=shaken`] },
    hasNot: { values: [`${tokenOf({ x5u: undefined }, CLAIMS)};info=<${X5U}>;ppt=shaken`] },
  },
  no_certificate: { has: { ...SOUND, found: { reason: 'no_certificate' } }, hasNot: SOUND },
  certificate_unreadable: { has: { ...SOUND, found: { reason: 'certificate_unreadable' } }, hasNot: SOUND },
  key_not_p256: { has: { ...SOUND, found: certificateWith('') }, hasNot: SOUND },
  compact_incomplete: { has: compact(''), hasNot: COMPACT },
  compact_extended: { has: compact('Fri, 25 Sep 2015 19:12:25 GMT', ';ppt=shaken'), hasNot: COMPACT },
  check_failed: { has: { ...SOUND, verify: async () => 'failed' }, hasNot: SOUND },
}

const OF_CHAIN: Readonly<Record<Chain, Both>> = {
  none: { has: SOUND, hasNot: diverted(div(FROM_1, TARGET)) },
  whole: { has: diverted(div(FROM_1, TARGET)), hasNot: diverted(div(FROM_2, TARGET)) },
  broken: { has: diverted(div(FROM_2, TARGET)), hasNot: diverted(div(FROM_1, TARGET)) },
}

const namesOf = <Name extends string>(list: Readonly<Record<Name, unknown>>) => Object.keys(list) as Name[]

describe('every code of a token check', () => {
  test.each(namesOf(FINDINGS))('finding %s', async (finding) => {
    const { has, hasNot } = OF_FINDING[finding]
    const found = (await check(has)).filter(({ findings }) => findings.includes(finding))
    expect(found.length).toBeGreaterThan(0)
    if (FAILING_FINDINGS.has(finding)) {
      for (const verdict of found) expect(verdict.verified).not.toBe('passed')
    }
    expect((await check(hasNot)).flatMap(({ findings }) => findings)).not.toContain(finding)
  })

  const signatures = async (received: Received) =>
    (await check(received)).map(({ signature, signatureReason }) => `${signature} ${signatureReason}`)

  test.each(namesOf(INVALID_REASONS))('invalid: %s', async (reason) => {
    const { has, hasNot } = OF_INVALID[reason]
    expect(await signatures(has)).toContain(`invalid ${reason}`)
    expect(await signatures(hasNot)).not.toContain(`invalid ${reason}`)
  })

  test.each(namesOf(NOT_CHECKED_REASONS))('not checked: %s', async (reason) => {
    const { has, hasNot } = OF_NOT_CHECKED[reason]
    expect(await signatures(has)).toContain(`not_checked ${reason}`)
    expect(await signatures(hasNot)).not.toContain(`not_checked ${reason}`)
  })

  test.each(CHAINS)('chain: %s', async (chain) => {
    const { has, hasNot } = OF_CHAIN[chain]
    const chains = async (received: Received) => (await check(received)).map((verdict) => verdict.chain)
    expect(await chains(has)).toContain(chain)
    expect(await chains(hasNot)).not.toContain(chain)
  })
})
