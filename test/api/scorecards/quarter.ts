/**
 * A simulated quarter: fourteen weeks up to 2026-W47 of six carriers, with the seasons of a week and a day, one incident and
 * one range of numbers that was ported. The same attempts every time.
 *
 *   alpha    large and good                         bravo   an hour of 503s on the Wednesday of W47
 *   charlie  small: low confidence                  delta   too small to be rated
 *   echo     +1312555 was ported away in W42; what is still routed to the old place gives 404
 *   foxtrot  had calls up to W45, and none since
 */
import { SeededRandom } from '../../../bin/demo/seeded-random.js'
import { recomputeDays, recomputeHours } from '../../../collector/store/hours.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, ENDED, endedCall, type TestStore } from '../support.js'

/** 2026-11-16T00:00:00Z, the Monday of W47. */
export const WEEK_FROM_S = 1_794_787_200
export const WEEK_S = 7 * 86_400
export const WEEKS = 14
/** Five minutes past the end of W47. */
export const NOW_S = WEEK_FROM_S + WEEK_S + 300
export const INCIDENT_S = WEEK_FROM_S + 2 * 86_400 + 12 * 3_600

export const CARRIERS = ['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot'] as const
export type Carrier = (typeof CARRIERS)[number]

export const QUARTER_CONFIG = configSchema.parse({
  sites: [
    { id: 'dal', sbc: ['192.0.2.11/32'], agents: [2001] },
    { id: 'fra', sbc: ['192.0.2.12/32'], agents: [2002] },
  ],
  carriers: CARRIERS.map((id, index) => ({
    id,
    // Whoever writes a configuration may paste anything into a name.
    name:
      id === 'charlie' ? '=HYPERLINK("http://x.example","<script>alert(1)</script>")' : `The ${id} carrier`,
    peers: [{ cidr: `198.51.100.${10 + index}/32`, site: 'dal' }],
    ...(id === 'alpha'
      ? { targets: { asr: 0.45, seer: 0.99, ner: 0.998, pdd_p95_s: 9, acd_s: 100_000, rate_5xx: 0.5 } }
      : {}),
  })),
})

const PER_WEEK: Record<Carrier, number> = {
  alpha: 900,
  bravo: 700,
  charlie: 220,
  delta: 60,
  echo: 500,
  foxtrot: 120,
}
const PREFIXES = ['+1215555', '+1312555', '+4969955', '+4420794', '+1773555', '+3314200'] as const

type Kind =
  | keyof typeof ENDED
  | 'answered'
  | 'notFound'
  | 'elsewhere'
  | 'routeAdvance'
  | 'redirected'
  | 'timeout'
  | 'blocked'
  | 'identity'
  | 'incomplete'

const KINDS: Record<Exclude<Kind, keyof typeof ENDED | 'answered'>, Partial<Attempt>> = {
  notFound: {
    ...ENDED.congestion,
    finalCode: 404,
    finalPhrase: 'Not Found',
    disposition: 'INVALID_NUMBER',
    sli: 'excluded',
  },
  redirected: {
    ...ENDED.congestion,
    finalCode: 302,
    disposition: 'REDIRECT',
    sli: 'excluded',
    nerDenominator: 0,
  },
  timeout: { ...ENDED.congestion, finalCode: 0, finalAtUs: 0, disposition: 'TIMEOUT', failDelayMs: null },
  blocked: { ...ENDED.congestion, finalCode: 608, disposition: 'BLOCKED', sli: 'excluded' },
  identity: { ...ENDED.congestion, finalCode: 438, disposition: 'IDENTITY', sli: 'excluded' },
  elsewhere: {
    ...ENDED.preRing,
    disposition: 'ELSEWHERE',
    cancelClass: 'ELSEWHERE',
    sli: 'excluded',
    nerDenominator: 0,
  },
  routeAdvance: { ...ENDED.preRing, cancelClass: 'ROUTE_ADVANCE' },
  incomplete: {
    state: 'incomplete',
    finalCode: 0,
    finalAtUs: 0,
    answeredAtUs: 0,
    disposition: '',
    sli: '',
    nerNumerator: 0,
    nerDenominator: 0,
  },
}

/** Shares of what does not go well; the rest is answered, busy or abandoned. */
const TROUBLE: Record<Carrier, readonly (readonly [Kind, number])[]> = {
  alpha: [
    ['congestion', 0.002],
    ['redirected', 0.01],
    ['incomplete', 0.01],
    ['identity', 0.001],
  ],
  bravo: [
    ['congestion', 0.01],
    ['preRing', 0.005],
    ['elsewhere', 0.01],
    ['routeAdvance', 0.005],
    ['blocked', 0.01],
    ['incomplete', 0.02],
  ],
  charlie: [
    ['preRing', 0.01],
    ['timeout', 0.01],
  ],
  delta: [['congestion', 0.02]],
  echo: [
    ['notFound', 0.005],
    ['congestion', 0.01],
  ],
  foxtrot: [['congestion', 0.01]],
}

/** @returns the attempts of one week; 0 is the oldest, WEEKS - 1 is W47 */
export function attemptsOfWeek(week: number): Attempt[] {
  const random = new SeededRandom(`quarter ${week}`)
  const fromS = WEEK_FROM_S - (WEEKS - 1 - week) * WEEK_S
  return CARRIERS.flatMap((carrier, index) => {
    if (carrier === 'foxtrot' && week > WEEKS - 3) return []
    const season = 1 + 0.15 * Math.sin((week / WEEKS) * 2 * Math.PI)
    return Array.from({ length: Math.round(PER_WEEK[carrier] * season) }, () => {
      // Fewer calls at the week-end; three busy hours a day.
      const day =
        random.fraction() < 0.9 ? Math.floor(random.fraction() * 5) : 5 + Math.floor(random.fraction() * 2)
      const hour = [9, 12, 18][Math.floor(random.fraction() * 3)]!
      const invitedS = fromS + day * 86_400 + hour * 3_600 + Math.floor(random.fraction() * 4) * 900
      return callOf(random, carrier, index, week, invitedS)
    })
  })
}

function callOf(
  random: SeededRandom,
  carrier: Carrier,
  index: number,
  week: number,
  invitedS: number,
): Attempt {
  const isIncident = carrier === 'bravo' && invitedS >= INCIDENT_S && invitedS < INCIDENT_S + 3_600
  const prefix = PREFIXES[Math.floor(random.fraction() * PREFIXES.length)]!
  const called = `${prefix}${String(Math.floor(random.fraction() * 10_000)).padStart(4, '0')}`
  const isPorted = carrier === 'echo' && week >= 8 && prefix === '+1312555'
  const isOldRoute = isPorted && random.fraction() < 0.4
  const kind = isOldRoute
    ? 'notFound'
    : isIncident && random.fraction() < 0.8
      ? 'congestion'
      : kindOf(random, carrier)
  const invitedAtUs = invitedS * 1e6 + Math.floor(random.fraction() * 59e6)
  const pddMs = Math.round(300 + random.fraction() * 2_500 + (random.fraction() < 0.03 ? 6_000 : 0))
  const hasPdd = kind === 'answered' || kind === 'busy' || kind === 'abandoned'
  return attempt({
    carrier,
    site: random.fraction() < 0.7 ? 'dal' : 'fra',
    direction: random.fraction() < 0.8 ? 'outbound' : 'inbound',
    farAddress: `198.51.100.${10 + index}`,
    attestation: (['A', 'A', 'B', 'C', 'none'] as const)[Math.floor(random.fraction() * 5)]!,
    calledNumber: called,
    dialledNumber: called,
    requestUri:
      isPorted && !isOldRoute
        ? `sip:${called};npdi;rn=+1-773-555-0000@198.51.100.9;user=phone`
        : `sip:${called}@198.51.100.9;user=phone`,
    ...(kind === 'answered' ? endedCall(invitedAtUs, Math.floor(random.fraction() ** 2 * 240_000)) : {}),
    invitedAtUs,
    ...(kind === 'answered'
      ? {}
      : kind in ENDED
        ? ENDED[kind as keyof typeof ENDED]
        : KINDS[kind as keyof typeof KINDS]),
    pddMs: hasPdd ? pddMs : null,
  })
}

function kindOf(random: SeededRandom, carrier: Carrier): Kind {
  let left = random.fraction()
  for (const [kind, share] of TROUBLE[carrier]) {
    left -= share
    if (left < 0) return kind
  }
  const rest = random.fraction()
  return rest < 0.62 ? 'answered' : rest < 0.8 ? 'busy' : 'abandoned'
}

export interface Quarter {
  /** By week, the oldest first. */
  weeks: Attempt[][]
}

/** Stores the quarter as the store does: attempts, minutes, hours, days. */
export async function storeQuarter(store: TestStore): Promise<Quarter> {
  const weeks = Array.from({ length: WEEKS }, (_, week) => attemptsOfWeek(week))
  for (const week of weeks) await store.add(week)
  const minutes = weeks
    .flat()
    .flatMap(({ minuteS, endMinuteS }) => (endMinuteS > 0 ? [minuteS, endMinuteS] : [minuteS]))
  const starts = (lengthS: number) =>
    [...new Set(minutes.map((atS) => atS - (atS % lengthS)))].sort((a, b) => a - b)
  store.version += 1n
  await recomputeHours(store.engine.writer, [0], starts(3_600), store.version)
  await recomputeDays(store.engine.writer, [0], starts(86_400), store.version)
  return { weeks }
}
