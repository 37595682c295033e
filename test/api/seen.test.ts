// tidy: long because it seeds two carriers whose every text is told apart, and asks every route
/**
 * What no route may show (issue 5, "What it must show" 5): for a token of one carrier anything of another, for a viewer a
 * number. Every route of the table is asked, errors included; one that is not in samples.ts fails in access.test.ts.
 *
 * The carriers of others are looked for in two ways. Everything of beta has a mark of its own, and no answer to a token of
 * alpha holds one. And the answers to it are the same, byte by byte, before beta's calls are stored and after.
 */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../api/deps.js'
import { writeDocuments } from '../../api/scorecards/documents.js'
import type { ScorecardHeadline } from '../../schemas/alert-hook.js'
import type { Attempt } from '../../schemas/attempt.js'
import { configSchema, type TrunkscopeConfig } from '../../schemas/config.js'
import { ROLES, type Token } from '../../schemas/tokens.js'
import { addChecks } from './attestation/identity-rows.js'
import { addressesOf, documentOf, routesOf, SAMPLES, unfolded } from './samples.js'
import { attempt, ENDED, liveStatus, NOON_S, NOON_US, TestStore } from './support.js'

/** Stand in nothing but what is beta's, a customer's, or of nobody. */
const MARKS = /beta|castor|xanadu|zeta|198\.51\.100\.2\d|192\.0\.2\.12|2002|b0b0b0|6995550|1\.2\.3/i

const CONFIG: TrunkscopeConfig = configSchema.parse({
  sites: [
    { id: 'dal', name: 'Dallas', sbc: ['192.0.2.11/32'], agents: [2001] },
    { id: 'xanadu', name: 'Xanadu', sbc: ['192.0.2.12/32'], agents: [2002] },
  ],
  carriers: [
    { id: 'alpha', name: 'Alpha Telecom', peers: [{ cidr: '198.51.100.10/32', site: 'dal' }] },
    {
      id: 'beta',
      name: 'Beta Networks',
      peers: [{ cidr: '198.51.100.20/32', site: 'xanadu' }],
      contacts: { escalation: 'the NOC of Beta' },
    },
  ],
  customers: [{ id: 'castor', name: 'Castor', peers: ['198.51.100.28/32'] }],
  slos: [
    { id: 'carrier-availability', objective: 0.995, each: 'carrier' },
    { id: 'beta-availability', objective: 0.99, each: 'carrier', carriers: ['beta'] },
    { id: 'both', objective: 0.9, each: 'carrier', carriers: ['alpha', 'beta'] },
    { id: 'xanadu-availability', objective: 0.99, each: 'site', sites: ['xanadu'] },
  ],
  maintenance: [
    {
      from: '2026-11-20T12:10:00Z',
      to: '2026-11-20T12:20:00Z',
      reason: 'beta moves to Xanadu',
      carriers: ['beta', 'alpha'],
    },
    { from: '2026-11-20T12:00:00Z', to: '2026-11-20T12:05:00Z', reason: 'for Beta', carriers: ['beta'] },
  ],
  alerts: {
    rules: [
      { id: 'beta-answers', kpi: 'asr', below: 0.3, carriers: ['beta'] },
      { id: 'answers', kpi: 'asr', below: 0.3 },
    ],
  },
})

/** Each with nine digits of its own, so that they are found however they are written. */
const NUMBERS = {
  alphaCalled: '+12155550100',
  alphaCalling: '+12155550177',
  alphaDialled: '+12155550133',
  alphaFrom: '+12155550144',
  alphaOrig: '+12155550155',
  alphaOther: '+12155550166',
  betaCalled: '+496995550211',
  betaCalling: '+496995550222',
}
const digitsOf = (number: string) => number.slice(-9)

const WIRE = {
  callId: (at: number) => `a${at}-12155550177-99@${at % 2 === 0 ? 'sbc.example' : '198.51.100.10'}`,
  raw: (callId: string, called: string, calling: string, mark: string) =>
    `INVITE sip:${called}@198.51.100.10;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK1\r\n` +
    `From: "(215) 555-0177 ${mark}" <sip:${calling}@sbc.example>;tag=t-${mark}\r\nTo: <tel:${called}>\r\nCall-ID: ${callId}\r\n` +
    `CSeq: 1 INVITE\r\nP-Asserted-Identity: <tel:${calling}>\r\nContent-Length: 0\r\n\r\n`,
}

const idOf = (mark: string, at: number) => `${mark}${at.toString(16).padStart(32 - mark.length, '0')}`

function alphaCall(at: number, changes: Partial<Attempt> = {}): Attempt {
  const callId = at === 0 ? 'shared@hunting.example' : WIRE.callId(at)
  return attempt({
    attemptId: idOf('a1', at),
    callId,
    fromTag: at === 0 ? 't-alpha' : `t-12155550144-${at}`,
    invitedAtUs: NOON_US + at * 47e6,
    calledNumber: NUMBERS.alphaCalled,
    callingNumber: NUMBERS.alphaCalling,
    dialledNumber: NUMBERS.alphaDialled,
    fromNumber: NUMBERS.alphaFrom,
    requestUri: `sip:${NUMBERS.alphaCalled};npdi@198.51.100.10:5060;user=phone`,
    userAgent: 'SBC +1 (215) 555-0166',
    reasons: [`SIP;cause=200;text="answered by tel:${NUMBERS.alphaOther}"`, 'Q.850;cause=16'],
    cancelReason: '1-215-555-0166',
    toTags: ['b', '12155550166'],
    identities: [
      {
        form: 'full',
        ppt: 'div',
        attest: 'A',
        orig: NUMBERS.alphaOrig,
        dest: [NUMBERS.alphaCalled, `sip:${NUMBERS.alphaOther}@example.com`],
        iatS: NOON_S,
        x5u: `https://certificates.example/${NUMBERS.alphaOther}.pem`,
        origId: '550e8400-e29b-41d4-a716-446655440000',
        div: NUMBERS.alphaOther,
        tokenHash: '',
        problem: '',
      },
    ],
    ...(at % 3 === 0 ? { ...ENDED.busy, finalPhrase: 'Busy 215.555.0166' } : {}),
    ...changes,
  })
}

function othersCall(at: number, changes: Partial<Attempt> = {}): Attempt {
  return attempt({
    attemptId: idOf('b0b0b0', at),
    callId: at === 0 ? 'shared@hunting.example' : `zeta${at}@beta.example`,
    // A proxy that hunts leaves Call-ID and From tag as they are.
    fromTag: at === 0 ? 't-alpha' : `zeta-${at}`,
    addressLow: '192.0.2.12',
    addressHigh: '198.51.100.20',
    sbcAddress: '192.0.2.12',
    farAddress: '198.51.100.20',
    carrier: 'beta',
    site: 'xanadu',
    direction: 'inbound',
    clockAgent: '192.0.2.12/2002',
    agents: ['192.0.2.12/2002'],
    invitedAtUs: NOON_US + at * 31e6,
    calledNumber: NUMBERS.betaCalled,
    callingNumber: NUMBERS.betaCalling,
    dialledNumber: NUMBERS.betaCalled,
    fromNumber: NUMBERS.betaCalling,
    requestUri: `sip:${NUMBERS.betaCalled}@198.51.100.20`,
    userAgent: 'zeta 1.2.3',
    ...(at % 4 === 0 ? { ...ENDED.congestion, finalPhrase: 'zeta says no' } : {}),
    ...changes,
  })
}

let store: TestStore
let app: App
const nowMs = (NOON_S + 3_600) * 1_000 - 20_000
const tokens: Token[] = ROLES.flatMap((role) =>
  [undefined, ['alpha']].map((carriers) => ({
    id: `${carriers?.[0] ?? 'all'}-${role}`,
    sha256: createHash('sha256')
      .update(`${carriers?.[0] ?? 'all'}-${role}`)
      .digest('hex'),
    role,
    ...(carriers === undefined ? {} : { carriers }),
  })),
)

async function seedAlpha(): Promise<void> {
  await store.add(Array.from({ length: 40 }, (_, at) => alphaCall(at)))
  await store.addMessages(
    Array.from({ length: 40 }, (_, at) => at).map((at) => {
      const { callId, calledNumber, callingNumber } = alphaCall(at)
      return {
        callId,
        capturedAtUs: NOON_US + at * 47e6,
        raw: WIRE.raw(callId, calledNumber, callingNumber, 'alpha'),
      }
    }),
  )
  await store.addAgentMinute()
  await addChecks(store, [{ site: 'dal' }])
  await seedAlert('alpha', 'dal')
  await seedDocument('alpha')
}

/** The other carrier, a customer, a peer that nobody knows, and what belongs to no call. */
async function seedOthers(): Promise<void> {
  await store.add([
    ...Array.from({ length: 55 }, (_, at) => othersCall(at)),
    othersCall(60, { party: 'customer', carrier: '', customer: 'castor', farAddress: '198.51.100.28' }),
    othersCall(61, { party: 'unknown', carrier: 'unknown', farAddress: '198.51.100.29' }),
    othersCall(62, { party: 'unknown', carrier: 'unknown', site: 'dal', farAddress: '198.51.100.29' }),
    othersCall(63, { site: 'dal', direction: 'outbound' }),
    othersCall(64, { state: 'open' }),
    // It was alpha's under a configuration of before; the row that stands is beta's.
    othersCall(65, { carrier: 'alpha', site: 'dal' }),
  ])
  await store.add([othersCall(65)], 2)
  const callId = 'shared@hunting.example'
  const shared = WIRE.raw(callId, NUMBERS.betaCalled, NUMBERS.betaCalling, 'beta').replace(
    't-beta',
    't-alpha',
  )
  const at = NOON_US + 1_000
  await store.addMessages([
    { callId, capturedAtUs: at, raw: shared, source: '192.0.2.12', destination: '198.51.100.20' },
    // An agent that told no addresses, and one that told half: of which leg they are is not known.
    { callId, capturedAtUs: at + 1, raw: shared, source: '', destination: '' },
    { callId, capturedAtUs: at + 2, raw: shared, source: '192.0.2.11', destination: '' },
    // What the SBC of that leg sends to itself is of another leg.
    { callId, capturedAtUs: at + 4, raw: shared, source: '192.0.2.11', destination: '192.0.2.11' },
    // On alpha's leg, and not readable: it may be of another call.
    { callId, capturedAtUs: at + 3, raw: `zeta ${shared}` },
  ])
  await store.addAgentMinute({ agent: '192.0.2.12/2002', peerAddress: '192.0.2.12', agentId: 2002 })
  await store.command(
    `INSERT INTO rejected_frames (received_at, sample_id, stage, reason, transport, peer_address, size_bytes, sample, stored_at)
     VALUES (now64(6), unhex('${'b0'.repeat(16)}'), 'capture', 'not_sip', 'udp', '192.0.2.12', 12, 'zeta ${NUMBERS.betaCalled} ${NUMBERS.alphaCalled}', now())`,
  )
  await addChecks(store, [
    {
      carrier: 'beta',
      site: 'xanadu',
      signer_id: 'zeta',
      spc: 'zeta',
      certificate_subject: 'zeta',
      certificate_sha256: 'f0'.repeat(32),
    },
    // The same certificate signs for alpha: of beta's calls nothing shows.
    { carrier: 'beta', site: 'xanadu' },
  ])
  await seedAlert('beta', 'xanadu')
  await seedDocument('beta')
  await seedDocument('')
}

async function seedDocument(carrier: string): Promise<void> {
  const body = Buffer.from(carrier === 'alpha' ? 'of alpha' : 'of beta')
  const headline = { rows: [], carriers: [], omitted: [] } as unknown as ScorecardHeadline
  await writeDocuments(
    store.engine.writer,
    documentOf(carrier),
    { week: '2026-W47', madeAtMs: NOON_S * 1_000, asOfUs: NOON_US, headline },
    [{ format: 'html', fileName: `scorecard-2026-W47-${carrier}.html`, body }],
  )
}

async function seedAlert(carrier: string, site: string): Promise<void> {
  const columns = `alert_key, rule, severity, state, party, carrier, site, labels, annotations, details, transition`
  const values = `'alert-of-${carrier}', 'answers', 'page', 'firing', 'carrier', '${carrier}', '${site}', '{"carrier":"${carrier}"}', '{}', '{}', 1`
  await store.command(
    `INSERT INTO alert_states (${columns}, version, evaluated_at, since_us) VALUES (${values}, 1, toDateTime64(${NOON_S}, 6), ${NOON_US})`,
  )
}

interface Answer {
  question: string
  status: number
  body: string
}

async function ask(who: string, method: string, url: string, form?: string): Promise<Answer> {
  const response = await app.inject({
    method: method as 'GET',
    url,
    headers: {
      authorization: `Bearer ${who}`,
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(form === undefined ? {} : { payload: form }),
  })
  return { question: `${who} ${method} ${url}`, status: response.statusCode, body: response.body }
}

/** Every route, as asked by this token. */
async function askAll(who: string): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const route of routesOf(app)) {
    const sample = SAMPLES[route]
    if (sample === undefined) continue
    for (const url of addressesOf(route, sample, idOf('a1', 0))) {
      answers.push(await ask(who, route.split(' ')[0]!, url, sample.form))
    }
  }
  return answers
}

/** An admin may what an investigator may. */
const LIMITED = ['alpha-viewer', 'alpha-admin']
const answersBefore = new Map<string, Answer[]>()
const answersAfter = new Map<string, Answer[]>()

async function newApp(): Promise<App> {
  return store.app({
    config: CONFIG,
    tokens: () => tokens,
    nowMs: () => nowMs,
    live: () =>
      liveStatus({
        lastFrame: { atUs: NOON_US, peerAddress: '192.0.2.12' },
        refused: [{ stage: 'capture', reason: 'not_sip', count: 3 }],
      }),
  })
}

beforeAll(async () => {
  store = await TestStore.open()
  await seedAlpha()
  app = await newApp()
  for (const who of LIMITED) answersBefore.set(who, await askAll(who))
  await app.close()
  await seedOthers()
  app = await newApp()
  for (const who of [...LIMITED, 'all-viewer', 'all-investigator']) answersAfter.set(who, await askAll(who))
}, 300_000)
afterAll(async () => {
  await app.close()
  await store.close()
})

describe('a token of alpha', () => {
  it.each(LIMITED)('%s never gets a byte that is another’s', (who) => {
    const answers = answersAfter.get(who)!
    expect(answers.length).toBeGreaterThan(40)
    expect(
      answers.flatMap(({ question, body }) => {
        const found = MARKS.exec(unfolded(body))
        return found === null
          ? []
          : [`${question}: …${found.input.slice(Math.max(0, found.index - 60), found.index + 60)}…`]
      }),
    ).toEqual([])
  })

  it.each(LIMITED)('%s gets the same answers whether others have calls or not', (who) => {
    expect(answersAfter.get(who)).toEqual(answersBefore.get(who))
  })

  it('sees what is its own', () => {
    const own = answersAfter.get('alpha-admin')!
    const of = (part: string) => own.find(({ question }) => question.includes(part))!.body
    expect(of('/v1/attempts/a1')).toContain('t-alpha')
    expect(of('/v1/attempts/a1')).toContain('INVITE sip:+12155550100@198.51.100.10')
    expect(of('/v1/kpis?')).toContain('"attempts":40')
    expect(of('/v1/carriers')).toContain('Alpha Telecom')
  })

  it('cannot tell what is another’s from what does not exist', async () => {
    const pairs = [
      ['/v1/kpis?carrier=beta', '/v1/kpis?carrier=beto'],
      ['/v1/kpis?site=xanadu', '/v1/kpis?site=xanado'],
      ['/v1/attempts?carrier=beta', '/v1/attempts?carrier=beto'],
      ['/v1/attempts?call_id=zeta1@beta.example', '/v1/attempts?call_id=none1@beta.example'],
      [`/v1/attempts/${idOf('b0b0b0', 1)}`, `/v1/attempts/${idOf('b0b0b0', 999)}`],
      [`/v1/attempts/${idOf('b0b0b0', 65)}`, `/v1/attempts/${idOf('b0b0b0', 999)}`],
      [`/attempts/${idOf('b0b0b0', 1)}`, `/attempts/${idOf('b0b0b0', 999)}`],
      ['/carriers/beta', '/carriers/beto'],
      ['/attempts?carrier=beta', '/attempts?carrier=beto'],
      ['/v1/slos/beta-availability/burn', '/v1/slos/beto-availability/burn'],
      ['/v1/slos/xanadu-availability/burn', '/v1/slos/xanado-availability/burn'],
      ['/v1/alerts/alert-of-beta', '/v1/alerts/alert-of-beto'],
      ['/alerts/alert-of-beta', '/alerts/alert-of-beto'],
      [
        '/prom/api/v1/query?query=trunkscope_attempts_total{carrier="beta"}',
        '/prom/api/v1/query?query=trunkscope_attempts_total{carrier="beto"}',
      ],
    ] as const
    for (const who of LIMITED) {
      for (const [real, invented] of pairs) {
        const [one, other] = [
          await ask(who, 'GET', encodeURI(real)),
          await ask(who, 'GET', encodeURI(invented)),
        ]
        const plain = (text: string) =>
          text
            .replace(/bet[ao]/g, '?')
            .replace(/xanad[uo]/g, '?')
            .replace(/zeta1|none1/g, '?')
            .replace(/b0b0b0\w+/g, '?')
        expect([real, one.status, plain(one.body)]).toEqual([real, other.status, plain(other.body)])
      }
    }
  })

  it('with no carriers, or with ones that have no calls, sees nothing', async () => {
    for (const carriers of [[], ['gamma']]) {
      const held = await store.app({
        config: CONFIG,
        tokens: () => [{ ...tokens[0]!, carriers }],
        nowMs: () => nowMs,
      })
      const response = await held.inject({
        url: '/v1/attempts',
        headers: { authorization: 'Bearer all-viewer' },
      })
      expect(response.json()).toEqual({ attempts: [], next_cursor: null })
      await held.close()
    }
  })
})

describe('a viewer', () => {
  it.each(['all-viewer', 'alpha-viewer'])('%s never gets a number', (who) => {
    const leaks = answersAfter.get(who)!.flatMap(({ question, body }) => {
      const text = unfolded(body)
      const plain = text.replace(/[\s().+/_-]|%2[0-9A-Fa-f]/g, '')
      return Object.entries(NUMBERS).flatMap(([name, number]) =>
        text.includes(digitsOf(number)) || plain.includes(digitsOf(number)) ? [`${question}: ${name}`] : [],
      )
    })
    expect(leaks).toEqual([])
  })

  it('sees masked ones, and messages without their texts; an investigator sees them', () => {
    const of = (who: string) =>
      JSON.parse(
        answersAfter.get(who)!.find(({ question }) => question.includes(`GET /v1/attempts/${idOf('a1', 0)}`))!
          .body,
      )
    const [viewed, investigated] = [of('all-viewer'), of('all-investigator')]
    expect(viewed.attempt).toMatchObject({
      called_number: '…00',
      calling_number: '…77',
      request_uri: 'sip:…00@198.51.100.10:5060;user=phone',
      call_id: 'shared@hunting.example',
    })
    expect(viewed.messages.length).toBe(investigated.messages.length)
    expect(viewed.messages[0]).toMatchObject({ raw: '', start_line: 'INVITE' })
    expect(investigated.attempt.called_number).toBe(NUMBERS.alphaCalled)
    expect(investigated.messages[0].raw).toContain(NUMBERS.alphaCalled)
  })

  it('is told that the facts need another role', () => {
    const answer = answersAfter.get('all-viewer')!.find(({ question }) => question.endsWith('facts=true'))!
    expect(answer.status).toBe(403)
    expect(answer.body).toContain('investigator')
  })
})

it('no question of the samples fails by our fault', () => {
  const failed = [...answersAfter.values()].flat().filter(({ status }) => status >= 500 || status === 404)
  // A document of another carrier is one that does not exist.
  const expected = /nonsense|alp?a|nowhere|availabilty|\/alerts\/alert|\/label\/|retry|\/v1\/documents\//
  expect(
    failed
      .filter(({ question, status }) => status >= 500 || !expected.test(question.split(' ')[2]!))
      .map(({ question, status, body }) => [question, status, body.slice(0, 200)]),
  ).toEqual([])
})
