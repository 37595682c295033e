import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Context, Window } from '../../evidence/pass.js'
import { CALL_MAX_S, trunkHoursPass } from '../../evidence/trunk-hours.js'
import type { Attempt } from '../../schemas/attempt.js'
import { configSchema } from '../../schemas/config.js'
import { attempt, NOON_S, NOON_US, TestStore } from '../api/support.js'
import { rowsOf } from '../support/engine.js'

const CONFIG = configSchema.parse({
  sites: [{ id: 'dal', sbc: ['192.0.2.11/32'] }],
  carriers: [
    {
      id: 'alpha',
      peers: ['198.51.100.0/24', { cidr: '198.51.100.10/32', port: 5080 }],
      limits: { concurrent_calls: 4, calls_per_second: 3 },
    },
    { id: 'beta', peers: ['203.0.113.0/24'], limits: { calls_per_second: 2, per: 'trunk' } },
  ],
})

let store: TestStore
let version = 0n
beforeAll(async () => {
  store = await TestStore.open()
})
afterAll(() => store.close())
beforeEach(async () => {
  for (const table of ['trunk_hours', 'call_attempts']) await store.command(`TRUNCATE TABLE ${table}`)
})

const context = (): Context => ({
  client: store.engine.writer,
  config: CONFIG,
  version: () => ++version,
  announce: async () => {},
  isHeld: async () => true,
  log: () => {},
})
const run = (...minutesS: number[]) => {
  const window: Window = { fromS: Math.min(...minutesS), toS: Math.max(...minutesS) + 60, minutesS }
  return trunkHoursPass.run(window, context())
}

interface Peaks {
  hour_s: number
  scope: string
  carrier: string
  site: string
  far_address: string
  far_port: number
  attempts: number
  calls_peak: number
  calls_peak_s: number
  talking_peak: number
  per_second_peak: number
  per_second_peak_s: number
  per_second_p99: number
  congestion: number
  congestion_near_limit: number
  seconds_near_limit: number
  calls_limit: number
  unended: number
}
const standing = () =>
  rowsOf<Peaks>(
    store.engine.readers[0]!,
    `SELECT toUInt32(hour) AS hour_s, * EXCEPT (attempts, congestion, congestion_near_limit), toUInt32(attempts) AS attempts,
       toUInt32(congestion) AS congestion, toUInt32(congestion_near_limit) AS congestion_near_limit
     FROM trunk_hours FINAL ORDER BY hour, scope, carrier, site, far_address, far_port`,
  )

/** Answered after a second, for so long; milliseconds after noon. */
function call(atMs: number, lengthMs: number | undefined, changes: Partial<Attempt> = {}): Attempt {
  const invitedAtUs = NOON_US + atMs * 1_000
  const answeredAtUs = invitedAtUs + 1_000_000
  const byeAtUs = lengthMs === undefined ? 0 : answeredAtUs + lengthMs * 1_000
  return attempt({
    invitedAtUs,
    answeredAtUs,
    finalAtUs: answeredAtUs,
    byeAtUs,
    endMinuteS: byeAtUs === 0 ? 0 : Math.floor(byeAtUs / 60e6) * 60,
    ...changes,
  })
}

/** When it ends, by the rule, in words of its own. */
function endUs(one: Attempt): number {
  const longest = one.invitedAtUs + CALL_MAX_S * 1e6
  let end = longest
  if (one.answeredAtUs > 0) end = one.byeAtUs > 0 ? one.byeAtUs : longest
  else if (one.finalAtUs > 0) end = one.finalAtUs
  else if (one.cancelledAtUs > 0) end = one.cancelledAtUs + 32e6
  else if (one.state === 'incomplete') end = one.invitedAtUs + 180e6
  else if (one.state === 'closed') end = one.invitedAtUs + 32e6
  return Math.min(longest, Math.max(end, one.invitedAtUs))
}

function sweep(calls: readonly Attempt[], hourS: number) {
  const peaks = { calls: 0, talking: 0, perSecond: 0, p99: 0, attempts: 0 }
  const perSecond: number[] = []
  const upAt = (atS: number, from: (one: Attempt) => number) =>
    calls.filter((one) => from(one) > 0 && from(one) <= atS * 1e6 && atS * 1e6 < endUs(one)).length
  // Looked at where something changes only: the seconds between are as the one before.
  const looked = new Set(
    [
      hourS,
      ...calls
        .flatMap((one) => [one.invitedAtUs, one.answeredAtUs, endUs(one)])
        .map((us) => Math.ceil(us / 1e6)),
    ].filter((atS) => atS >= hourS && atS < hourS + 3_600),
  )
  for (const atS of looked) {
    peaks.calls = Math.max(
      peaks.calls,
      upAt(atS, (one) => one.invitedAtUs),
    )
    peaks.talking = Math.max(
      peaks.talking,
      upAt(atS, (one) => (one.answeredAtUs === 0 ? 0 : Math.max(one.answeredAtUs, one.invitedAtUs))),
    )
  }
  for (let atS = hourS; atS < hourS + 3_600; atS++) {
    perSecond.push(0)
  }
  for (const { invitedAtUs } of calls) {
    const at = Math.floor(invitedAtUs / 1e6) - hourS
    if (at < 0 || at >= 3_600) continue
    perSecond[at]!++
    peaks.attempts++
  }
  perSecond.sort((a, b) => b - a)
  return { ...peaks, perSecond: perSecond[0]!, p99: perSecond[36]! }
}

test('calls that overlap are a peak, calls that follow each other are none', async () => {
  await store.add([call(0, 10_000), call(5_000, 10_000), call(30_000, 1_000), call(90_000, 5_000)])
  expect((await run(NOON_S, NOON_S + 60)).rows).toBe(4)
  const rows = await standing()
  expect(rows.map(({ scope, carrier, site }) => [scope, carrier, site])).toEqual([
    ['carrier', 'alpha', ''],
    ['carrier_site', 'alpha', 'dal'],
    ['site', '', 'dal'],
    ['trunk', 'alpha', 'dal'],
  ])
  for (const row of rows) {
    expect(row).toMatchObject({ attempts: 4, calls_peak: 2, calls_peak_s: NOON_S + 5, talking_peak: 2 })
    expect(row).toMatchObject({
      per_second_peak: 1,
      per_second_peak_s: NOON_S,
      per_second_p99: 0,
      unended: 0,
    })
  }
  // Nothing is written twice.
  expect((await run(NOON_S, NOON_S + 60)).rows).toBe(0)
})

test('a named port is a trunk of its own, any other is not', async () => {
  await store.add([
    call(0, 9_000, { farPort: 5080 }),
    call(0, 9_000, { farPort: 40_001, direction: 'inbound' }),
    call(0, 9_000, { farPort: 40_002, direction: 'inbound' }),
  ])
  await run(NOON_S)
  const trunks = (await standing()).filter(({ scope }) => scope === 'trunk')
  expect(trunks.map(({ far_port, calls_peak }) => [far_port, calls_peak])).toEqual([
    [0, 2],
    [5080, 1],
  ])
})

test('503s while the carrier is near its limit are counted, others are not', async () => {
  const busy = [0, 1, 2, 3].map((at) => call(at * 1_000, 60_000))
  const refused = (atMs: number) =>
    call(atMs, undefined, {
      answeredAtUs: 0,
      finalAtUs: NOON_US + atMs * 1_000 + 10_000,
      finalCode: 503,
      disposition: 'CONGESTION',
    })
  await store.add([...busy, refused(10_100), refused(11_100), refused(100_100)])
  await run(NOON_S)
  const [carrier, site] = await standing()
  expect(carrier).toMatchObject({ congestion: 3, congestion_near_limit: 2, calls_peak: 4, calls_limit: 4 })
  expect(carrier!.seconds_near_limit).toBeGreaterThanOrEqual(50)
  // The limit is one of the carrier as a whole.
  expect(site).toMatchObject({ scope: 'carrier_site', calls_limit: 0, congestion_near_limit: 0 })
})

test('a call goes on in the next hour, and one without an end for four hours at most', async () => {
  await store.add([call(3_599_000, 10_000), call(0, undefined)])
  await run(NOON_S, NOON_S + 3_540, NOON_S + 3_600)
  const later = (await standing()).filter(({ scope, hour_s }) => scope === 'carrier' && hour_s > NOON_S)
  expect(later.map(({ calls_peak, attempts, unended }) => [calls_peak, attempts, unended])).toEqual([
    [2, 0, 0],
  ])
  await run(NOON_S + 4 * 3_600)
  await run(NOON_S + 5 * 3_600)
  expect((await standing()).filter(({ hour_s }) => hour_s > NOON_S + 3_600)).toEqual([])
})

test('an end that comes late takes the call out of the hours after it', async () => {
  await store.add([call(0, undefined, { attemptId: 'f'.repeat(32) }), call(3_700_000, 1_000)])
  await run(NOON_S, NOON_S + 3_660)
  const second = async () =>
    (await standing()).filter(({ scope, hour_s }) => scope === 'carrier' && hour_s > NOON_S)
  expect(await second()).toMatchObject([{ calls_peak: 2 }])
  await store.add([call(0, 30_000, { attemptId: 'f'.repeat(32) })], 2)
  await run(NOON_S)
  expect(await second()).toMatchObject([{ calls_peak: 1 }])
})

test('ten thousand far addresses are the busiest by name and one row', async () => {
  const busy = [0, 1, 2].map((at) => call(at, 1_000, { farAddress: '198.51.100.99' }))
  const many = Array.from({ length: 300 }, (_, at) =>
    call(at, 1_000, { farAddress: `198.51.${at >> 8}.${at & 255}` }),
  )
  await store.add([...busy, ...many])
  await run(NOON_S)
  const trunks = (await standing()).filter(({ scope }) => scope === 'trunk')
  expect(trunks).toHaveLength(65)
  expect(trunks.find(({ far_address }) => far_address === '*')).toMatchObject({ attempts: 303 - 63 - 3 })
  expect(trunks.find(({ far_address }) => far_address === '198.51.100.99')!.attempts).toBeGreaterThanOrEqual(
    3,
  )
})

const anyCall = fc
  .record({
    // From four hours and a bit before the hour to its end, or close together; a step of 250 ms meets whole seconds often.
    at: fc.oneof(fc.integer({ min: -15_000 * 4, max: 3_600 * 4 - 1 }), fc.integer({ min: 0, max: 40 })),
    answers: fc.option(fc.integer({ min: -8, max: 240 }), { nil: undefined }),
    length: fc.option(fc.oneof(fc.integer({ min: -8, max: 20_000 }), fc.integer({ min: 0, max: 40 })), {
      nil: undefined,
    }),
    state: fc.constantFrom('open', 'closed', 'incomplete' as const),
    ends: fc.constantFrom('final', 'cancelled', 'neither'),
    carrier: fc.constantFrom('alpha', 'beta'),
    farAddress: fc.constantFrom('198.51.100.10', '203.0.113.7'),
  })
  .map(({ at, answers, length, state, ends, carrier, farAddress }) => {
    const invitedAtUs = NOON_US + at * 250_000
    const isAnswered = answers !== undefined && state === 'closed'
    const answeredAtUs = isAnswered ? invitedAtUs + answers * 250_000 : 0
    const later = invitedAtUs + 250_000 * Math.abs(length ?? 7)
    return attempt({
      invitedAtUs,
      carrier,
      farAddress,
      state: state as Attempt['state'],
      answeredAtUs,
      byeAtUs: isAnswered && length !== undefined ? answeredAtUs + length * 250_000 : 0,
      finalAtUs: isAnswered ? answeredAtUs : state === 'closed' && ends === 'final' ? later : 0,
      cancelledAtUs: !isAnswered && state === 'closed' && ends === 'cancelled' ? later : 0,
    })
  })

/** Each at a site of its own: one run of the pass counts them all. */
const anySites = fc
  .array(fc.array(anyCall, { maxLength: 60 }), { minLength: 8, maxLength: 8 })
  .map((sites) =>
    sites.map((calls, at) =>
      calls.map((one) => ({ ...one, site: `site-${at}`, carrier: `${one.carrier}-${at}` })),
    ),
  )

test('peaks are those of a look at every second, for any calls: begun before, without length or end, with a clock set back', async () => {
  await fc.assert(
    fc.asyncProperty(anySites, async (sites) => {
      for (const table of ['trunk_hours', 'call_attempts']) await store.command(`TRUNCATE TABLE ${table}`)
      if (sites.flat().length > 0) await store.add(sites.flat())
      await run(NOON_S)
      const rows = await standing()
      const carriers = sites.flatMap((_, at) => [`alpha-${at}`, `beta-${at}`])
      for (const carrier of carriers) {
        const wanted = sweep(
          sites.flat().filter((one) => one.carrier === carrier),
          NOON_S,
        )
        const row = rows.find((one) => one.scope === 'carrier' && one.carrier === carrier)
        const got = {
          calls: row?.calls_peak ?? 0,
          talking: row?.talking_peak ?? 0,
          perSecond: row?.per_second_peak ?? 0,
          p99: row?.per_second_p99 ?? 0,
          attempts: row?.attempts ?? 0,
        }
        expect(got).toEqual(wanted)
      }
      for (const [at, calls] of sites.entries()) {
        const row = rows.find(({ scope, site }) => scope === 'site' && site === `site-${at}`)
        expect(row?.calls_peak ?? 0).toBe(sweep(calls, NOON_S).calls)
      }
    }),
    { numRuns: 8 },
  )
})
