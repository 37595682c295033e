/** A simulated quarter, and scorecards against a calculation of its own from the attempts. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import { fileName } from '../../../api/routes/scorecards.js'
import { type Scorecard, type Scorecards, scorecard, scorecards } from '../../../api/scorecards/scorecard.js'
import type { Attempt } from '../../../schemas/attempt.js'
import {
  CARRIERS,
  INCIDENT_S,
  NOW_S,
  QUARTER_CONFIG,
  type Quarter,
  storeQuarter,
  WEEK_FROM_S,
  WEEK_S,
} from '../scorecards/quarter.js'
import { attempt, liveStatus, TestStore } from '../support.js'

let store: TestStore
let app: App
let quarter: Quarter
const deps = {
  config: QUARTER_CONFIG,
  nowMs: () => NOW_S * 1_000,
  live: () => liveStatus({ asOfUs: NOW_S * 1e6 }),
}

beforeAll(async () => {
  store = await TestStore.open()
  quarter = await storeQuarter(store)
  app = await store.app(deps)
}, 120_000)
afterAll(async () => {
  await app.close()
  await store.close()
})

const ask = async (url: string) => app.inject({ url })
async function cardOf(carrier: string, week = '2026-W47'): Promise<Scorecard> {
  const response = await ask(`/v1/carriers/${carrier}/scorecard?week=${week}`)
  expect([response.statusCode, response.body.slice(0, 200)]).toEqual([200, expect.any(String)])
  return response.json() as Scorecard
}
const rowOf = (card: Pick<Scorecard, 'rows'>, id: string) => card.rows.find((row) => row.id === id)!

/** Counted by hand: nothing of the catalog is used here. */
function counted(attempts: readonly Attempt[], ended: readonly Attempt[]) {
  const closed = attempts.filter(({ state }) => state === 'closed')
  const of = (test: (one: Attempt) => boolean) => closed.filter(test).length
  const notElsewhere = of(({ cancelClass }) => cancelClass !== 'ELSEWHERE')
  const givenUp = (cause: string) => [of(({ cancelClass }) => cancelClass === cause), notElsewhere]
  const asrDen = of(({ finalCode }) => finalCode < 300 || finalCode >= 400)
  const pdds = closed.flatMap(({ pddMs }) => (pddMs === null ? [] : [pddMs])).sort((a, b) => a - b)
  const done = ended.filter(({ durationMs }) => durationMs !== null)
  const talkMs = done.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0)
  return {
    closed,
    attempts: closed.length,
    asr: [of(({ finalCode }) => finalCode === 200), asrDen],
    ner: [of(({ nerNumerator }) => nerNumerator === 1), of(({ nerDenominator }) => nerDenominator === 1)],
    seer: [of(({ finalCode }) => [200, 480, 486, 600, 603].includes(finalCode)), asrDen],
    isa: [of(({ finalCode }) => [408, 500, 503, 504].includes(finalCode)), closed.length],
    availability: [of(({ sli }) => sli === 'good'), of(({ sli }) => sli === 'good' || sli === 'bad')],
    pre_ring_487_rate: [
      of(({ finalCode, rang, cancelClass }) => finalCode === 487 && !rang && cancelClass !== 'ELSEWHERE'),
      notElsewhere,
    ],
    rate_487: [
      of(({ finalCode, cancelClass }) => finalCode === 487 && cancelClass !== 'ELSEWHERE'),
      notElsewhere,
    ],
    cancel_pre_ring: givenUp('PRE_RING_CANCEL'),
    cancel_route_advance: givenUp('ROUTE_ADVANCE'),
    cancel_not_seen: givenUp('487_NO_CANCEL'),
    cancel_while_ringing: givenUp('CALLER_ABANDON_RING'),
    cancel_ring_timer: givenUp('RING_TIMER'),
    cancel_elsewhere: [closed.length - notElsewhere, closed.length],
    rate_503: [of(({ finalCode }) => finalCode === 503), closed.length],
    timeout_rate: [of(({ finalCode }) => finalCode === 408 || finalCode === 0), closed.length],
    blocked_rate: [of(({ finalCode }) => finalCode === 608), closed.length],
    identity_rate: [of(({ finalCode }) => finalCode === 438), closed.length],
    attestation_a_rate: [of(({ attestation }) => attestation === 'A'), closed.length],
    capture_loss: [attempts.length - closed.length, attempts.length],
    short_call_rate: [done.filter(({ durationMs }) => durationMs! <= 6_000).length, done.length],
    minutes: talkMs / 60_000,
    acdS: talkMs / 1_000 / done.length,
    pddP95S: pdds[Math.ceil(0.95 * pdds.length) - 1]! / 1_000,
  }
}
const ofCarrier = (carrier: string, week: number) =>
  quarter.weeks[week]!.filter((one) => one.carrier === carrier)
const endedIn = (carrier: string, week: number) => {
  const fromS = WEEK_FROM_S - (13 - week) * WEEK_S
  return quarter.weeks
    .flat()
    .filter((one) => one.carrier === carrier && one.endMinuteS >= fromS && one.endMinuteS < fromS + WEEK_S)
}

const RATIOS = [
  'asr',
  'ner',
  'seer',
  'isa',
  'availability',
  'pre_ring_487_rate',
  'rate_487',
  'cancel_pre_ring',
  'cancel_route_advance',
  'cancel_not_seen',
  'cancel_while_ringing',
  'cancel_ring_timer',
  'cancel_elsewhere',
  'rate_503',
  'timeout_rate',
  'blocked_rate',
  'identity_rate',
  'attestation_a_rate',
  'capture_loss',
  'short_call_rate',
] as const

describe('the scorecard of a simulated quarter', () => {
  it.each(CARRIERS.filter((id) => id !== 'foxtrot'))(
    '%s: every number is the one counted from its attempts',
    async (id) => {
      const card = await cardOf(id)
      for (const [at, row] of [
        [13, 'now'],
        [12, 'previous'],
      ] as const) {
        const own = counted(ofCarrier(id, at), endedIn(id, at))
        const read = (name: string) => (row === 'now' ? rowOf(card, name) : rowOf(card, name).previous)
        expect(read('attempts').value).toBe(own.attempts)
        for (const name of RATIOS) {
          expect([name, read(name).numerator, read(name).denominator]).toEqual([name, ...own[name]])
        }
        expect(read('minutes_of_use').value).toBeCloseTo(own.minutes, 6)
        expect(read('acd').value).toBeCloseTo(own.acdS, 6)
        if (id === 'delta')
          expect(read('pdd_p95')).toMatchObject({ value: null, reason: 'insufficient_data' })
        else expect(Math.abs(read('pdd_p95').value! / own.pddP95S - 1)).toBeLessThan(0.0151)
      }
      const trend = rowOf(card, 'ner').trend
      expect(trend).toHaveLength(13)
      trend.forEach((value, at) => {
        const [num, den] = counted(ofCarrier(id, at + 1), []).ner as [number, number]
        expect(value).toBe(num / den)
      })
    },
  )

  it('sites and directions add up to the whole', async () => {
    const card = await cardOf('alpha')
    expect(card.groups.map(({ site, direction }) => `${site} ${direction}`)).toEqual([
      'dal inbound',
      'dal outbound',
      'fra inbound',
      'fra outbound',
    ])
    const sum = card.groups.reduce(
      (all, { rows }) => all + rows.find(({ id }) => id === 'attempts')!.value!,
      0,
    )
    expect(sum).toBe(rowOf(card, 'attempts').value)
    expect(Object.values(card.attestations).reduce((a, b) => a + b)).toBe(sum)
  })

  it('grades: good is graded by its lower bound, small is of low confidence, smaller is not rated', async () => {
    const { json } = await ask('/v1/scorecards?week=2026-W47')
    const lines = (json() as Scorecards).carriers
    const of = (id: string) => lines.find(({ carrier }) => carrier.id === id)!
    for (const id of CARRIERS) {
      const [num, den] = counted(ofCarrier(id, 13), []).ner as [number, number]
      const { grade } = of(id)
      if (den < 100) {
        expect([id, grade.grade, grade.confidence]).toEqual([id, 'NR', 'none'])
        continue
      }
      const z = 1.96
      const p = num / den
      const low =
        (p + (z * z) / (2 * den) - z * Math.sqrt((p * (1 - p)) / den + (z * z) / (4 * den * den))) /
        (1 + (z * z) / den)
      const letter = low >= 0.99 ? 'A' : low >= 0.97 ? 'B' : low >= 0.94 ? 'C' : low >= 0.9 ? 'D' : 'F'
      expect([id, grade.before_deductions, grade.confidence]).toEqual([
        id,
        letter,
        den < 400 ? 'low' : 'normal',
      ])
      expect(grade.ner_low).toBeCloseTo(low, 5)
    }
    expect(of('delta').grade.grade).toBe('NR')
    expect(of('foxtrot')).toMatchObject({ has_traffic: false, grade: { grade: 'NR' } })
    expect(of('foxtrot').rows[0]).toMatchObject({ value: null, reason: 'no_traffic' })
    expect(of('charlie').grade.confidence).toBe('low')
  })

  it('the incident is the worst hour of its carrier, and a change for the worse', async () => {
    const card = await cardOf('bravo')
    expect(card.worst_hours[0]).toMatchObject({
      from: new Date(INCIDENT_S * 1_000).toISOString().replace('.000Z', 'Z'),
      is_significant: true,
    })
    expect(rowOf(card, 'rate_503').change).toBe('worse')
    // Whose fault it is says which way is good; of what is nobody's, neither.
    expect(rowOf(card, 'cancel_route_advance')).toMatchObject({
      better: 'lower',
      numerator: expect.any(Number),
    })
    expect(rowOf(card, 'cancel_elsewhere').numerator).toBe(rowOf(card, 'cancel_route_advance').excluded)
    expect(rowOf(card, 'cancel_elsewhere').better).toBeNull()
    expect(card.groups.length).toBeGreaterThan(0)
  })

  it('a ported range counts where it was routed; what still goes the old way fails there', async () => {
    const { destinations } = await cardOf('echo')
    const own = counted(ofCarrier('echo', 13), []).closed
    const isPorted = ({ requestUri }: Attempt) => requestUri.includes(';rn=')
    const old = own.filter((one) => one.calledNumber.startsWith('+1312555') && !isPorted(one))
    const there = own.filter((one) => one.calledNumber.startsWith('+1773555') || isPorted(one))
    expect(destinations!.most_failures[0]).toMatchObject({
      prefix: '+1312555',
      attempts: old.length,
      failures: old.length,
      answered: 0,
      is_significant: true,
    })
    const denominator = own.filter(({ nerDenominator }) => nerDenominator === 1).length
    const failures = own.filter((one) => one.nerDenominator === 1 && one.nerNumerator === 0).length
    expect(destinations!.most_failures[0]!.excess_failures).toBeCloseTo(
      old.length - (old.length * failures) / denominator,
      6,
    )
    expect(destinations!.most_attempts[0]).toMatchObject({ prefix: '+1773555', attempts: there.length })
  })

  it('on shared prefixes each carrier stands beside what the others made of its mix', async () => {
    const { json } = await ask('/v1/scorecards?week=2026-W47')
    const echo = (json() as Scorecards).carriers.find(({ carrier }) => carrier.id === 'echo')!
    const prefixOf = (one: Attempt) =>
      one.requestUri.includes(';rn=') ? '+1773555' : one.calledNumber.slice(0, 8)
    const all = quarter.weeks[13]!.filter((one) => one.state === 'closed' && one.nerDenominator === 1)
    const own = all.filter(({ carrier }) => carrier === 'echo')
    const expected = own.reduce((sum, one) => {
      const others = all.filter((other) => other.carrier !== 'echo' && prefixOf(other) === prefixOf(one))
      return sum + others.filter(({ nerNumerator }) => nerNumerator === 1).length / others.length
    }, 0)
    expect(echo.shared).toMatchObject({ attempts: own.length, prefixes: 6, is_significant: true })
    expect(echo.shared!.expected_ner).toBeCloseTo(expected / own.length, 9)
  })

  it('targets: met, missed for certain, and a duration without a test', async () => {
    const { targets } = await cardOf('alpha')
    expect(targets.map(({ target, status, is_certain }) => [target, status, is_certain])).toEqual([
      ['asr', 'met', true],
      ['seer', 'missed', true],
      ['ner', 'met', false],
      ['pdd_p95_s', 'met', true],
      ['acd_s', 'missed', false],
      ['rate_5xx', 'met', true],
    ])
  })

  it('budgets stand at the end of the week; what was excluded and incomplete is counted', async () => {
    const card = await cardOf('bravo')
    const fromS = WEEK_FROM_S + WEEK_S - 30 * 86_400
    const valid = quarter.weeks
      .flat()
      .filter((one) => one.carrier === 'bravo' && one.minuteS >= fromS && ['good', 'bad'].includes(one.sli))
    const bad = valid.filter(({ sli }) => sli === 'bad')
    expect(card.budgets).toMatchObject([
      { slo: 'carrier-availability', valid: valid.length, bad: bad.length },
    ])
    expect(card.budgets[0]!.left_ratio).toBeCloseTo(1 - bad.length / valid.length / 0.005, 9)
    expect(card.counts.incomplete).toBe(
      ofCarrier('bravo', 13).filter(({ state }) => state === 'incomplete').length,
    )
    expect(card.counts.excluded.availability).toBeGreaterThan(0)
  })

  it('a carrier without traffic says so, in every format', async () => {
    const card = await cardOf('foxtrot')
    expect(card).toMatchObject({ has_traffic: false, worst_hours: [], groups: [], targets: [] })
    expect(card.rows.every(({ value }) => value === null)).toBe(true)
    expect(card.rows[0]!.trend.filter((value) => value !== null)).toHaveLength(11)
    const of = async (format: string) =>
      (await ask(`/v1/carriers/foxtrot/scorecard?week=2026-W47&format=${format}`)).body
    expect(await of('html')).toContain('No traffic.')
    expect(await of('csv')).toContain(',NR,')
    expect(await of('csv')).toContain('no traffic')
    expect(await of('html')).not.toMatch(/>0\u202f%</)
  })

  it('answers are those of the published schema', async () => {
    expect(scorecard.safeParse(await cardOf('alpha')).error).toBeUndefined()
    expect(scorecards.safeParse((await ask('/v1/scorecards')).json()).error).toBeUndefined()
    const description = (await ask('/openapi.json')).json() as {
      paths: Record<
        string,
        { get: { responses: Record<string, { content: Record<string, { schema: object }> }> } }
      >
    }
    const { schema } =
      description.paths['/v1/carriers/{id}/scorecard']!.get.responses['200']!.content['application/json']!
    expect(JSON.stringify(schema)).toContain('excess_failures')
  })

  it('without a week it is the last one that is over; of a running week it says so', async () => {
    expect((await ask('/v1/scorecards')).json()).toMatchObject({
      week: { id: '2026-W47', is_complete: true },
    })
    const running = (await ask('/v1/carriers/alpha/scorecard?week=2026-W48')).json() as Scorecard
    expect(running).toMatchObject({ week: { is_complete: false }, has_traffic: false })
  })

  it('what cannot be asked is said', async () => {
    const code = async (url: string) => {
      const response = await ask(url)
      return [response.statusCode, (response.json() as { code: string }).code]
    }
    expect(await code('/v1/scorecards?week=47')).toEqual([400, 'TRUNKSCOPE_API_BAD_TIME'])
    expect(await code('/v1/scorecards?week=2026-W54')).toEqual([400, 'TRUNKSCOPE_API_BAD_TIME'])
    expect(await code('/v1/scorecards?week=2027-W01')).toEqual([400, 'TRUNKSCOPE_API_BAD_RANGE'])
    expect(await code('/v1/scorecards?format=doc')).toEqual([400, 'TRUNKSCOPE_API_BAD_VALUE'])
    expect(await code('/v1/carriers/nobody/scorecard')).toEqual([404, 'TRUNKSCOPE_API_NO_SUCH_CARRIER'])
    expect(await code('/v1/carriers/unknown/scorecard')).toEqual([404, 'TRUNKSCOPE_API_NO_SUCH_CARRIER'])
  })
})

describe('who may see what', () => {
  it('a token of one carrier gets its own line only, and the same scorecard but for the tap', async () => {
    const tokens = [
      {
        id: 'own',
        sha256: createHash('sha256').update('own').digest('hex'),
        role: 'viewer' as const,
        carriers: ['bravo'],
      },
    ]
    const held = await store.app({ ...deps, tokens: () => tokens })
    const get = (url: string) => held.inject({ url, headers: { authorization: 'Bearer own' } })
    const lines = ((await get('/v1/scorecards')).json() as Scorecards).carriers
    expect(lines.map(({ carrier, shared }) => [carrier.id, shared])).toEqual([['bravo', null]])
    expect((await get('/v1/carriers/alpha/scorecard')).statusCode).toBe(404)
    const { tap, ...own } = (await get('/v1/carriers/bravo/scorecard')).json() as Scorecard
    const { tap: whole, ...all } = await cardOf('bravo')
    expect(tap).toBeNull()
    expect(whole).not.toBeNull()
    expect(own).toEqual(all)
    await held.close()
  })
})

describe('texts of the wire and of the configuration', () => {
  it('are text in HTML, and run nothing in a spreadsheet', async () => {
    const hostile = [
      '+1<img src=x onerror=alert(1)>5555555',
      '=cmd|calc',
      '@SUM(A1)',
      '"><script>alert(2)</script>',
      '-2+3+cmd',
    ]
    const calls = hostile.flatMap((number) =>
      Array.from({ length: 12 }, () =>
        attempt({
          carrier: 'charlie',
          site: '=1+1',
          direction: 'inbound',
          invitedAtUs: (WEEK_FROM_S - 20 * WEEK_S) * 1e6,
          calledNumber: number,
          requestUri: `sip:${number};rn=<b>x</b>@h`,
        }),
      ),
    )
    await store.add(calls)
    const week = '2026-W27'
    for (const path of ['/v1/carriers/charlie/scorecard', '/v1/scorecards']) {
      const page = (await ask(`${path}?week=${week}&format=html`)).body
      expect(page).not.toMatch(/<script|<img|onerror=alert\(1\)>/i)
      expect(page).toContain('=HYPERLINK(&quot;http://x.example&quot;')
      const table = (await ask(`${path}?week=${week}&format=csv`)).body
      for (const line of table.split('\r\n')) {
        for (const cell of line.match(/("([^"]|"")*"|[^,]*)/g) ?? []) {
          expect(cell).not.toMatch(/^"?[=+@\t\r]/)
          expect(cell).not.toMatch(/^"?-(?![\d.])/)
        }
      }
    }
    const card = await cardOf('charlie', week)
    expect(card.destinations).toMatchObject({ without_prefix: 60, most_attempts: [] })
    expect((await ask(`/scorecards?week=${week}`)).body).not.toContain('<script>alert')
  })

  it('a document has no script, nothing from elsewhere, and a policy that allows neither', async () => {
    const response = await ask('/v1/carriers/alpha/scorecard?format=html')
    expect(response.headers['content-security-policy']).toContain("default-src 'none'; style-src 'sha256-")
    expect(response.body).not.toMatch(/<script|href="http|src=/)
    const style = /<style>([\s\S]*)<\/style>/.exec(response.body)![1]!
    const hash = createHash('sha256').update(style).digest('base64')
    expect(response.headers['content-security-policy']).toContain(hash)
    expect(response.body.match(/<svg class="(spark|shares)"/g)!.length).toBeGreaterThan(20)
    expect(response.body).not.toMatch(/<svg class="(?:spark|shares)"(?![^>]*aria-label)/)
  })

  it('an id of an old configuration makes no header', () => {
    expect(fileName('a"\r\nSet-Cookie: x/../b')).toBe('a_Set-Cookie_x_b')
  })
})
