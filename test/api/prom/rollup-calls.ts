/**
 * Calls of three days in a real store, summed into hours and days, and a source over them; each test file seeds its own.
 */
import { RollupSource } from '../../../api/prom/rollup-source.js'
import type { Matcher, Series, SeriesRequest } from '../../../api/prom/series.js'
import { Readers } from '../../../api/readers.js'
import { sumDue } from '../../../collector/store/hours.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { keptOf } from '../../../schemas/retention.js'
import { attempt, CONFIG, ENDED, endedCall, TestStore } from '../support.js'

/** 2026-11-16T00:00:00Z. */
export const MONDAY_S = 1_794_787_200
export const DAY_S = 86_400
const END_S = MONDAY_S + 8 * DAY_S

export type Wanted = Partial<SeriesRequest> & {
  metric?: string | undefined
  matchers?: Matcher[]
  atS?: number
}

export const requestOf = ({ metric, matchers = [], atS = END_S, ...rest }: Wanted): SeriesRequest => ({
  selector: { metric, matchers, at: 1 },
  grid: { startS: atS, endS: atS, stepS: 60 },
  offsetS: 0,
  windowS: rest.over === 'last' ? undefined : 300,
  over: 'increase',
  ...rest,
})

export const is = (label: string, value: string): Matcher => ({ label, op: '=', value })

export class RollupCalls {
  readonly store: TestStore
  readonly readers: Readers
  readonly calls: Attempt[]

  private constructor(store: TestStore, calls: Attempt[]) {
    this.store = store
    this.readers = new Readers(store.engine.readers)
    this.calls = calls
  }

  static async seed(): Promise<RollupCalls> {
    const store = await TestStore.open()
    return new RollupCalls(store, await seed(store))
  }

  /** @param grains 'minute': minutes only */
  source(servedUntilS = END_S, grains?: 'minute'): RollupSource {
    return new RollupSource({
      readers: this.readers,
      config: CONFIG,
      servedUntilS,
      ...(grains === undefined ? {} : { grains }),
    })
  }

  async read(wanted: Wanted, source = this.source()): Promise<Series[]> {
    return (await source.read(requestOf(wanted))).series
  }
}

async function seed(store: TestStore): Promise<Attempt[]> {
  const kinds = [
    ENDED.busy,
    ENDED.abandoned,
    ENDED.preRing,
    ENDED.congestion,
    { state: 'open' },
    { state: 'incomplete', invited: false },
    {},
    {},
    {},
  ] as const satisfies Partial<Attempt>[]
  const calls = Array.from({ length: 900 }, (_, index) => {
    // Bursts over three days with a night of silence, a few to the minute.
    const atS = MONDAY_S + Math.floor(index / 300) * DAY_S + 6 * 3_600 + ((index * 7_919) % 28_800)
    const how = kinds[index % kinds.length]!
    const answered = Object.keys(how).length === 0
    return attempt({
      carrier: ['alpha', 'beta', 'former'][index % 3]!,
      site: ['dal', 'fra', '', 'dal'][index % 4]!,
      direction: index % 5 === 0 ? 'inbound' : 'outbound',
      invitedAtUs: atS * 1e6,
      attestation: (['A', 'B', 'C', 'none'] as const)[index % 4]!,
      ...how,
      ...(answered
        ? { ...endedCall(atS * 1e6, 1_000 + index * 333), pddMs: 20 + ((index * 131) % 9_000) }
        : {}),
    })
  })
  calls.push(
    attempt({ party: 'customer', carrier: '', customer: 'contact-centre', invitedAtUs: MONDAY_S * 1e6 }),
    attempt({ party: 'internal', carrier: '', invitedAtUs: (MONDAY_S + 7 * 3_600) * 1e6 }),
    attempt({ party: 'unknown', carrier: 'unknown', site: '', invitedAtUs: (MONDAY_S + 8 * 3_600) * 1e6 }),
  )
  await store.add(calls)
  const asOfS = MONDAY_S + 4 * DAY_S
  const moment = { asOfUs: asOfS * 1e6, nowS: asOfS }
  while ((await sumDue(store.engine.writer, [0], moment, keptOf(CONFIG.retention), ++store.version)) > 0);
  // Comes late: its hour and its day are stale.
  const late = attempt({ carrier: 'beta', site: 'fra', invitedAtUs: (MONDAY_S + DAY_S + 9 * 3_600) * 1e6 })
  calls.push(late)
  await store.add([late])
  return calls
}
