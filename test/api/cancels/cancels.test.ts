import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CancelsAnswer } from '../../../api/cancels/cancels.js'
import type { App } from '../../../api/deps.js'
import { judgeStored } from '../../support/kpi-evidence.js'
import { attempt, CONFIG, ENDED, get, HOUR, NOON_US, TestStore } from '../support.js'

let store: TestStore
let app: App

const us = (seconds: number) => NOON_US + Math.round(seconds * 1e6)
const pair = (at: number) => ({
  callingNumber: `+1215555${1000 + at}`,
  fromNumber: `+1215555${1000 + at}`,
  calledNumber: '+13035550123',
  dialledNumber: '+13035550123',
})

beforeAll(async () => {
  store = await TestStore.open()
  const rows = [
    // Twenty callers hang up after 1, 2 … 20 s of ringing, CANCEL a second later than that.
    ...Array.from({ length: 20 }, (_, at) =>
      attempt({
        ...ENDED.abandoned,
        ...pair(at),
        invitedAtUs: us(at),
        cancelledAtUs: us(at + 2 + at),
        finalAtUs: us(at + 2.1 + at),
        ringBeforeCancelMs: (at + 1) * 1_000,
      }),
    ),
    // The first tries again after exactly a minute, the second a microsecond later than that.
    attempt({ ...pair(0), invitedAtUs: us(2 + 60), carrier: 'beta' }),
    attempt({ ...pair(1), invitedAtUs: us(4 + 60) + 1 }),
    // The carrier is given up for another one.
    attempt({
      ...ENDED.preRing,
      ...pair(50),
      invitedAtUs: us(300),
      cancelledAtUs: us(306),
      finalAtUs: us(306.1),
    }),
    attempt({ ...pair(50), invitedAtUs: us(306.2), carrier: 'beta' }),
    // Anonymous: nobody can tell whether he tried again.
    attempt({
      ...ENDED.abandoned,
      callingNumber: '',
      fromNumber: '',
      invitedAtUs: us(400),
      cancelledAtUs: us(403),
      finalAtUs: us(403.1),
      ringBeforeCancelMs: 2_000,
    }),
    attempt({ invitedAtUs: us(404), callingNumber: '', fromNumber: '' }),
  ]
  await store.add(rows)
  await judgeStored(store.engine.writer, CONFIG)
  app = await store.app()
}, 60_000)

afterAll(async () => {
  await app.close()
  await store.close()
})

const ask = async (query: string) => {
  const { status, body } = await get<CancelsAnswer>(app, `/v1/cancels?${HOUR}${query}`)
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}
const of = (answer: CancelsAnswer, carrier: string) => answer.groups.find(({ by }) => by.carrier === carrier)!

describe('/v1/cancels', () => {
  test('counts each class as it is judged, with its share and interval', async () => {
    const { classes, attempts, given_up } = of(await ask(''), 'alpha')
    expect({ attempts, given_up }).toEqual({ attempts: 24, given_up: 22 })
    // Before it rang another route is the carrier's fault, and a caller who hangs up nobody's.
    expect(classes.map(({ cancel_class, count, of, bad }) => [cancel_class, count, of, bad])).toEqual([
      ['ROUTE_ADVANCE', 1, 24, 1],
      ['CALLER_ABANDON_RING', 21, 24, 0],
    ])
    expect(classes[0]?.interval?.[0]).toBeCloseTo(0.0074, 3)
  })

  test('tells 487s before anything rang from the others', async () => {
    expect(of(await ask(''), 'alpha').pre_ring_487_share).toMatchObject({ count: 1, of: 22 })
    expect(of(await ask(''), 'beta').pre_ring_487_share).toMatchObject({ count: 0, of: 0, share: null })
  })

  test('gives the time to CANCEL and the ring time by nearest rank, above their floors', async () => {
    const { time_to_cancel, ring_before_cancel } = of(await ask(''), 'alpha')
    // 2 … 21 s, 6 s and 3 s: the eleventh of 22.
    expect(time_to_cancel).toEqual({ count: 22, p50_s: 10, p95_s: null })
    expect(ring_before_cancel).toMatchObject({ count: 21, p50_s: 10, p95_s: null })
    expect(ring_before_cancel.short).toMatchObject({ count: 5, of: 21 })
  })

  test('a retry is the same two numbers within a minute after the give-up, on any carrier', async () => {
    // Not of the second, who waited a microsecond too long, and not of the anonymous one.
    expect(of(await ask(''), 'alpha').tried_again).toMatchObject({ count: 2, of: 21 })
  })

  test('can be asked for all together, by place, and by destination', async () => {
    const all = await ask('&group_by=')
    expect(all.groups).toHaveLength(1)
    expect(all.groups[0]).toMatchObject({ by: {}, attempts: 26 })
    const apart = await ask('&group_by=carrier,site,direction,destination&carrier=alpha')
    expect(apart.groups.map(({ by }) => by)).toContainEqual({
      carrier: 'alpha',
      site: 'dal',
      direction: 'outbound',
      destination: '+1303555',
    })
    expect(apart.groups.every(({ by }) => by.carrier === 'alpha')).toBe(true)
  })

  test('can be narrowed to a destination', async () => {
    const there = await ask('&group_by=&prefix=%2B1303')
    // Not the anonymous caller's, who dialled another place.
    expect(there.groups[0]).toMatchObject({ attempts: 24, given_up: 21 })
    expect((await ask('&group_by=&prefix=%2B4969')).groups[0]).toMatchObject({ attempts: 0 })
  })

  test('below its floor a quantile is null, and 0 of 0 has no share', async () => {
    expect(of(await ask(''), 'beta')).toMatchObject({
      given_up: 0,
      time_to_cancel: { count: 0, p50_s: null },
      ring_before_cancel: { short: { share: null, interval: null } },
      tried_again: { share: null },
    })
  })
})

describe('/cancels', () => {
  const pageOf = async (query: string) => {
    const { body, statusCode } = await app.inject({ url: `/cancels?${HOUR}${query}` })
    expect(statusCode).toBe(200)
    return body.replace(/\s+/g, ' ')
  }

  test('shows each cause with its share, whose fault it is, and the way to its attempts', async () => {
    const page = await pageOf('')
    expect(page).toContain('Given up for another route<br><small>ROUTE_ADVANCE</small>')
    expect(page).toContain('the carrier’s before an 18x, nobody’s after it')
    const [href] = /\/attempts\?carrier=alpha&amp;cancel_class=CALLER_ABANDON_RING[^"]*/.exec(page)!
    const list = await get<{ attempts: { cancel_class: string }[] }>(
      app,
      `/v1${href.replaceAll('&amp;', '&')}&limit=100`,
    )
    expect(list.body.attempts).toHaveLength(21)
    expect(new Set(list.body.attempts.map(({ cancel_class }) => cancel_class))).toEqual(
      new Set(['CALLER_ABANDON_RING']),
    )
  })

  test('says how long callers waited, and keeps its filters in the links of the ranges', async () => {
    const page = await pageOf('&carrier=alpha&group_by=carrier,destination')
    expect(page).toMatch(/Time to CANCEL"[^>]*><span class="value">11 s<\/span> · <span class="none">too few/)
    expect(page).toContain('+1303555</span> <small>United States</small>')
    expect(page).toContain('/cancels?last=24h&amp;carrier=alpha&amp;group_by=carrier%2Cdestination')
    expect(page).not.toContain('<td data-label="Carrier"><a href="/carriers/beta')
  })

  test('without calls says so', async () => {
    expect(await pageOf('&site=nowhere')).toContain(
      'No attempt that has ended was seen in this range with these filters.',
    )
  })
})
