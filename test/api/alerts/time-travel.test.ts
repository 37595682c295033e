/**
 * A bad week, minute by minute: who is paged when metrics.md §8 says, and nobody otherwise. The oracle below is written from
 * the text of §8 and docs/alerts.md alone and shares no line with the product.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import type { AlertStore } from '../../../api/alerts/alert-store.js'
import { evaluateOnce } from '../../../api/alerts/alerting.js'
import type { TapAgent } from '../../../api/alerts/numbers.js'
import type { AlertRow } from '../../../api/alerts/state.js'
import type { AlertNotice } from '../../../schemas/alert-hook.js'
import { configSchema } from '../../../schemas/config.js'
import { type Lane, type Minute, SimulatedWeek } from './week.js'

const MONDAY_S = Date.parse('2026-11-16T00:00:00Z') / 1_000
const at = (day: number, hour: number, minute = 0) => MONDAY_S + day * 86_400 + hour * 3_600 + minute * 60
const SPAN = { fromS: at(-4, 0), toS: at(7, 0) }

const CONFIG = configSchema.parse({
  sites: [
    { id: 'dal', sbc: ['192.0.2.11/32'], agents: [1] },
    { id: 'fra', sbc: ['192.0.2.12/32'], agents: [2] },
  ],
  carriers: ['alpha', 'beta', 'gamma', 'delta', 'echo'].map((id, index) => ({
    id,
    peers: [`198.51.100.${index + 1}/32`],
    contacts: { escalation: `the desk of ${id}`, phone: '+1 215 555 0100' },
  })),
  maintenance: [
    {
      from: '2026-11-21T10:00:00Z',
      to: '2026-11-21T12:00:00Z',
      reason: 'new trunks',
      carriers: ['beta'],
      sites: ['dal'],
    },
  ],
  sinks: [{ id: 'pager', type: 'alertmanager', url: 'http://127.0.0.1:9093', allow_private: true }],
  alerts: { page_url: 'https://trunkscope.example' },
})

const within = (s: number, fromS: number, toS: number) => s >= fromS && s < toS

/** By day twenty a minute, at night one in ten minutes; of each thousand one is bad, as everywhere. */
function usual(minuteS: number, seed: number): Minute {
  const hour = ((minuteS / 3_600) % 24) | 0
  const minute = minuteS / 60
  const valid = hour >= 6 && hour < 23 ? 20 : minute % 10 === seed % 10 ? 1 : 0
  return { valid, bad: valid === 20 && (minute + seed) % 50 === 0 ? 1 : 0, incomplete: 0 }
}

const NOTHING: Minute = { valid: 0, bad: 0, incomplete: 0 }
const BLIND = { fromS: at(6, 9), toS: at(6, 10) }

const LANES: Lane[] = [
  // Tuesday 10:00, half an hour: alpha fails every call at dal, and none at fra.
  {
    carrier: 'alpha',
    site: 'dal',
    minuteAt: (s) => {
      const minute = usual(s, 1)
      return within(s, at(1, 10), at(1, 10, 30)) ? { ...minute, bad: minute.valid } : minute
    },
  },
  {
    carrier: 'alpha',
    site: 'fra',
    minuteAt: (s) => (within(s, BLIND.fromS, BLIND.toS) ? NOTHING : usual(s, 2)),
  },
  {
    carrier: 'beta',
    site: 'dal',
    minuteAt: (s) => {
      const minute = usual(s, 3)
      // Thursday 03:00: both calls of the hour fail. Saturday 10:00: nothing works, as announced.
      if (within(s, at(3, 3), at(3, 4)))
        return s === at(3, 3, 10) ? { valid: 2, bad: 2, incomplete: 0 } : NOTHING
      return within(s, at(5, 10), at(5, 12)) ? { ...minute, bad: minute.valid } : minute
    },
  },
  // Friday noon: sixty calls, the only ones of the week, and all of them fail.
  {
    carrier: 'gamma',
    site: 'dal',
    minuteAt: (s) => (within(s, at(4, 12), at(4, 13)) ? { valid: 1, bad: 1, incomplete: 0 } : NOTHING),
  },
  {
    carrier: 'delta',
    site: 'dal',
    // From Wednesday to Friday one call in a hundred fails: twice as fast as allowed.
    minuteAt: (s) => {
      const minute = usual(s, 5)
      return within(s, at(2, 6), at(4, 23))
        ? { ...minute, bad: minute.valid === 20 && (s / 60) % 5 === 0 ? 1 : 0 }
        : minute
    },
  },
  {
    carrier: 'echo',
    site: 'fra',
    // Sunday 08:56: calls fail, because the tap is dying; at 09:00 it is blind, until 10:00.
    minuteAt: (s) => {
      if (within(s, at(6, 9, 2), BLIND.toS)) return NOTHING
      const minute = usual(s, 6)
      return within(s, at(6, 8, 56), at(6, 9, 2)) ? { ...minute, bad: minute.valid } : minute
    },
  },
]

function tapsAt(untilS: number): TapAgent[] {
  const isBlind = within(untilS, BLIND.fromS, BLIND.toS)
  return [
    { agent: '192.0.2.11/1', site: 'dal', verdict: 'ok', why: '' },
    {
      agent: '192.0.2.12/2',
      site: 'fra',
      verdict: isBlind ? 'blind' : 'ok',
      why: isBlind ? 'no frame for 3 min' : '',
    },
  ]
}

// ---------------------------------------------------------------- the product, minute by minute

class MemoryStore implements AlertStore {
  rows = new Map<string, AlertRow>()
  failNext: (() => boolean) | undefined

  async read(): Promise<AlertRow[]> {
    return [...this.rows.values()].map((row) => JSON.parse(JSON.stringify(row)) as AlertRow)
  }

  async write(rows: readonly AlertRow[]): Promise<void> {
    if (this.failNext?.()) throw new Error('killed before it was stored')
    for (const row of rows) {
      const known = this.rows.get(row.key)
      if (known === undefined || row.version > known.version) this.rows.set(row.key, row)
    }
    if (this.failNext?.()) throw new Error('killed after it was stored')
  }
}

interface Told {
  atS: number
  status: string
  alert: string
  about: string
}

async function play(
  span: { fromS: number; toS: number },
  random?: () => number,
): Promise<{ told: Told[]; notices: AlertNotice[]; rows: AlertRow[] }> {
  let untilS = span.fromS
  const numbers = new SimulatedWeek(CONFIG, SPAN, LANES, () => tapsAt(untilS))
  const store = new MemoryStore()
  if (random !== undefined) store.failNext = () => random() < 0.2
  const notices = new Map<string, AlertNotice>()
  const outbox = {
    put: async (given: readonly AlertNotice[]) => {
      if (random !== undefined && random() < 0.2) throw new Error('killed before it was given')
      for (const notice of given) {
        const id = `${notice.key}.${notice.transition}`
        const known = notices.get(id)
        if (known !== undefined) expect(notice).toEqual(known)
        notices.set(id, notice)
      }
      if (random !== undefined && random() < 0.2) throw new Error('killed after it was given')
    },
  }
  for (; untilS < span.toS; untilS += 60) {
    const nowUs = untilS * 1e6 + 12e6
    for (let tries = 0; ; tries++) {
      try {
        await evaluateOnce({ config: CONFIG, numbers, store, outbox }, { nowUs, asOfUs: nowUs - 1e6 })
        break
      } catch (error) {
        if (random === undefined || tries > 100) throw error
      }
    }
  }
  return {
    told: [...notices.values()].map(toldOf).sort(inOrder),
    notices: [...notices.values()],
    rows: await store.read(),
  }
}

function toldOf({ status, labels, startsAtUs, endsAtUs }: AlertNotice): Told {
  return {
    atS: ((status === 'firing' ? startsAtUs : endsAtUs!) - 12e6) / 1e6,
    status,
    alert: labels.alertname!,
    about: [labels.carrier, labels.site, labels.agent].filter(Boolean).join(' '),
  }
}

const inOrder = (a: Told, b: Told) =>
  a.atS - b.atS || (`${a.alert} ${a.about} ${a.status}` < `${b.alert} ${b.about} ${b.status}` ? -1 : 1)

// ---------------------------------------------------------------- the oracle

const PAIRS = [
  { alert: 'SloBurnFast', long: 60, short: 5, burn: 14.4, badMin: 5, isPage: true },
  { alert: 'SloBurnSlow', long: 360, short: 30, burn: 6, badMin: 5, isPage: true },
  { alert: 'SloBudgetDrain', long: 4_320, short: 360, burn: 1, badMin: 3, isPage: false },
]

function oracle(span: { fromS: number; toS: number }): Told[] {
  const told: Told[] = []
  for (const carrier of ['alpha', 'beta', 'gamma', 'delta', 'echo']) {
    const minutes: Minute[] = []
    for (let s = SPAN.fromS; s < SPAN.toS; s += 60) {
      const here = LANES.filter((lane) => lane.carrier === carrier).map((lane) => {
        const announced = carrier === 'beta' && lane.site === 'dal' && within(s, at(5, 10), at(5, 12))
        return announced ? NOTHING : lane.minuteAt(s)
      })
      minutes.push({
        valid: here.reduce((n, m) => n + m.valid, 0),
        bad: here.reduce((n, m) => n + m.bad, 0),
        incomplete: 0,
      })
    }
    const states = PAIRS.map((pair) => ({
      pair,
      fires: false,
      lastTrue: 0,
      ended: Number.NEGATIVE_INFINITY,
    }))
    const [fast] = states
    for (let t = span.fromS; t < span.toS; t += 60) {
      // While fra is blind nothing is said of echo, that is only there, and of alpha only what dal shows (nothing).
      if (within(t, BLIND.fromS, BLIND.toS) && carrier === 'echo') continue
      for (const state of states) {
        const { pair } = state
        const long = counted(minutes, t, pair.long)
        const short = counted(minutes, t, pair.short)
        const holds =
          long.valid > 0 &&
          short.valid > 0 &&
          long.bad / long.valid / 0.005 >= pair.burn - 1e-9 &&
          short.bad / short.valid / 0.005 >= pair.burn - 1e-9 &&
          long.bad >= pair.badMin &&
          (!pair.isPage || wilsonLow(long.bad, long.valid) > 0.005)
        // One outage pages once: the slower page waits for the faster one to be over, and half an hour more.
        const isToldByFast = pair.alert === 'SloBurnSlow' && (fast!.fires || t - fast!.ended < 1_800)
        if (holds) state.lastTrue = t
        if (!state.fires && holds && !isToldByFast && t - state.ended >= 900) {
          state.fires = true
          told.push({ atS: t, status: 'firing', alert: pair.alert, about: carrier })
        } else if (state.fires && !holds && t - state.lastTrue >= 300) {
          state.fires = false
          state.ended = t
          told.push({ atS: t, status: 'resolved', alert: pair.alert, about: carrier })
        }
      }
    }
  }
  if (span.toS > BLIND.fromS) {
    const about = 'fra 192.0.2.12/2'
    told.push({ atS: BLIND.fromS, status: 'firing', alert: 'TapBlind', about })
    // Seen for the last time a minute before it is back, and believed after two more.
    told.push({ atS: BLIND.toS + 60, status: 'resolved', alert: 'TapBlind', about })
  }
  return told.sort(inOrder)
}

function counted(
  minutes: readonly Minute[],
  t: number,
  windowMinutes: number,
): { bad: number; valid: number } {
  let fromS = t - windowMinutes * 60
  if (windowMinutes >= 1_440) fromS -= fromS % 3_600
  let [bad, valid] = [0, 0]
  for (let i = (fromS - SPAN.fromS) / 60; i < (t - SPAN.fromS) / 60; i++) {
    bad += minutes[i]!.bad
    valid += minutes[i]!.valid
  }
  return { bad, valid }
}

function wilsonLow(bad: number, n: number): number {
  const [z, p] = [1.96, bad / n]
  return (
    (p + (z * z) / (2 * n) - z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / (1 + (z * z) / n)
  )
}

// ---------------------------------------------------------------- what must hold

const clock = ({ atS, ...rest }: Told) =>
  `${new Date(atS * 1_000).toISOString().slice(5, 16)} ${rest.status} ${rest.alert} ${rest.about}`

describe('a bad week', () => {
  let week: Awaited<ReturnType<typeof play>>
  beforeAll(async () => {
    week = await play({ fromS: at(0, 0), toS: at(7, 0) })
  }, 120_000)

  const first = (alert: string, about: string) =>
    week.notices.find(
      ({ labels, status }) => status === 'firing' && labels.alertname === alert && labels.carrier === about,
    )

  it('pages exactly when metrics.md §8 says, and not otherwise', () => {
    const expected = oracle({ fromS: at(0, 0), toS: at(7, 0) }).map(clock)
    expect(week.told.map(clock)).toEqual(expected)
    // The oracle has something to say: each trouble of the week is in it.
    expect(expected.length).toBeGreaterThan(8)
  })

  it('an outage at one site pages within minutes and names carrier, numbers, cause, samples, runbook and contact', () => {
    const notice = first('SloBurnFast', 'alpha')!
    expect(toldOf(notice).atS).toBeLessThan(at(1, 10, 12))
    expect(notice.severity).toBe('page')
    expect(notice.annotations.summary).toMatch(
      /^alpha: carrier-availability burns \d+(\.\d+)? times too fast: \d+ of \d+ bad in 1h \(.* 95 % interval .*\)/,
    )
    expect(notice.annotations.likely_cause).toBe(
      'alpha only: the other carriers of dal are fine, and alpha is fine at fra; ' +
        'too few calls to the same destinations to compare with other carriers',
    )
    expect(notice.annotations.sample_attempts).toBe('00000000000000000000000000000001')
    expect(notice.annotations.runbook_url).toBe('dashboards/runbooks/SloBurnFast.md#first-look')
    expect(notice.annotations.escalation).toBe('the desk of alpha · +1 215 555 0100')
    expect(notice.annotations.link).toContain('https://trunkscope.example/attempts?')
  })

  it('a slow burn opens a ticket and pages nobody', () => {
    const ofDelta = week.told.filter(({ about }) => about === 'delta')
    expect(ofDelta.map(({ alert, status }) => `${alert} ${status}`)).toContain('SloBudgetDrain firing')
    expect(ofDelta.filter(({ alert }) => alert !== 'SloBudgetDrain')).toEqual([])
  })

  it('two failed calls at night, and a maintenance that was announced, tell nobody', () => {
    expect(week.told.filter(({ about, atS }) => about === 'beta' && atS < at(6, 0))).toEqual([])
  })

  it('a carrier that fails all of its 60 calls pages, although so few calls show as insufficient data', () => {
    const notice = first('SloBurnFast', 'gamma')!
    expect(Number(notice.details.denominator)).toBeLessThan(100)
    expect(notice.annotations.summary).toContain('few calls')
  })

  it('a blind tap pages as what it is, and holds the alert that rests on it with the reason', async () => {
    expect(week.told.some(({ about }) => about === 'echo')).toBe(false)
    const untilBlind = await play({ fromS: at(6, 8), toS: at(6, 9, 5) })
    const held = untilBlind.rows.find(
      ({ labels }) => labels.carrier === 'echo' && labels.alertname === 'SloBurnFast',
    )
    expect(held).toMatchObject({
      state: 'pending',
      held: expect.stringMatching(/^the tap of fra is blind: 192.0.2.12\/2/),
    })
  })

  it('killed at any point and started again it tells the same', async () => {
    let seed = 7
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return seed / 2_147_483_648
    }
    const span = { fromS: at(1, 9, 50), toS: at(1, 12) }
    const [calm, killed] = [await play(span), await play(span, random)]
    expect(killed.told.map(clock)).toEqual(calm.told.map(clock))
    expect(calm.told.length).toBeGreaterThan(1)
  })
})

describe('vectors of metrics.md §8, from the numbers to the notice', () => {
  const told = async (long: { bad: number; valid: number }, short: { bad: number; valid: number }) => {
    const config = configSchema.parse({
      sites: [{ id: 'dal', sbc: ['192.0.2.11/32'] }],
      carriers: [{ id: 'alpha', peers: ['198.51.100.10/32'] }],
      slos: [{ id: 'three-nines', objective: 0.999, each: 'carrier' }],
      sinks: [{ id: 'pager', type: 'alertmanager', url: 'http://127.0.0.1:9093', allow_private: true }],
    })
    const t = at(0, 12)
    const lane: Lane = {
      carrier: 'alpha',
      site: 'dal',
      minuteAt: (s) => {
        if (s === t - 60) return { ...short, incomplete: 0 }
        if (s === t - 1_800)
          return { bad: long.bad - short.bad, valid: long.valid - short.valid, incomplete: 0 }
        // Of the other pairs nothing is said: enough good calls before that hour.
        return s === t - 18_000 ? { bad: 0, valid: 1_000_000, incomplete: 0 } : NOTHING
      },
    }
    const numbers = new SimulatedWeek(config, { fromS: at(-4, 0), toS: at(1, 0) }, [lane], () => [])
    const notices: AlertNotice[] = []
    const outbox = { put: async (given: readonly AlertNotice[]) => void notices.push(...given) }
    const nowUs = t * 1e6 + 12e6
    await evaluateOnce({ config, numbers, store: new MemoryStore(), outbox }, { nowUs, asOfUs: nowUs })
    return notices
  }

  it('L: 20 of 1,000 in an hour and 3 of 80 in five minutes burn 20 and 37.5: a page', async () => {
    const notices = await told({ bad: 20, valid: 1_000 }, { bad: 3, valid: 80 })
    expect(notices).toMatchObject([
      { rule: 'SloBurnFast', severity: 'page', status: 'firing', transition: 1, sinks: ['pager'] },
    ])
    expect(notices[0]!.details).toMatchObject({ burn_long: 20, burn_short: 37.5, interval_low: 0.012984 })
  })

  it('M: 1 of 40 is silent', async () => {
    expect(await told({ bad: 1, valid: 40 }, { bad: 1, valid: 4 })).toEqual([])
  })
})
