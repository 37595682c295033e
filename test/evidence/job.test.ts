/** The job over a real store: arrivals in any order, a leg that comes late, processes that take each other's lease. */
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { EvidenceJob, type EvidenceOptions } from '../../evidence/job.js'
import type { EvidencePass } from '../../evidence/pass.js'
import type { Attempt } from '../../schemas/attempt.js'
import { configSchema } from '../../schemas/config.js'
import { attempt, ENDED, NOON_US, TestStore } from '../api/support.js'
import { rowsOf } from '../support/engine.js'
import { judgeStored, recomputeMarked } from '../support/kpi-evidence.js'
import { differences, sumsOfAttempts, sumsOfRollups } from '../support/kpi-sums.js'

const config = configSchema.parse({})
let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
}, 60_000)
afterAll(() => store.close())

beforeEach(async () => {
  for (const table of [
    'call_attempts',
    'kpi_minute',
    'kpi_hour',
    'kpi_day',
    'rollup_freshness',
    'stale_minutes',
  ])
    await store.command(`TRUNCATE TABLE ${table}`)
  for (const table of ['attempt_verdicts', 'call_legs', 'evidence_leases'])
    await store.command(`TRUNCATE TABLE ${table}`)
})

const client = () => store.engine.writer
let nowMs = 0
function jobOf(changes: Partial<EvidenceOptions> = {}): EvidenceJob {
  return new EvidenceJob({
    client: client(),
    config: () => config,
    log: () => {},
    nowMs: () => {
      nowMs += 3_600_000
      return nowMs
    },
    ...changes,
  })
}

/** Under versions above those that a recompute wrote. */
async function add(...rows: Attempt[]): Promise<void> {
  store.version = (store.version | 0xffffn) + 1n
  await store.add(rows, Number(store.version))
}

const us = (seconds: number) => NOON_US + Math.round(seconds * 1e6)
const slow = (changes: Partial<Attempt> = {}) =>
  attempt({
    ...ENDED.preRing,
    invitedAtUs: us(0),
    cancelledAtUs: us(6),
    finalAtUs: us(6.05),
    ringBeforeCancelMs: null,
    ...changes,
  })
const answered = (invitedS: number, answeredS: number, changes: Partial<Attempt> = {}) =>
  attempt({
    invitedAtUs: us(invitedS),
    answeredAtUs: us(answeredS),
    finalAtUs: us(answeredS),
    carrier: 'beta',
    ...changes,
  })

const verdicts = () =>
  rowsOf(
    client(),
    `SELECT lower(hex(attempt_id)) AS id, toUInt32(minute) AS minute_s, pass, party, carrier, of_disposition, of_cancel_class,
       disposition, sli, ner_numerator, ner_denominator, cancel_class, verdict_rule, evidence
     FROM attempt_verdicts FINAL ORDER BY minute, id`,
  )
const legs = () =>
  rowsOf(
    client(),
    'SELECT lower(hex(attempt_id)) AS id, hex(call_key) AS call_key, rule, confidence FROM call_legs FINAL ORDER BY minute, id',
  )
const rollupProblems = async () => differences(await sumsOfAttempts(client()), await sumsOfRollups(client()))
const cancels = async () => {
  const [row] = await rowsOf<{ cancels: Record<string, string> }>(
    client(),
    'SELECT sumMap(cancels) AS cancels FROM kpi_minute FINAL',
  )
  return Object.fromEntries(Object.entries(row?.cancels ?? {}).filter(([, count]) => count !== '0'))
}

describe('evidence', () => {
  test('a leg that arrives a minute later revises the verdict, and its minutes are recomputed', async () => {
    const lost = slow()
    await add(lost)
    await judgeStored(client(), config)
    expect(await verdicts()).toEqual([])
    expect(await cancels()).toEqual({ PRE_RING_CANCEL: '1' })

    await add(answered(6.2, 12))
    await judgeStored(client(), config)
    expect(await verdicts()).toMatchObject([{ cancel_class: 'ROUTE_ADVANCE', sli: 'bad', pass: 'cancels' }])
    expect(await cancels()).toEqual({ ROUTE_ADVANCE: '1' })

    await add(answered(1, 6.5, { carrier: 'gamma' }))
    await judgeStored(client(), config)
    expect(await verdicts()).toMatchObject([{ cancel_class: 'ELSEWHERE', sli: 'excluded' }])
    expect(await cancels()).toEqual({ ELSEWHERE: '1' })
    expect(await rollupProblems()).toEqual([])
  })

  test('a verdict is void as soon as the fold says something else, and ends when the pass has looked', async () => {
    const lost = slow()
    await add(lost, answered(6.2, 12))
    await judgeStored(client(), config)
    await add({
      ...lost,
      ...ENDED.busy,
      cancelledAtUs: 0,
      cancelClass: '',
      sli: 'good',
      nerNumerator: 1,
      rang: true,
    })
    expect(await cancels()).toEqual({})
    expect(await rollupProblems()).toEqual([])
    await judgeStored(client(), config)
    expect(await verdicts()).toEqual([])
  })

  test('an attempt that moves to another minute takes its verdict along', async () => {
    const lost = slow({ invitedAtUs: us(1), cancelledAtUs: us(6) })
    const next = answered(6.2, 12)
    await add(lost, next)
    await judgeStored(client(), config)
    const [before] = await verdicts()
    // The row of before ends as the store does it.
    await store.command(
      `INSERT INTO call_attempts (minute, attempt_id, version, is_deleted, stored_at) SELECT minute, attempt_id, version + 1, 1, now() FROM call_attempts FINAL WHERE attempt_id = toFixedString(unhex('${lost.attemptId}'), 16)`,
    )
    const moved = { ...lost, invitedAtUs: us(-1), minuteS: lost.minuteS - 60 }
    await add({ ...moved }, { ...next })
    await judgeStored(client(), config)
    expect(await verdicts()).toMatchObject([
      { minute_s: Number(before?.minute_s) - 60, cancel_class: 'ROUTE_ADVANCE' },
    ])
    expect(await rollupProblems()).toEqual([])
  })

  test('whatever arrives in which order, and in which rounds it is judged: the same verdicts and legs in the end', async () => {
    const CASES = 8
    /** Of numbers that are called in no other case. */
    const caseOf = (at: number) => {
      const of = (place: number) => `+1215555${place}${String(at).padStart(3, '0')}`
      const called = { calledNumber: of(1), dialledNumber: of(1), callingNumber: of(2), fromNumber: of(2) }
      const others = { ...called, callingNumber: of(3), fromNumber: of(3) }
      return [
        slow(called),
        answered(6.2, 12, called),
        answered(0.5, 5.5, { ...others, carrier: 'gamma' }),
        slow(others),
        attempt({
          ...called,
          invitedAtUs: us(70),
          finalAtUs: us(71),
          answeredAtUs: 0,
          finalCode: 404,
          disposition: 'INVALID_NUMBER',
          sli: 'excluded',
          nerNumerator: 0,
        }),
        attempt({
          ...called,
          invitedAtUs: us(-0.2),
          direction: 'inbound',
          party: 'customer',
          carrier: '',
          customer: 'desk',
          answeredAtUs: us(12),
          finalAtUs: us(12),
        }),
      ]
    }
    // Many at once: a round costs the same.
    const all = Array.from({ length: CASES }, (_, at) => caseOf(at)).flat()
    const anyRound = fc.integer({ min: 0, max: 1 })
    let expected: unknown
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRound, { minLength: all.length, maxLength: all.length }),
        async (roundOf) => {
          for (const table of [
            'call_attempts',
            'kpi_minute',
            'stale_minutes',
            'attempt_verdicts',
            'call_legs',
            'evidence_leases',
          ])
            await store.command(`TRUNCATE TABLE ${table}`)
          for (const round of [0, 1]) {
            await add(...all.filter((_, at) => roundOf[at] === round))
            await judgeStored(client(), config)
          }
          const found = { verdicts: await verdicts(), legs: await legs() }
          expected ??= found
          expect(found).toEqual(expected)
          expect(await rollupProblems()).toEqual([])
        },
      ),
      { numRuns: 2 },
    )
    expect((expected as { verdicts: unknown[] }).verdicts).toHaveLength(3 * CASES)
  }, 120_000)

  test('a round in which nothing changed writes nothing', async () => {
    await add(slow(), answered(6.2, 12))
    await judgeStored(client(), config)
    const before = await rowsOf(client(), 'SELECT count() AS n FROM attempt_verdicts')
    await add(slow({ callingNumber: '+12155550999', fromNumber: '+12155550999' }))
    await judgeStored(client(), config)
    expect(await rowsOf(client(), 'SELECT count() AS n FROM attempt_verdicts')).toEqual(before)
  })
})

describe('the lease', () => {
  test('of two processes one runs the passes; when it lets go the other takes over', async () => {
    const [one, two] = [jobOf(), jobOf()]
    await one.round()
    await two.round()
    expect([one.status.isLeader, two.status.isLeader]).toEqual([true, false])
    await one.stop()
    await two.round()
    expect(two.status.isLeader).toBe(true)
    await two.stop()
  })

  test('a process that was thought dead and wakes up changes nothing', async () => {
    let isHung = true
    let wakeUp = () => {}
    const hangs = new Promise<void>((resolve) => {
      wakeUp = resolve
    })
    // It hangs before its first row of verdicts.
    const hanging = new Proxy(client(), {
      get(target, name, receiver) {
        if (name !== 'command') return Reflect.get(target, name, receiver)
        return async (asked: { query: string }) => {
          if (isHung && asked.query.includes('INSERT INTO attempt_verdicts')) await hangs
          return target.command(asked)
        }
      },
    })
    const late = answered(6.2, 12)
    await add(slow(), late)
    const zombie = jobOf({ client: hanging })
    const round = zombie.round()
    await expect
      .poll(async () => JSON.stringify(await rowsOf(client(), 'SELECT progress FROM evidence_leases')), {
        timeout: 20_000,
      })
      .toContain('minuteS')
    // Meanwhile the evidence is gone: it was another number.
    await add({ ...late, callingNumber: '+12155550888', fromNumber: '+12155550888' })
    const successor = jobOf({ leaseMs: 0 })
    await successor.round()
    expect(await verdicts()).toEqual([])

    isHung = false
    wakeUp()
    await round
    expect(zombie.status.isLeader).toBe(false)
    await recomputeMarked(client())
    await successor.round()
    await recomputeMarked(client())
    expect(await verdicts()).toEqual([])
    expect(await cancels()).toEqual({ PRE_RING_CANCEL: '1' })
    await successor.stop()
  }, 60_000)

  test('whoever holds it says that it lives while it rests, until it stops; asked to stop it begins no other window', async () => {
    let beats = 0
    const counting = new Proxy(client(), {
      get(target, name, receiver) {
        if (name !== 'command') return Reflect.get(target, name, receiver)
        return (asked: { query: string }) => {
          if (asked.query.includes('INSERT INTO evidence_leases')) beats++
          return target.command(asked)
        }
      },
    })
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      let windows = 0
      let stopped: Promise<void> | undefined
      const pass: EvidencePass = {
        id: 'stopped',
        reachS: 0,
        settleS: 0,
        everyS: 0,
        run: async () => {
          windows++
          stopped = job.stop()
          return { rows: 0, changedMinutesS: [] }
        },
      }
      const job = jobOf({ client: counting, passes: [pass] })
      await job.round()
      const before = beats
      vi.advanceTimersByTime(60_000)
      await expect.poll(() => beats - before).toBe(6)
      await add(slow(), slow({ invitedAtUs: us(600), cancelledAtUs: us(606), finalAtUs: us(606.05) }))
      await job.round()
      await stopped
      expect(windows).toBe(1)
      const after = beats
      vi.advanceTimersByTime(60_000)
      expect(beats).toBe(after)
    } finally {
      vi.useRealTimers()
    }
  })

  test('one that dies between its rows and their marks leaves them to its successor', async () => {
    const dying = new Proxy(client(), {
      get(target, name, receiver) {
        if (name !== 'command') return Reflect.get(target, name, receiver)
        return async (asked: { query: string }) => {
          if (asked.query.includes('INSERT INTO stale_minutes')) throw new Error('killed')
          return target.command(asked)
        }
      },
    })
    await add(slow(), answered(6.2, 12))
    await expect(jobOf({ client: dying }).round()).rejects.toThrow('killed')
    expect(await cancels()).toEqual({ PRE_RING_CANCEL: '1' })
    const successor = jobOf({ leaseMs: 0 })
    await successor.round()
    await recomputeMarked(client())
    expect(await cancels()).toEqual({ ROUTE_ADVANCE: '1' })
    expect(await rollupProblems()).toEqual([])
    await successor.stop()
  })

  test('a pass that fails is asked again for the same minutes', async () => {
    let runs = 0
    const seen: number[][] = []
    const pass: EvidencePass = {
      id: 'fails_once',
      reachS: 60,
      settleS: 0,
      everyS: 0,
      run: async ({ minutesS }) => {
        runs++
        if (runs === 1) throw new Error('the store is away')
        seen.push([...minutesS])
        return { rows: 0, changedMinutesS: [] }
      },
    }
    const lost = slow()
    await add(lost)
    const job = jobOf({ passes: [pass] })
    await expect(job.round()).rejects.toThrow('the store is away')
    await job.round()
    expect(seen).toEqual([[lost.minuteS]])
    await job.stop()
  })

  test('a pass that asks for too much, or fails by itself, leaves these minutes out; the others go on, and the connection has no limit afterwards', async () => {
    const seen: string[] = []
    const said: string[] = []
    const passOf = (id: string, run: EvidencePass['run']): EvidencePass => ({
      id,
      reachS: 60,
      settleS: 0,
      everyS: 0,
      run: async (window, context) => {
        seen.push(id)
        return run(window, context)
      },
    })
    const nothing = { rows: 0, changedMinutesS: [] }
    const job = jobOf({
      log: (_, sentence) => said.push(sentence),
      passes: [
        passOf('too_dear', async (_, context) => {
          await context.client.query({
            query: "SELECT length(groupArray(repeat('x', 50000000 + number))) FROM numbers(100)",
          })
          return nothing
        }),
        passOf('mistaken', async () => {
          throw new TypeError('x is not a function')
        }),
        passOf('good', async () => nothing),
      ],
    })
    await add(slow())
    await job.round()
    await job.round()
    expect(seen).toEqual(['too_dear', 'mistaken', 'good'])
    expect([...job.status.leftOut]).toEqual([
      ['too_dear', 1],
      ['mistaken', 1],
    ])
    expect(said.join('\n')).toMatch(/the pass too_dear leaves out 1 minutes .*memory limit/i)
    const limits = "getSetting('max_execution_time') AS time, getSetting('max_memory_usage') AS memory"
    expect(await rowsOf(client(), `SELECT ${limits}`)).toEqual([{ time: 0, memory: 0 }])
    await job.stop()
  }, 60_000)
})
