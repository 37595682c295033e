import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { IdentityChecker } from '../../../evidence/identity/identity-checker.js'
import { checkIdentities, identityPass } from '../../../evidence/identity/identity-pass.js'
import { EvidenceJob } from '../../../evidence/job.js'
import type { Context } from '../../../evidence/pass.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema } from '../../../schemas/config.js'
import { identitySchema } from '../../../schemas/identity-config.js'
import { decodeHep3, sipPayloadOf } from '../../../sip/hep3.js'
import { readIdentity } from '../../../sip/passport.js'
import { readSip } from '../../../sip/sip-message.js'
import { attempt, NOON_S, NOON_US, type StoredMessage, TestStore } from '../../api/support.js'
import { rowsOf } from '../../support/engine.js'
import { CAPTURE_CONFIG, captureFrames } from '../../support/real-capture.js'
import { CLAIMS, INFO, tokenOf, verifyHere } from './tokens.js'

const REAL = readFileSync(new URL('../../fixtures/hep/shaken-709J.pem', import.meta.url), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'trunkscope-pass-'))
const certificates = join(folder, 'certificates')

let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
  const { mkdirSync } = await import('node:fs')
  mkdirSync(certificates)
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  for (const table of ['identity_checks', 'call_attempts', 'sip_messages'])
    await store.command(`TRUNCATE TABLE ${table}`)
})

let version = 0n
const writing = () => ({
  client: store.engine.writer,
  version: () => ++version,
  isHeld: async () => true,
})
/** The thread has a test of its own. */
function checkerOf(config: object) {
  const checker = new IdentityChecker(identitySchema.parse(config))
  return Object.assign(checker, { verify: verifyHere })
}
const REAL_CHECKS = () => {
  writeFileSync(join(certificates, '709J.pem'), REAL)
  writeFileSync(join(certificates, 'index.csv'), 'https://cert.example.org/shaken.pem,709J.pem\n')
  writeFileSync(join(folder, 'roots.pem'), REAL)
  return checkerOf({ certificates, roots: join(folder, 'roots.pem') })
}

interface Row {
  carrier: string
  attest: string
  signature: string
  verified: string
  spc: string
  n: string
}
const standing = () =>
  rowsOf<Record<string, unknown>>(
    store.engine.readers[0]!,
    `SELECT lower(hex(attempt_id)) AS attempt, lower(hex(token_hash)) AS token, * EXCEPT (attempt_id, token_hash, version, checked_at)
     FROM identity_checks FINAL ORDER BY minute, attempt, token, position`,
  )

/** An outbound call at noon with these Identity headers; `more`: header lines. */
async function call(
  values: readonly string[],
  more: string[] = [],
  changes: Partial<Attempt> = {},
  isCut = false,
) {
  const made = attempt({ identities: values.map((value) => readIdentity(value)), ...changes })
  const raw = [
    'INVITE sip:+13125550123@198.51.100.10 SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK1',
    `From: <sip:+14155551000@192.0.2.11>;tag=${made.fromTag}`,
    'To: <sip:+13125550123@198.51.100.10>',
    `Call-ID: ${made.callId}`,
    'CSeq: 1 INVITE',
    ...more,
    ...values.map((value) => `Identity: ${value}`),
    ...(isCut ? [] : ['', '']),
  ].join('\r\n')
  await store.add([made])
  const invite = { callId: made.callId, capturedAtUs: made.invitedAtUs, raw }
  await store.addMessages([invite])
  return { made, invite }
}

const fresh = (claims: object = {}) => `${tokenOf({}, { ...CLAIMS, iat: NOON_S, ...claims })}${INFO}`

describe('the identity pass', () => {
  test('the real capture: every token is valid, signed by 709J, and attestation by carrier is exact', async () => {
    const { carriers, truth } = JSON.parse(readFileSync(CAPTURE_CONFIG, 'utf8'))
    expect(carriers).toHaveLength(2)
    const messages: StoredMessage[] = []
    const attempts = new Map<string, Attempt>()
    for (const frame of captureFrames()) {
      const decoded = decodeHep3(frame)
      if ('reason' in decoded) continue
      const payload = sipPayloadOf(decoded)
      if (!Buffer.isBuffer(payload)) continue
      const sip = readSip(payload)
      const [source, destination] = [decoded.sourceAddress, decoded.destinationAddress]
      messages.push({
        callId: sip.callId,
        capturedAtUs: decoded.capturedAtUs,
        raw: payload.toString('latin1'),
        source,
        destination,
      })
      const carrier = { '127.0.1.1': 'alpha', '127.0.2.1': 'bravo' }[destination]
      if (sip.method !== 'INVITE' || carrier === undefined || attempts.has(sip.callId)) continue
      const identities = sip.identities.map((value) => readIdentity(value))
      const [addressLow, addressHigh] = [source, destination].sort() as [string, string]
      const { callId, fromTag } = sip
      attempts.set(
        callId,
        attempt({
          callId,
          fromTag,
          addressLow,
          addressHigh,
          carrier,
          identities,
          invitedAtUs: decoded.capturedAtUs,
        }),
      )
    }
    await store.addMessages(messages)
    await store.add([...attempts.values()])
    const minutes = [...new Set([...attempts.values()].map(({ minuteS }) => minuteS))]
    const report = await checkIdentities(writing(), minutes, REAL_CHECKS())
    expect(report).toEqual({ attempts: 61, tokens: 61, rows: 61 })
    const rows = await rowsOf<Row>(
      store.engine.readers[0]!,
      `SELECT carrier, attest, signature, verified, spc, count() AS n FROM identity_checks FINAL
       GROUP BY ALL ORDER BY ALL`,
    )
    const expected = (['alpha', 'bravo'] as const).flatMap((carrier) =>
      Object.entries(truth[carrier].attestation).map(([attest, n]) => ({
        carrier,
        attest,
        signature: 'valid',
        verified: 'passed',
        spc: '709J',
        n: String(n),
      })),
    )
    expect(rows).toEqual(expected)
    // Again, and nothing is written.
    expect((await checkIdentities(writing(), minutes, REAL_CHECKS())).rows).toBe(0)
  })

  test('copies, retransmissions and the order of arrival change nothing', async () => {
    const checks = REAL_CHECKS()
    const { invite } = await call([fresh(), fresh({ attest: 'B' })])
    await checkIdentities(writing(), [NOON_S], checks)
    const before = await standing()
    expect(before).toHaveLength(2)
    await store.addMessages([
      { ...invite, capturedAtUs: invite.capturedAtUs + 500_000 },
      { ...invite, agent: 'other/1' },
      {
        ...invite,
        capturedAtUs: invite.capturedAtUs + 900_000,
        raw: invite.raw.replace('CSeq: 1', 'CSeq: 2').replace(/Identity:[^\r]*\r\n/g, ''),
      },
    ])
    expect((await checkIdentities(writing(), [NOON_S], checks)).rows).toBe(0)
    expect(await standing()).toEqual(before)
  })

  test('half a pair of characters in a claim, written so or cut by us, holds up nothing', async () => {
    await call([
      fresh({ origid: '\u00e9\ud83d' }),
      `${tokenOf({ ppt: 'rcd' }, { iat: NOON_S, rcd: { nam: `${'a'.repeat(4_096)}` }, crn: '\ud83d' })}${INFO}`,
    ])
    expect((await checkIdentities(writing(), [NOON_S], REAL_CHECKS())).rows).toBe(2)
    expect((await standing()).map(({ origid }) => origid)).toContain('\u00e9\ufffd')
  })

  test('a certificate that comes later revises what was not checked', async () => {
    await call([fresh()])
    rmSync(join(certificates, 'index.csv'), { force: true })
    const checker = checkerOf({ certificates, roots: join(folder, 'roots.pem') })
    const log: string[] = []
    const context = {
      ...writing(),
      config: configSchema.parse({ retention: { raw_days: 3_650 } }),
      announce: async () => {},
      log: (_: string, sentence: string) => log.push(sentence),
    } as unknown as Context
    const pass = identityPass(checker)
    const run = (minutesS: number[]) => pass.run({ fromS: NOON_S, toS: NOON_S + 60, minutesS }, context)
    expect(await run([NOON_S])).toEqual({ rows: 1, changedMinutesS: [] })
    expect(await standing()).toMatchObject([{ signature: 'not_checked', signature_reason: 'no_certificate' }])
    writeFileSync(join(certificates, 'index.csv'), 'https://cert.example.org/shaken.pem,709J.pem\n')
    expect((await run([])).rows).toBe(1)
    // Another key than ours signed it.
    expect(await standing()).toMatchObject([
      { signature: 'invalid', signature_reason: 'signature_mismatch', spc: '709J' },
    ])
    writeFileSync(join(certificates, 'index.csv'), 'nonsense')
    await run([])
    expect(log.join()).toContain('index.csv:1 does not begin with an x5u')
  })

  test('a token that is no longer the attempt’s, and an attempt that moved, leave nothing behind', async () => {
    const checks = REAL_CHECKS()
    const { made } = await call([fresh()])
    await checkIdentities(writing(), [NOON_S], checks)
    const earlier = made.invitedAtUs - 120e6
    await store.command(`ALTER TABLE call_attempts DELETE WHERE 1 SETTINGS mutations_sync = 1`)
    await store.add([{ ...made, invitedAtUs: earlier, minuteS: made.minuteS - 120 }], 2)
    await checkIdentities(writing(), [NOON_S, NOON_S - 120], checks)
    expect(await standing()).toHaveLength(1)
    expect((await standing())[0]).toMatchObject({ minute: '2026-11-20 11:58:00' })
  })

  test('where the INVITE has expired, what was found stays', async () => {
    const checks = REAL_CHECKS()
    await call([fresh()])
    await checkIdentities(writing(), [NOON_S], checks)
    await store.command('TRUNCATE TABLE sip_messages')
    expect((await checkIdentities(writing(), [NOON_S], checks)).rows).toBe(0)
    expect(await standing()).toHaveLength(1)
  })

  test('a process that lost the lease ends what it wrote', async () => {
    await call([fresh()])
    await checkIdentities({ ...writing(), isHeld: async () => false }, [NOON_S], REAL_CHECKS())
    expect(await standing()).toEqual([])
  })

  test('verstat, Attestation-Info, Origination-Id and STIR Reasons stand beside the token that they are about', async () => {
    const values = [fresh(), fresh({ attest: 'C' })]
    const { made } = await call(values, [
      'P-Asserted-Identity: <tel:+14155551000;verstat=TN-Validation-Passed-B>',
      'Attestation-Info: A',
      'Origination-Id: 22222222-2222-4333-8444-555555555555',
    ])
    const signature = values[1]!.split(';')[0]!.split('.')[2]
    const answer = (code: number, reason: string) => ({
      callId: made.callId,
      capturedAtUs: made.invitedAtUs + code,
      source: '198.51.100.10',
      destination: '192.0.2.11',
      raw: `SIP/2.0 ${code} X\r\nFrom: <sip:a@b>;tag=${made.fromTag}\r\nTo: <sip:a@b>;tag=x\r\nCall-ID: ${made.callId}\r\nCSeq: 1 INVITE\r\nReason: ${reason}\r\n\r\n`,
    })
    await store.addMessages([
      answer(180, `STIR;cause=436;text="Bad Identity Info";ppi="..${signature}"`),
      answer(200, 'STIR;cause=438'),
    ])
    await checkIdentities(writing(), [NOON_S], REAL_CHECKS())
    const rows = (await standing()).sort((a, b) => Number(a.position) - Number(b.position))
    expect(rows).toMatchObject([
      {
        attest: 'A',
        verstat: 'TN-Validation-Passed-B',
        attestation_info: 'A',
        stir_reasons: ['STIR;cause=438'],
      },
      { attest: 'C', origination_id: '22222222-2222-4333-8444-555555555555' },
    ])
    expect(rows[1]!.stir_reasons).toHaveLength(2)
  })

  test('an attempt without a token has a row when somebody else says something of it, else none', async () => {
    await call([], ['P-Asserted-Identity: <sip:+14155551000@a.example;verstat=No-TN-Validation>'])
    await call([])
    await checkIdentities(writing(), [NOON_S], REAL_CHECKS())
    expect(await standing()).toMatchObject([
      {
        token: '0'.repeat(32),
        form: 'none',
        verstat: 'No-TN-Validation',
        signature: 'not_checked',
        verified: 'not_checked',
      },
    ])
  })

  test('a message that was cut within its Identity header is not invalid', async () => {
    await call([fresh().slice(0, 300)], [], {}, true)
    await checkIdentities(writing(), [NOON_S], REAL_CHECKS())
    expect(await standing()).toMatchObject([{ signature: 'not_checked', signature_reason: 'truncated' }])
  })

  test('a message that was cut behind its tokens says nothing against them', async () => {
    const broken = fresh().replace('.', '.A')
    const { made, invite } = await call([broken])
    await store.command('TRUNCATE TABLE sip_messages')
    await store.addMessages([{ ...invite, raw: `${invite.raw.trimEnd()}\r\nContent-Ty` }])
    await checkIdentities(writing(), [made.minuteS], REAL_CHECKS())
    expect(await standing()).toMatchObject([{ signature: 'invalid', signature_reason: 'bad_json' }])
  })

  test('more certificates than can be fetched at a time are fetched in the runs after', async () => {
    for (const first of [0, 25, 50]) {
      const values = Array.from({ length: 25 }, (_, at) => {
        const x5u = `https://cert.example.org/${first + at}.pem`
        return `${tokenOf({ x5u }, { ...CLAIMS, iat: NOON_S })};info=<${x5u}>`
      })
      await call(values)
    }
    const looked: string[] = []
    const checker = Object.assign(
      new IdentityChecker(identitySchema.parse({ fetch: { enabled: true, hosts: ['cert.example.org'] } }), {
        fetch: {
          resolve: async (host) => {
            looked.push(host)
            return ['127.0.0.1']
          },
        },
      }),
      { verify: verifyHere },
    )
    const log: string[] = []
    const context = {
      ...writing(),
      config: configSchema.parse({ retention: { raw_days: 3_650 } }),
      announce: async () => {},
      log: (_: string, sentence: string) => log.push(sentence),
    } as unknown as Context
    const pass = identityPass(checker)
    await pass.run({ fromS: NOON_S, toS: NOON_S + 60, minutesS: [NOON_S] }, context)
    expect(looked).toHaveLength(68)
    expect(log.join()).toContain('too many are being fetched')
    expect(log.join()).toContain('not public')
    await pass.run({ fromS: NOON_S, toS: NOON_S, minutesS: [] }, context)
    expect(looked).toHaveLength(75)
  })

  test('the job of evidence/ runs it beside the others, where minutes have changed', async () => {
    await call([fresh()])
    let nowMs = 0
    const job = new EvidenceJob({
      client: store.engine.writer,
      config: () => configSchema.parse({}),
      log: () => {},
      passes: [identityPass(REAL_CHECKS())],
      nowMs: () => nowMs,
    })
    await job.round()
    expect(await standing()).toEqual([]) // The minute may still fill.
    nowMs = 61_000
    await job.round()
    expect(await standing()).toHaveLength(1)
    expect(job.status.rows.get('identity')).toBe(1)
    await job.stop()
  })

  test('roots or a folder that cannot be read end the start with a sentence', () => {
    expect(() => checkerOf({ certificates: join(folder, 'nowhere') })).toThrow('identity.certificates: ')
    expect(() => checkerOf({ roots: join(folder, 'nowhere.pem') })).toThrow(
      'name a PEM file of root certificates',
    )
    expect(NOON_US).toBe(NOON_S * 1e6)
  })
})
