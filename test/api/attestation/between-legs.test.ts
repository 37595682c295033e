import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AttestationAnswer } from '../../../api/attestation/attestation.js'
import { type BetweenLegs, FATES, type Fate, readBetweenLegs } from '../../../api/attestation/between-legs.js'
import { wilsonInterval } from '../../../api/kpi/interval.js'
import { Readers } from '../../../api/readers.js'
import type { Attempt } from '../../../schemas/attempt.js'
import type { Attestation, IdentityToken } from '../../../schemas/passport.js'
import { attempt, CONFIG, get, HOUR, NOON_S, NOON_US, TestStore } from '../support.js'

const TOKEN: IdentityToken = {
  form: 'full',
  ppt: 'shaken',
  attest: 'A',
  orig: '12155550101',
  dest: ['12155550100'],
  iatS: NOON_S,
  x5u: 'https://cert.example.org/a.pem',
  origId: '',
  div: '',
  tokenHash: '',
  problem: '',
}

/** What a leg carries: its level, and the tokens that the capture read. */
const carries = (level: Attestation, hash: string, problem: IdentityToken['problem'] = '') => ({
  attestation: level,
  identities:
    level === 'none'
      ? []
      : [{ ...TOKEN, tokenHash: hash.padStart(32, '0'), problem, attest: level.slice(0, 1) }],
})

type Left = Partial<Attempt>
const LEFT: readonly [name: string, left: Left, fateOf: Partial<Record<'A' | 'B' | 'C', Fate>>][] = [
  ['the same token', carries('A', 'a1'), { A: 'kept' }],
  ['another A', carries('A', 'b2'), { A: 're_signed', B: 're_signed', C: 're_signed' }],
  ['another C', carries('C', 'c3'), { A: 'weaker', B: 'weaker', C: 're_signed' }],
  ['nothing', carries('none', ''), { A: 'lost', B: 'lost', C: 'lost' }],
  [
    'nothing, and the INVITE is cut',
    { ...carries('none', ''), flags: ['truncated'] },
    { A: 'cut', B: 'cut', C: 'cut' },
  ],
  ['half a token', carries('malformed', 'd4', 'truncated'), { A: 'cut', B: 'cut', C: 'cut' }],
  [
    'no token at all',
    carries('malformed', 'e5', 'not_a_token'),
    { A: 'damaged', B: 'damaged', C: 'damaged' },
  ],
]
const ARRIVED = ['A', 'B', 'C', 'none', 'malformed'] as const

let store: TestStore
const links: object[] = []

function link(leg: Attempt, callKey: string, confidence = 1): void {
  links.push({ leg, callKey, confidence })
}

async function writeLinks(): Promise<void> {
  for (const { leg, callKey, confidence } of links as {
    leg: Attempt
    callKey: string
    confidence: number
  }[]) {
    await store.engine.writer.command({
      query: `INSERT INTO call_legs (minute, attempt_id, version, is_deleted, judged_at, party, carrier, call_key, rule, confidence)
        SELECT toDateTime(${leg.minuteS}, 'UTC'), toFixedString(unhex('${leg.attemptId}'), 16), 1, 0, now(), '${leg.party}',
          '${leg.carrier}', toFixedString(unhex('${callKey}'), 16), 'call_id', ${confidence}`,
    })
  }
}

const expected = new Map<string, Record<string, number>>()
const newest = new Map<string, string>()

beforeAll(async () => {
  store = await TestStore.open()
  const rows: Attempt[] = []
  let call = 0
  for (const arrived of ARRIVED) {
    for (const [, left, fateOf] of LEFT) {
      for (let copy = 0; copy < 5; copy++) {
        const callKey = (++call).toString(16).padStart(32, 'f')
        const invitedAtUs = NOON_US + call * 5e6
        const to = copy % 2 === 0 ? 'alpha' : 'beta'
        const inbound = attempt({
          direction: 'inbound',
          invitedAtUs,
          ...(copy === 4
            ? { party: 'customer' as const, carrier: '', customer: 'castor' }
            : { carrier: 'silent' }),
          ...carries(arrived, 'a1'),
        })
        // The same leg behind a proxy: the first one counts.
        const again = attempt({
          direction: 'inbound',
          invitedAtUs: invitedAtUs + 1_000,
          ...carries('C', 'ff'),
        })
        const outbound = attempt({
          carrier: to,
          invitedAtUs: invitedAtUs + 40_000,
          site: copy === 1 ? 'fra' : 'dal',
          ...left,
        })
        rows.push(inbound, again, outbound)
        for (const leg of [inbound, again, outbound]) link(leg, callKey)
        const pair = `${copy === 4 ? 'customer castor' : 'carrier silent'} to ${to}`
        const counts = expected.get(pair) ?? { legs: 0, arrived_signed: 0, signed_here: 0 }
        expected.set(pair, counts)
        counts.legs!++
        const fate = fateOf[arrived as 'A'] ?? (arrived === 'B' && left === LEFT[0]![1] ? 'kept' : undefined)
        const isSigned = ['A', 'B', 'C'].includes(arrived)
        if (isSigned) {
          counts.arrived_signed!++
          const name = fate ?? 'kept'
          counts[name] = (counts[name] ?? 0) + 1
          newest.set(`${pair} ${name}`, outbound.attemptId)
        } else if (arrived === 'none' && ['A', 'C'].includes(left.attestation ?? '')) counts.signed_here!++
      }
    }
  }
  // Not sure enough, a call of one leg, and one that is not over.
  const unsure = [
    attempt({ direction: 'inbound', ...carries('A', 'a1') }),
    attempt({ ...carries('none', '') }),
  ]
  for (const leg of unsure) link(leg, 'a'.repeat(32), 0.5)
  const alone = attempt({ ...carries('none', '') })
  link(alone, 'b'.repeat(32))
  const open = [attempt({ direction: 'inbound' }), attempt({ state: 'open' })]
  for (const leg of open) link(leg, 'c'.repeat(32))
  await store.add([...rows, ...unsure, alone, ...open])
  await writeLinks()
}, 60_000)
afterAll(() => store.close())

const span = { fromUs: NOON_US, toUs: NOON_US + 3_600e6 }
const EVERYBODY = { carrier: [], site: [] }

async function read(where = EVERYBODY, readers = new Readers(store.engine.readers)): Promise<BetweenLegs[]> {
  const pairs = await readBetweenLegs(readers, CONFIG, span, where, NOON_S + 3_600)
  if (typeof pairs === 'string') throw new Error(pairs)
  return pairs
}
const nameOf = ({ from, to }: BetweenLegs) => `${from.party} ${from.name} to ${to.name}`

describe('a signature between the legs of a call', () => {
  it('is kept, signed anew, weaker, cut, damaged or lost, as an independent count says', async () => {
    const pairs = await read()
    expect(pairs.map(nameOf).sort()).toEqual([...expected.keys()].sort())
    for (const pair of pairs) {
      const { legs, arrived_signed, signed_here, ...fates } = expected.get(nameOf(pair))!
      expect(pair).toMatchObject({ legs, arrived_signed, signed_here })
      for (const fate of FATES)
        expect([nameOf(pair), fate, pair.fates[fate]]).toEqual([nameOf(pair), fate, fates[fate] ?? 0])
      const signed = arrived_signed! - (fates.cut ?? 0)
      expect(pair.lost_rate).toMatchObject({
        numerator: fates.lost,
        denominator: signed,
        excluded: fates.cut,
      })
      expect(pair.lost_rate.interval![0]).toBeCloseTo(wilsonInterval(fates.lost!, signed)![0], 6)
    }
  })

  it('names the newest attempts of each fate, three at most', async () => {
    for (const pair of await read()) {
      for (const fate of FATES) {
        const samples = pair.samples[fate]
        expect(samples.length).toBe(Math.min(3, pair.fates[fate]))
        if (samples.length > 0) expect(samples[0]!.outbound).toBe(newest.get(`${nameOf(pair)} ${fate}`))
      }
    }
  })

  it('is narrowed by a carrier on either side, and by the site of the outbound leg', async () => {
    expect((await read({ carrier: ['beta'], site: [] } as never)).map(nameOf)).toEqual([
      'carrier silent to beta',
    ])
    expect(
      (await read({ carrier: ['silent'], site: [] } as never)).every(({ from }) => from.name === 'silent'),
    ).toBe(true)
    const fra = await read({ carrier: [], site: ['fra'] } as never)
    expect(fra.map(nameOf)).toEqual(['carrier silent to beta'])
    expect(fra[0]!.legs).toBe(35)
  })

  it('shows who may see some carriers no leg of the others', async () => {
    const principal = { id: 'beta-only', role: 'viewer' as const, carriers: ['beta'] }
    expect(await read(EVERYBODY, new Readers(store.engine.readers, principal))).toEqual([])
  })

  it('says why there is nothing where attempts are not kept any more', async () => {
    const years = NOON_S + 3 * 365 * 86_400
    const readers = new Readers(store.engine.readers)
    expect(await readBetweenLegs(readers, CONFIG, span, EVERYBODY, years)).toBe('not_kept')
  })

  it('stands in /v1/attestation and on its page, with a link to the calls', async () => {
    const app = await store.app()
    const { status, body } = await get<AttestationAnswer>(app, `/v1/attestation?${HOUR}`)
    expect(status).toBe(200)
    expect(body.between_legs!.map(({ to }) => to.name).sort()).toEqual(['alpha', 'alpha', 'beta'])
    expect(body.between_legs![0]).not.toHaveProperty('sites')
    const page = (await app.inject({ url: `/attestation?${HOUR}` })).body
    const lost = body.between_legs![0]!.samples.lost[0]!
    expect(page).toContain('Between the legs')
    expect(page).toContain(`/attempts/${lost.outbound}`)
    expect(page).toContain('Signatures are not checked')
    await app.close()
  })
})
