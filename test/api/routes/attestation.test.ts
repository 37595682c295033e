import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type AttestationAnswer,
  type AttestationGroup,
  attestationAnswer,
  LEVELS,
} from '../../../api/attestation/attestation.js'
import type { App } from '../../../api/deps.js'
import { wilsonInterval } from '../../../api/kpi/interval.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, CONFIG, ENDED, endedCall, get, HOUR, NOON, NOON_US, ONE, TestStore } from '../support.js'

const WEEK_US = 604_800e6
const DIRECTIONS = ['inbound', 'outbound'] as const

let store: TestStore
let app: App
let calls: Attempt[]

const refused = (finalCode: number, disposition: string): Partial<Attempt> => ({
  ...ENDED.busy,
  finalCode,
  disposition: disposition as Attempt['disposition'],
})
/** One after the other, so that every level meets every ending. */
const ENDINGS: readonly Partial<Attempt>[] = [
  {},
  ENDED.busy,
  ENDED.abandoned,
  ENDED.preRing,
  refused(603, 'REJECTED'),
  refused(603, 'BLOCKED'),
  refused(607, 'REJECTED'),
  refused(608, 'BLOCKED'),
  refused(438, 'IDENTITY'),
  refused(302, 'REDIRECT'),
  { ...ENDED.abandoned, cancelClass: 'ELSEWHERE', disposition: 'ELSEWHERE' },
]

function call(at: number, weekUs: number): Attempt {
  const invitedAtUs = NOON_US + at * 4.5e6 - weekUs
  const ending = ENDINGS[at % 11]!
  const isAnswered = at % 11 === 0
  return attempt({
    // Some calls end after the hour: they count all the same.
    ...(isAnswered ? endedCall(invitedAtUs, (at % 4) * 3_000) : { invitedAtUs }),
    ...ending,
    carrier: at % 3 === 0 ? 'beta' : 'alpha',
    direction: DIRECTIONS[at % 2]!,
    site: at % 7 === 0 ? 'fra' : 'dal',
    // A week ago nothing was malformed, and more was A.
    attestation: LEVELS[weekUs === 0 ? (at * 7) % 5 : Math.max(0, ((at * 7) % 9) - 5)]!,
    ...(at % 29 === 3 ? { state: 'open' as const } : {}),
    ...(at % 31 === 3 ? { state: 'incomplete' as const } : {}),
    ...(at % 37 === 3 ? { invited: false } : {}),
    ...(at % 41 === 3 ? { party: 'customer' as const, carrier: '', customer: 'castor' } : {}),
  })
}

beforeAll(async () => {
  store = await TestStore.open()
  calls = [0, WEEK_US].flatMap((weekUs) => Array.from({ length: 800 }, (_, at) => call(at, weekUs)))
  await store.add(calls)
  app = await store.app()
})
afterAll(async () => {
  await app.close()
  await store.close()
})

/** What is to be counted, said a second time. */
function counted(weekUs: number, keep: (one: Attempt) => boolean): Attempt[] {
  return calls.filter(
    (one) =>
      one.state === 'closed' &&
      one.invited &&
      (one.party === 'carrier' || one.party === 'unknown') &&
      one.invitedAtUs >= NOON_US - weekUs &&
      one.invitedAtUs < NOON_US - weekUs + 3_600e6 &&
      keep(one),
  )
}

async function ask(query = HOUR): Promise<AttestationAnswer> {
  const { status, body } = await get<AttestationAnswer>(app, `/v1/attestation?${query}`)
  expect(status).toBe(200)
  return attestationAnswer.parse(body)
}

function expectGroup(group: AttestationGroup, keep: (one: Attempt) => boolean): void {
  const [now, then] = [counted(0, keep), counted(WEEK_US, keep)]
  expect(group.attempts).toBe(now.length)
  for (const level of LEVELS) {
    const { count, share, before, change } = group.levels[level]
    const own = now.filter(({ attestation }) => attestation === level).length
    const earlier = then.filter(({ attestation }) => attestation === level).length
    expect([level, count, share.denominator]).toEqual([level, own, now.length])
    expect(share.value).toBe(own / now.length)
    expect([before?.numerator, before?.denominator]).toEqual([earlier, then.length])
    const [low, high] = wilsonInterval(own, now.length)!
    expect(share.interval![0]).toBeCloseTo(low, 6)
    expect(share.interval![1]).toBeCloseTo(high, 6)
    const [thenLow, thenHigh] = wilsonInterval(earlier, then.length)!
    expect(change).toBe(low > thenHigh ? 'higher' : high < thenLow ? 'lower' : 'not_significant')
  }
}

describe('/v1/attestation', () => {
  it('gives the shares that an independent count of the attempts gives, with the week before', async () => {
    const answer = await ask()
    expect(answer).toMatchObject({ from: NOON, to: ONE, verified: false, step_s: null })
    expect(answer.before).toEqual({ from: '2026-11-13T12:00:00Z', to: '2026-11-13T13:00:00Z' })
    expect(answer.groups.map(({ by }) => `${by.carrier} ${by.direction}`)).toEqual([
      'alpha inbound',
      'alpha outbound',
      'beta inbound',
      'beta outbound',
    ])
    for (const group of answer.groups) {
      expectGroup(group, (one) => one.carrier === group.by.carrier && one.direction === group.by.direction)
    }
    expect(answer.directions.map(({ by }) => by.direction)).toEqual([...DIRECTIONS])
    for (const group of answer.directions) expectGroup(group, (one) => one.direction === group.by.direction)
    const changes = answer.directions.map(({ levels }) => [levels.A.change, levels.malformed.change])
    expect(changes).toEqual([
      ['lower', 'higher'],
      ['lower', 'higher'],
    ])
  })

  it('gives the endings of each level as an independent count does', async () => {
    const { outcomes, directions } = await ask()
    expect(outcomes).toHaveLength(10)
    for (const { by, attempts, responses, ...ratios } of outcomes!) {
      const own = counted(0, (one) => one.direction === by.direction && one.attestation === by.level)
      const times = (is: (one: Attempt) => boolean) => own.filter(is).length
      const code = (status: number) => times(({ finalCode }) => finalCode === status)
      expect(attempts).toBe(own.length)
      expect(attempts).toBe(
        directions.find((group) => group.by.direction === by.direction)!.levels[by.level].count,
      )
      expect(responses).toEqual({ 603: code(603), 607: code(607), 608: code(608) })
      const answered = times(({ disposition }) => disposition === 'ANSWERED')
      const redirected = times(({ disposition }) => disposition === 'REDIRECT')
      const elsewhere = times(({ cancelClass }) => cancelClass === 'ELSEWHERE')
      const expected = {
        asr: [answered, own.length - redirected, redirected],
        rate_487: [code(487) - elsewhere, own.length - elsewhere, elsewhere],
        short_call_rate: [
          times(
            (one) => one.disposition === 'ANSWERED' && one.durationMs !== null && one.durationMs <= 6_000,
          ),
          times((one) => one.disposition === 'ANSWERED' && one.durationMs !== null),
          0,
        ],
        blocked_rate: [times(({ disposition }) => disposition === 'BLOCKED'), own.length, 0],
        identity_rate: [times(({ disposition }) => disposition === 'IDENTITY'), own.length, 0],
      }
      for (const [name, [numerator, denominator, excluded]] of Object.entries(expected)) {
        const ratio = ratios[name as keyof typeof ratios]
        expect([name, ratio]).toMatchObject([name, { numerator, denominator, excluded }])
        expect(ratio.interval === null).toBe(denominator === 0)
      }
    }
  })

  it('gives a series whose steps add up, and keeps to carrier, site and direction', async () => {
    const answer = await ask(`${HOUR}&step=600&carrier=alpha&site=dal&direction=inbound`)
    expect(answer.groups).toHaveLength(1)
    const [group] = answer.groups
    expectGroup(group!, (one) => one.carrier === 'alpha' && one.site === 'dal' && one.direction === 'inbound')
    expect(group!.series).toHaveLength(6)
    for (const level of LEVELS) {
      expect(group!.series!.reduce((sum, { counts }) => sum + counts[level], 0)).toBe(
        group!.levels[level].count,
      )
    }
    expect(answer.outcomes!.every(({ by }) => by.direction === 'inbound')).toBe(true)
  })

  it('is empty where there are no calls, and has no interval to compare with', async () => {
    const answer = await ask('from=2026-11-19T12:00:00Z&to=2026-11-19T13:00:00Z')
    expect(answer).toMatchObject({ groups: [], directions: [], outcomes: [] })
    const first = await ask('from=2026-11-13T12:00:00Z&to=2026-11-13T13:00:00Z')
    expect(first.directions[0]!.levels.A).toMatchObject({
      before: { value: null, reason: 'no_traffic' },
      change: 'no_test',
    })
  })

  it('says so where the week before, or the attempts, are not kept any more', async () => {
    const nowMs = () => Date.parse(ONE)
    const config = configSchema.parse({ ...CONFIG, retention: { minutes_days: 3 } })
    const short = await store.app({ config, nowMs })
    const body = async (from: App, query: string) =>
      (await get<AttestationAnswer>(from, `/v1/attestation?${query}`)).body
    // Of cut hours only whole ones are left.
    expect(await body(short, `from=2026-11-20T12:10:00Z&to=${ONE}`)).toMatchObject({ before: null })
    expect((await body(short, HOUR)).before).not.toBeNull()
    const later = await store.app({
      config: configSchema.parse({ ...CONFIG, retention: { attempts_months: 1 } }),
      nowMs: () => Date.parse('2026-12-31T00:00:00Z'),
    })
    expect(await body(later, HOUR)).toMatchObject({ outcomes: null, outcomes_reason: 'not_kept' })
    await short.close()
    await later.close()
  })

  it('refuses what makes no sense, with what to write instead', async () => {
    for (const [query, code] of [
      ['carrier=alpa', 'TRUNKSCOPE_API_UNKNOWN_CARRIER'],
      ['direction=up', 'TRUNKSCOPE_API_BAD_VALUE'],
      ['step=61', 'TRUNKSCOPE_API_BAD_NUMBER'],
      ['from=2026-11-20T12:00:30Z', 'TRUNKSCOPE_API_NOT_WHOLE_MINUTES'],
      ['level=A', 'TRUNKSCOPE_API_UNKNOWN_PARAMETER'],
    ]) {
      const { status, body } = await get<{ code: string }>(app, `/v1/attestation?${query}`)
      expect([query, status, body.code]).toEqual([query, 400, code])
    }
  })
})

describe('the page at /attestation', () => {
  const pageOf = async (url: string) => (await app.inject({ url })).body

  it('shows the numbers of the api, their doubt, and that nothing is verified', async () => {
    const page = await pageOf(`/attestation?${HOUR}`)
    const { directions, outcomes } = await ask()
    for (const { levels } of directions) {
      const { numerator, denominator } = levels.A.share
      expect(page).toContain(`${numerator} of ${denominator}; 95\u202f% interval`)
    }
    for (const { asr } of outcomes!) expect(page).toContain(`${asr.numerator} of ${asr.denominator}`)
    expect(page).toContain('decoded, not verified')
    expect(page).toContain('then, now lower')
    expect(page).toContain('Beta &lt;b&gt;Networks&lt;/b&gt;')
    expect(page).toContain('No call in this range: silent.')
    expect(page).toMatch(/href="\/attempts\?direction=inbound&amp;attestation=A&amp;state=closed/)
  })

  it('is about one carrier where that is asked for, and keeps it in its links', async () => {
    const page = await pageOf(`/attestation?${HOUR}&carrier=beta`)
    expect(page).toContain('/attestation?last=6h&amp;carrier=beta')
    expect(page).toContain('all carriers')
    expect(page).not.toContain('Alpha Telecom</a></th>')
  })

  it('says so when there is nothing', async () => {
    expect(await pageOf('/attestation?from=2026-11-19T12:00:00Z&to=2026-11-19T13:00:00Z')).toContain(
      'No attempt was seen in this range.',
    )
  })
})
