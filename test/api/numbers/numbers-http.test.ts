// tidy: long because one store answers for destinations, the inventory and peers
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import type { DestinationsAnswer } from '../../../api/numbers/destinations.js'
import { InventoryBuilder, type LoadedInventory } from '../../../api/numbers/inventory.js'
import type { InventoryState } from '../../../api/numbers/inventory-state.js'
import { numbersMetrics } from '../../../api/numbers/metrics.js'
import { type MisroutedAnswer, readMisrouted, readMisroutedCounts } from '../../../api/numbers/misrouted.js'
import { alertedVerdict } from '../../../api/peers/alerted.js'
import { type PeersAnswer, readPrefixCounts } from '../../../api/peers/peers.js'
import { Readers } from '../../../api/readers.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema } from '../../../schemas/config.js'
import { LOOPBACK, type Principal } from '../../../schemas/tokens.js'
import { countryOf } from '../../../sip/e164.js'
import { attempt, ENDED, get, HOUR, liveStatus, NOON_S, NOON_US, ONE, TestStore } from '../support.js'

const CONFIG = configSchema.parse({
  sites: [{ id: 'dal', sbc: ['192.0.2.11/32'] }],
  carriers: [
    { id: 'alpha', name: 'Alpha Telecom', peers: ['198.51.100.10/32'] },
    { id: 'beta', peers: ['198.51.100.20/32'] },
    { id: 'gamma', peers: ['198.51.100.30/32'] },
  ],
})
const SPAN = { fromUs: NOON_US, toUs: NOON_US + 3_600e6 }

/** Of a seed: the same numbers in every run. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) / 2 ** 24
  }
}

const next = random(7)
const calls: Attempt[] = []
const call = (changes: Partial<Attempt>, minute = Math.floor(next() * 59)) => {
  const invitedAtUs = NOON_US + minute * 60e6 + calls.length
  calls.push(attempt({ invitedAtUs, requestUri: `sip:${changes.calledNumber}@198.51.100.10`, ...changes }))
}

/** +49 69 fails on alpha only; +44 20 fails on all; +33 1 is well on all; few calls to +81. */
const RATES: Record<string, Record<string, number>> = {
  '+4969955': { alpha: 0.4, beta: 0.95, gamma: 0.95 },
  '+4420794': { alpha: 0.3, beta: 0.35, gamma: 0.3 },
  '+3312345': { alpha: 0.96, beta: 0.97, gamma: 0.95 },
}

function seed(): void {
  for (const [prefix, carriers] of Object.entries(RATES)) {
    for (const [carrier, ner] of Object.entries(carriers)) {
      for (let at = 0; at < 120; at++) {
        const isGood = at < 120 * ner
        const tail = String(1_000 + Math.floor(next() * 8_999))
        call({ carrier, calledNumber: `${prefix}${tail}`, ...(isGood ? {} : ENDED.congestion) })
      }
    }
  }
  for (let at = 0; at < 5; at++) call({ carrier: 'alpha', calledNumber: `+8131234567${at}` })
  for (const calledNumber of [
    '911',
    '*67',
    'alice',
    '',
    '+1911',
    '2155550100',
    '+80012345678',
    '+18005550100',
  ]) {
    call({ carrier: 'beta', calledNumber })
    call({ carrier: 'beta', calledNumber, state: 'open' })
  }
  // Ported: counted under the prefix of its routing number.
  for (let at = 0; at < 12; at++) {
    call({
      carrier: 'gamma',
      calledNumber: `+1212555010${at % 10}`,
      requestUri: `sip:+12125550100;npdi;rn=+14165550000@198.51.100.30`,
    })
  }
  const numbers = Array.from({ length: 30 }, (_, at) => `+14155550${String(100 + at)}`)
  for (let at = 0; at < 400; at++) {
    const number = numbers[Math.floor(next() ** 2 * numbers.length)]!
    call({
      direction: 'inbound',
      carrier: ['alpha', 'beta', 'gamma'][Math.floor(next() * 3)]!,
      calledNumber: at % 5 === 0 ? number.slice(1) : number,
      ...(next() < 0.3 ? ENDED.busy : {}),
    })
  }
  // Not counted: another party, a number that is not ours, an hour before.
  call({ direction: 'inbound', carrier: '', party: 'customer', customer: 'c', calledNumber: numbers[0]! })
  call({ direction: 'inbound', carrier: 'alpha', calledNumber: '+14155559999' })
  call({ direction: 'inbound', carrier: 'gamma', calledNumber: numbers[0]! }, -30)
}

/** Numbers 0 to 19 are alpha's, 20 to 26 beta's, the rest is nobody's. */
const OWNERS: Record<string, string> = Object.fromEntries(
  Array.from({ length: 27 }, (_, at) => [`14155550${100 + at}`, at < 20 ? 'alpha' : 'beta']),
)

function loaded(): LoadedInventory {
  const builder = new InventoryBuilder()
  for (const [digits, carrier] of Object.entries(OWNERS)) {
    builder.add({ from: Number(digits), to: Number(digits), carrier, country: 'US', type: 'did', line: 2 })
  }
  return {
    inventory: builder.build().inventory,
    file: '/etc/trunkscope/numbers.csv',
    loadedAtUs: NOON_US,
    rows: 29,
    errorCounts: { bad_number: 2 },
    errors: [{ line: 7, kind: 'bad_number', column: 'number', problem: '"4155550100" has no +' }],
    notes: ['read with semicolons'],
    problem: '',
  }
}

let store: TestStore
let app: App
let readers: Readers
beforeAll(async () => {
  seed()
  store = await TestStore.open()
  await store.add(calls)
  const state = loaded()
  app = await store.app({ config: CONFIG, numbers: () => state })
  readers = new Readers(store.engine.readers)
})
afterAll(async () => {
  await app.close()
  await store.close()
})

const inRange = ({ minuteS }: Attempt) => minuteS >= NOON_S && minuteS < NOON_S + 3_600

async function answered<Body>(url: string): Promise<Body> {
  const { status, body } = await get<Body>(app, url)
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}

describe('destinations', () => {
  it('countries have the attempts of their numbers, counted by hand', async () => {
    const { groups, left_over } = await answered<DestinationsAnswer>(`/v1/destinations?${HOUR}&kpi=ner,asr`)
    const byHand = new Map<string, number>()
    for (const one of calls.filter((x) => inRange(x) && (x.party === 'carrier' || x.party === 'unknown'))) {
      if (one.state !== 'closed') continue
      const number = one.requestUri.includes(';rn=') ? '+14165550000' : one.calledNumber
      const country = countryOf(number)
      byHand.set(country, (byHand.get(country) ?? 0) + 1)
    }
    const counted = new Map<string, number>()
    for (const { by, attempts } of groups)
      counted.set(by.country!, (counted.get(by.country!) ?? 0) + attempts)
    expect(Object.fromEntries(counted)).toEqual(Object.fromEntries(byHand))
    expect(left_over).toBe(0)
    const germany = groups.find(({ by }) => by.country === 'DE')!
    expect(germany).toMatchObject({ kind: 'country', name: 'Germany', calling_code: '49', attempts: 360 })
    expect(germany.kpis.ner).toMatchObject({ numerator: 48 + 114 + 114, denominator: 360 })
    expect(groups.find(({ by }) => by.country === 'CA')?.attempts).toBe(12)
  })

  it('what has no country is told by kind, and open attempts are in no ratio', async () => {
    const { groups } = await answered<DestinationsAnswer>(
      `/v1/destinations?${HOUR}&group_by=country&carrier=beta&direction=outbound`,
    )
    const kinds = Object.fromEntries(groups.filter(({ by }) => by.country === '').map((x) => [x.name, x]))
    expect(Object.keys(kinds).sort()).toEqual([
      'a name, no number',
      'international freephone (+800)',
      'not a global number (no +)',
      'not a possible number',
      'service code (* or #)',
      'short code or emergency number',
      'toll-free (+1)',
      'without a number',
    ])
    expect(kinds['short code or emergency number']).toMatchObject({ attempts: 1, open: 1 })
    expect(kinds['short code or emergency number']!.kpis.asr).toMatchObject({ denominator: 1 })
  })

  it('a prefix is named from ten attempts on, and never holds the last four digits', async () => {
    const { groups } = await answered<DestinationsAnswer>(
      `/v1/destinations?${HOUR}&group_by=carrier,prefix&direction=outbound`,
    )
    const named = groups.filter(({ by }) => by.prefix !== '')
    expect(named.map(({ by }) => by.prefix).sort()).toEqual(
      [...Object.keys(RATES).flatMap((prefix) => [prefix, prefix, prefix]), '+1416555'].sort(),
    )
    const japan = groups.find(({ by }) => by.country === 'JP')
    expect(japan).toMatchObject({ by: { carrier: 'alpha', country: 'JP', prefix: '' }, attempts: 5 })
    const body = JSON.stringify(groups)
    for (const { calledNumber } of calls) {
      if (calledNumber.length > 8) expect(body).not.toContain(calledNumber.slice(-6))
    }
  })

  it('can be narrowed to a country or a prefix', async () => {
    const country = await answered<DestinationsAnswer>(
      `/v1/destinations?${HOUR}&country=gb&group_by=prefix,carrier`,
    )
    expect(country.groups.map(({ by }) => by.prefix)).toEqual(['+4420794', '+4420794', '+4420794'])
    for (const prefix of ['%2B4969', '+4969', ' 4969'.replace(' ', '%20')]) {
      const { groups } = await answered<DestinationsAnswer>(
        `/v1/destinations?${HOUR}&prefix=${prefix}&group_by=`,
      )
      expect(groups.map(({ attempts, name }) => [attempts, name])).toEqual([[360, 'all destinations']])
    }
  })

  it.each([
    ['country=Germany', 'TRUNKSCOPE_API_BAD_VALUE', /two letters/],
    ['prefix=%2B49699551', 'TRUNKSCOPE_API_BAD_VALUE', /at most 7 digits/],
    ['prefix=(', 'TRUNKSCOPE_API_BAD_VALUE', /is no prefix/],
    ['group_by=town', 'TRUNKSCOPE_API_BAD_VALUE', /carrier, site, direction, country, prefix/],
    ['kpi=nothing', 'TRUNKSCOPE_API_UNKNOWN_KPI', /not in the catalog/],
    ['carrier=alpa', 'TRUNKSCOPE_API_UNKNOWN_CARRIER', /neither configured nor stored/],
  ])('%s is refused with what to write', async (query, code, detail) => {
    const { body } = await get<{ code: string; detail: string }>(app, `/v1/destinations?${HOUR}&${query}`)
    expect([body.code, detail.test(body.detail)]).toEqual([code, true])
  })

  it('a range within a minute, and one whose attempts are not kept, are refused', async () => {
    const within = await get<{ code: string }>(app, `/v1/destinations?from=2026-11-20T12:00:01Z&to=${ONE}`)
    expect(within.body.code).toBe('TRUNKSCOPE_API_NOT_WHOLE_MINUTES')
    const old = await get<{ code: string; detail: string }>(
      app,
      '/v1/destinations?from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z',
    )
    expect([old.body.code, old.body.detail]).toEqual([
      'TRUNKSCOPE_API_BAD_RANGE',
      expect.stringContaining('attempts are kept from'),
    ])
  })
})

/** Inbound attempts on a carrier that does not own the number, by hand. */
function misroutedByHand(carriers: readonly string[] = ['alpha', 'beta', 'gamma']) {
  const found = new Map<string, { attempts: number; answered: number; owner: string }>()
  for (const one of calls.filter((x) => inRange(x) && x.party === 'carrier' && x.direction === 'inbound')) {
    const owner = OWNERS[one.calledNumber.replace('+', '')]
    if (owner === undefined || owner === one.carrier || !carriers.includes(one.carrier)) continue
    const key = `${one.carrier} ${one.calledNumber}`
    const known = found.get(key) ?? { attempts: 0, answered: 0, owner }
    known.attempts++
    if (one.disposition === 'ANSWERED') known.answered++
    found.set(key, known)
  }
  return found
}

describe('numbers on the wrong carrier', () => {
  it('equal a search by hand, with and without +', async () => {
    const answer = await answered<MisroutedAnswer>(`/v1/numbers/misrouted?${HOUR}`)
    const byHand = misroutedByHand()
    expect(
      Object.fromEntries(
        answer.numbers.map(({ answered, attempts, carrier, number, owner }) => [
          `${carrier} ${number}`,
          { attempts, answered, owner },
        ]),
      ),
    ).toEqual(Object.fromEntries(byHand))
    const sum = [...byHand.values()].reduce((total, { attempts }) => total + attempts, 0)
    expect(answer).toMatchObject({
      is_configured: true,
      misrouted: sum,
      misrouted_numbers: byHand.size,
      is_cut: false,
    })
    expect(answer.owned + answer.misrouted + answer.not_in_inventory).toBe(answer.inbound.attempts)
    expect(answer.inbound.attempts).toBe(401)
    expect(answer.numbers.map(({ attempts }) => attempts)).toEqual(
      answer.numbers.map(({ attempts }) => attempts).sort((a, b) => b - a),
    )
  })

  it('an entry names the newest attempt, and the first and last minute', async () => {
    const { numbers } = await answered<MisroutedAnswer>(`/v1/numbers/misrouted?${HOUR}`)
    const [entry] = numbers
    const own = calls
      .filter((x) => inRange(x) && x.direction === 'inbound' && x.carrier === entry!.carrier)
      .filter(({ calledNumber }) => calledNumber === entry!.number)
      .sort((a, b) => a.invitedAtUs - b.invitedAtUs)
    expect(entry!.attempt_id).toBe(own.at(-1)!.attemptId)
    expect(Date.parse(entry!.first_at) / 1_000).toBe(own[0]!.minuteS)
    expect(Date.parse(entry!.last_at) / 1_000).toBe(own.at(-1)!.minuteS)
  })

  it('a viewer gets numbers masked, and who is held to carriers not the names of owners that he may not see', async () => {
    const viewer: Principal = { id: 'v', role: 'viewer', carriers: 'all' }
    const masked = await readMisrouted(readers.seenBy(viewer), CONFIG, loaded().inventory, SPAN, 'masked')
    expect(masked.numbers.length).toBe(misroutedByHand().size)
    for (const { number } of masked.numbers) expect(number).toMatch(/^…\d\d$/)
    const held: Principal = { id: 'b', role: 'viewer', carriers: ['beta'] }
    const own = await readMisrouted(
      readers.seenBy(held),
      { ...CONFIG, carriers: CONFIG.carriers.filter(({ id }) => id === 'beta') },
      loaded().inventory,
      SPAN,
      'masked',
    )
    expect(own.misrouted_numbers).toBe(misroutedByHand(['beta']).size)
    expect(new Set(own.numbers.map(({ carrier, owner }) => `${carrier} ${owner}`))).toEqual(
      new Set(['beta null']),
    )
    expect(JSON.stringify(own)).not.toMatch(/alpha|gamma/)
  })

  it('counts for alerts are by carrier', async () => {
    const counts = await readMisroutedCounts(readers, loaded().inventory, SPAN)
    const byHand = new Map<string, { attempts: number; numbers: number }>()
    for (const [key, { attempts }] of misroutedByHand()) {
      const carrier = key.split(' ')[0]!
      const known = byHand.get(carrier) ?? { attempts: 0, numbers: 0 }
      byHand.set(carrier, { attempts: known.attempts + attempts, numbers: known.numbers + 1 })
    }
    expect(Object.fromEntries(counts.map(({ carrier, ...rest }) => [carrier, rest]))).toEqual(
      Object.fromEntries(byHand),
    )
    expect(await readMisroutedCounts(readers, undefined, SPAN)).toEqual([])
  })

  it('the metrics say how the inventory is, and what was misrouted in the last hour', async () => {
    const state = loaded()
    const metrics = numbersMetrics({ numbers: () => state, readers, live: () => liveStatus() })
    const text = await metrics()
    expect(text).toContain('trunkscope_numbers_inventory_rows 29')
    expect(text).toContain('trunkscope_numbers_inventory_wrong_rows 2')
    expect(text).toContain('trunkscope_numbers_inventory_stale 0')
    const [gamma] = (await readMisroutedCounts(readers, state.inventory, SPAN)).filter(
      ({ carrier }) => carrier === 'gamma',
    )
    expect(text).toContain(`trunkscope_numbers_misrouted_attempts{carrier="gamma"} ${gamma!.attempts}`)
    expect(await numbersMetrics({ numbers: undefined, readers, live: () => liveStatus() })()).toBe('')
    expect((await app.inject('/metrics')).body).toContain('trunkscope_numbers_inventory_rows 29')
  })

  it('without an inventory the answer says so, and nothing is read', async () => {
    const without = await store.app({ config: CONFIG })
    const { body } = await get<MisroutedAnswer>(without, `/v1/numbers/misrouted?${HOUR}`)
    expect(body).toMatchObject({ is_configured: false, inbound: { attempts: 0, numbers: 0 }, numbers: [] })
    const page = (await without.inject(`/numbers?${HOUR}`)).body
    expect(page).toContain('No number inventory is configured')
    expect(page).toContain('trunkscope numbers check')
    expect((await get<InventoryState>(without, '/v1/numbers')).body.is_configured).toBe(false)
    await without.close()
  })
})

describe('the inventory', () => {
  it('is described, its wrong rows to who may see numbers', async () => {
    const state = await answered<InventoryState>('/v1/numbers')
    expect(state).toMatchObject({
      is_configured: true,
      file: '/etc/trunkscope/numbers.csv',
      rows: 29,
      numbers: 27,
      wrong_rows: 2,
      errors: [{ line: 7, kind: 'bad_number' }],
    })
  })

  it('the page shows what is misrouted, the inventory, and where calls go', async () => {
    const { body, statusCode } = await app.inject(`/numbers?${HOUR}`)
    expect(statusCode).toBe(200)
    expect(body).toContain('On the wrong carrier')
    expect(body).toContain('2 with no usable number')
    expect(body).toContain('Germany')
    expect(body).toContain('short code or emergency number')
    expect(body).toContain('href="/numbers?last=24h"')
  })
})

describe('peers', () => {
  const ask = (query: string) => answered<PeersAnswer>(`/v1/peers?${HOUR}&${query}`)

  it('one carrier is worse than the others to the same prefix: it is the carrier', async () => {
    const { judgement, carriers } = await ask('prefix=%2B4969955&carrier=alpha')
    expect(judgement).toMatchObject({
      verdict: 'carrier',
      own: { ner: 0.4, attempts: 120 },
      others: { ner: 0.95, attempts: 240, carriers: ['beta', 'gamma'] },
      shared_prefixes: 1,
    })
    expect(judgement!.sentence).toMatch(
      /^it is alpha: alpha 40\.0 % NER \(31\.\d to 48\.\d+, 120 attempts\), the others/,
    )
    expect(carriers.map(({ carrier, judgement }) => [carrier, judgement.verdict])).toEqual([
      ['alpha', 'carrier'],
      ['beta', 'both_fine'],
      ['gamma', 'both_fine'],
    ])
    expect(carriers[0]).toMatchObject({ attempts: 120, ner: { numerator: 48, denominator: 120, value: 0.4 } })
  })

  it('all are below their own other prefixes: it is the destination', async () => {
    const { judgement, carriers } = await ask('country=GB&carrier=beta')
    expect(judgement!.verdict).toBe('destination')
    expect(judgement!.below_own.map(({ carrier, is_below }) => [carrier, is_below])).toEqual([
      ['alpha', true],
      ['beta', true],
      ['gamma', true],
    ])
    expect(carriers.every(({ judgement }) => judgement.verdict === 'destination')).toBe(true)
  })

  it('nothing is off, and too few calls, are verdicts of their own', async () => {
    expect((await ask('prefix=%2B3312345&carrier=alpha')).judgement!.verdict).toBe('both_fine')
    const few = (await ask('country=JP&carrier=alpha')).judgement!
    expect(few.verdict).toBe('not_enough')
    expect(few.sentence).toContain('30 of each are needed')
    expect((await ask('prefix=%2B999')).carriers).toEqual([])
  })

  it('without a prefix each shared one is listed with its own verdict', async () => {
    const { judgement, prefixes } = await ask('carrier=alpha')
    expect(judgement).toMatchObject({ shared_prefixes: 3, own: { attempts: 360 } })
    expect(prefixes.map(({ prefix, country, verdict }) => [prefix, country, verdict]).sort()).toEqual([
      ['+3312345', 'FR', 'both_fine'],
      ['+4420794', 'GB', 'destination'],
      ['+4969955', 'DE', 'carrier'],
    ])
  })

  it('inbound calls and those without a prefix are in no comparison', async () => {
    const { carriers } = await ask('')
    const byHand = calls.filter(
      (x) => inRange(x) && x.party === 'carrier' && x.state === 'closed' && x.direction !== 'inbound',
    )
    for (const { carrier, attempts, elsewhere } of carriers) {
      const own = byHand.filter((x) => x.carrier === carrier)
      const withPrefix = own.filter(
        (x) => x.calledNumber.replace('+', '').length >= 7 && /^\+?\d+$/.test(x.calledNumber),
      )
      expect([carrier, attempts]).toEqual([carrier, withPrefix.length])
      expect(elsewhere.denominator).toBe(own.length - withPrefix.length)
    }
  })

  it('who is held to one carrier compares it with nobody', async () => {
    const held = readers.seenBy({ id: 'a', role: 'viewer', carriers: ['alpha'] })
    const own = await readPrefixCounts(held, SPAN)
    expect([...new Set(own.map(({ carrier }) => carrier))]).toEqual(['alpha'])
    expect(alertedVerdict('alpha', own).verdict).toBe('not_enough')
  })

  it('an alert about a carrier names the destination that has half of its failures, and what is its own besides', async () => {
    const counts = await readPrefixCounts(readers.seenBy(LOOPBACK), SPAN)
    expect(alertedVerdict('alpha', counts)).toMatchObject({
      verdict: 'destination',
      sentence: expect.stringMatching(
        /^to \+4420794 alpha has .* all more elsewhere: it is the destination; to other destinations .*: that is alpha$/,
      ),
    })
    expect(alertedVerdict('beta', counts)).toMatchObject({
      verdict: 'destination',
      sentence: expect.stringMatching(/it is the destination$/),
    })
    // Nothing was at a site that is not there.
    expect(await readPrefixCounts(readers.seenBy(LOOPBACK), SPAN, ['nowhere'])).toEqual([])
  })

  it('a carrier that nobody knows is an error with a suggestion', async () => {
    const { body } = await get<{ code: string; suggestions: string[] }>(app, `/v1/peers?${HOUR}&carrier=alpa`)
    expect([body.code, body.suggestions[0]]).toEqual(['TRUNKSCOPE_API_UNKNOWN_CARRIER', 'alpha'])
  })

  it('the page of a carrier shows them, on ranges of at most a day', async () => {
    const first = await app.inject(`/carriers/alpha?${HOUR}`)
    expect(first.body).toContain(`/carriers/alpha?${HOUR.replaceAll('&', '&amp;')}&amp;peers=true`)
    const { body } = await app.inject(`/carriers/alpha?${HOUR}&peers=true`)
    expect(body).toContain('The same destinations on other carriers')
    expect(body).toContain('+4969955')
    expect(body).toContain('it is the destination')
    const long = await app.inject(
      '/carriers/alpha?from=2026-11-18T00:00:00Z&to=2026-11-20T13:00:00Z&peers=true',
    )
    expect(long.body).toContain('up to 24 hours')
    const silent = await app.inject(
      '/carriers/gamma?from=2026-11-20T03:00:00Z&to=2026-11-20T04:00:00Z&peers=true',
    )
    expect(silent.body).toContain('No prefix has ten attempts')
  })
})
