import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { kpiQueryOf } from '../../../api/kpi/query.js'
import { readKpiGroups } from '../../../api/kpi/series.js'
import type { Sums } from '../../../api/kpi/sums.js'
import { Connections, Readers } from '../../../api/readers.js'
import { markChanged } from '../../../collector/store/freshness.js'
import { sumDue } from '../../../collector/store/hours.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { keptOf } from '../../../schemas/retention.js'
import { LOOPBACK, type Principal } from '../../../schemas/tokens.js'
import { attempt, CONFIG, ENDED, endedCall, TestStore } from '../support.js'

/** 2026-11-16T00:00:00Z. */
const MONDAY_S = 1_794_787_200

class HeardConnections extends Connections {
  readonly tables: string[] = []
  override run<Row>(...[query, ...others]: Parameters<Connections['run']>): Promise<Row[]> {
    this.tables.push(...[...query.matchAll(/FROM (\w+)/g)].map(([, table]) => table!))
    return super.run<Row>(query, ...others)
  }
}

let store: TestStore
let connections: HeardConnections
beforeAll(async () => {
  store = await TestStore.open()
  connections = new HeardConnections(store.engine.readers)
})
afterAll(() => store.close())

const due = (asOfS: number) =>
  sumDue(
    store.engine.writer,
    [0],
    { asOfUs: asOfS * 1e6, nowS: asOfS },
    keptOf(CONFIG.retention),
    ++store.version,
  )
const dueAll = async (asOfS: number) => {
  while ((await due(asOfS)) > 0);
}

const iso = (seconds: number) => new Date(seconds * 1_000).toISOString()
const read = async (
  fromS: number,
  toS: number,
  parameters: Record<string, string> = {},
  principal: Principal = LOOPBACK,
  over: Connections = connections,
) => {
  const written = { from: iso(fromS), to: iso(toS), ...parameters }
  const query = kpiQueryOf(written, CONFIG, (MONDAY_S + 5 * 86_400) * 1e6)
  return (await readKpiGroups(new Readers(over, principal), CONFIG, query)).map(comparable)
}
const attemptsOf = (groups: Awaited<ReturnType<typeof read>>, carrier: string) =>
  groups.find(({ by }) => by.carrier === carrier)?.counts.attempts

function comparable({ by, total: { counts, maps } }: { by: Record<string, string>; total: Sums }) {
  const rounded = Object.entries(counts).map(([name, sum]) => [name, Math.round(sum * 1e3) / 1e3] as const)
  return { by, counts: Object.fromEntries(rounded) as Record<string, number>, maps }
}

it('what is over is read once: then only its marks and the running hour', async () => {
  const noonS = MONDAY_S + 12 * 3_600
  const atS = (hours: number) => noonS + hours * 3_600
  await store.add([0.1, -1.5, -5, -23.7].map((hours) => attempt({ invitedAtUs: atS(hours) * 1e6 })))
  await dueAll(noonS + 600)
  const first = await read(atS(-24) + 1_200, noonS + 1_200)
  expect(attemptsOf(first, 'alpha')).toBe(3)
  connections.tables.length = 0
  expect(await read(atS(-24) + 1_200, noonS + 1_200)).toEqual(first)
  expect(connections.tables).toEqual(['rollup_freshness', 'kpi_minute'])
  connections.tables.length = 0
  expect(attemptsOf(await read(atS(-24) + 600, noonS), 'alpha')).toBe(3)
  expect(attemptsOf(await read(atS(-24) + 600, noonS), 'alpha')).toBe(3)
  expect(connections.tables).toEqual(['rollup_freshness', 'kpi_minute', 'rollup_freshness'])
})

it('a late minute is in the next answer, summed or not', async () => {
  const [fromS, toS] = [MONDAY_S + 86_400 + 1_800, MONDAY_S + 86_400 + 9_000]
  const count = async () => attemptsOf(await read(fromS, toS), 'beta')
  await store.add([attempt({ carrier: 'beta', invitedAtUs: (fromS + 3_000) * 1e6 })])
  await dueAll(toS + 86_400)
  expect([await count(), await count()]).toEqual([1, 1])
  for (const [late, counted] of [
    [600, 2],
    [3_000, 3],
    [6_000, 4],
  ] as const) {
    await store.add([attempt({ carrier: 'beta', invitedAtUs: (fromS + late) * 1e6 })])
    expect([await count(), await count()]).toEqual([counted, counted])
    await dueAll(toS + 86_400)
    expect([await count(), await count()]).toEqual([counted, counted])
  }
})

it('between the mark of a change and its minutes nothing is kept', async () => {
  const fromS = MONDAY_S + 3 * 86_400
  const count = async () => attemptsOf(await read(fromS + 60, fromS + 9_000), 'beta')
  await store.add([attempt({ carrier: 'beta', invitedAtUs: (fromS + 4_000) * 1e6 })])
  await dueAll(fromS + 86_400)
  await markChanged(
    store.engine.writer,
    ['hour', 'day'],
    [0],
    [fromS + 120, fromS + 4_000],
    store.version + 1n,
  )
  expect(await count()).toBe(1)
  await store.add([120, 4_000].map((s) => attempt({ carrier: 'beta', invitedAtUs: (fromS + s) * 1e6 })))
  expect(await count()).toBe(3)
})

it('answers are the same with and without memory, whoever asks, whatever comes late and is summed when', async () => {
  const call = fc.record({
    atS: fc.integer({ min: 0, max: 2 * 86_400 - 1 }),
    carrier: fc.constantFrom('alpha', 'beta', 'former'),
    site: fc.constantFrom('dal', 'fra', ''),
    how: fc.constantFrom<Partial<Attempt>>(ENDED.busy, ENDED.preRing, { state: 'open' }, {}),
    pddMs: fc.integer({ min: 1, max: 20_000 }),
    talkedMs: fc.integer({ min: 100, max: 4_000_000 }),
  })
  // Few of each: only what is asked for again finds something.
  const question = fc.record({
    fromS: fc.constantFrom(-5_400, 1_260, 1_320, 40_000 - (40_000 % 60)),
    toS: fc.constantFrom(86_400, 91_800, 91_860, 2 * 86_400),
    parameters: fc.constantFrom<Record<string, string>[]>(
      {},
      { kpi: 'asr,pdd_p95' },
      { group_by: '' },
      { site: 'dal' },
      { group_by: 'carrier,site' },
    ),
    carriers: fc.constantFrom<Principal['carriers'][]>('all', ['alpha'], ['alpha', 'former'], []),
  })
  const round = fc.record({
    calls: fc.array(call, { maxLength: 6 }),
    asOfHours: fc.option(fc.integer({ min: 0, max: 60 })),
    questions: fc.array(question, { minLength: 2, maxLength: 5 }),
  })
  await fc.assert(
    fc.asyncProperty(round, async ({ calls, asOfHours, questions }) => {
      if (calls.length > 0) {
        await store.add(
          calls.map(({ atS, how, talkedMs, ...rest }) => {
            const invitedAtUs = (MONDAY_S + atS) * 1e6
            const ended = Object.keys(how).length === 0 ? endedCall(invitedAtUs, talkedMs) : {}
            return attempt({ ...rest, invitedAtUs, ...how, ...ended })
          }),
        )
      }
      if (asOfHours !== null) await due(MONDAY_S + asOfHours * 3_600)
      for (const { fromS, toS, parameters, carriers } of questions) {
        const principal: Principal = { id: 'somebody', role: 'viewer', carriers }
        const asked = [MONDAY_S + fromS, MONDAY_S + toS, parameters, principal] as const
        const fresh = await read(...asked, new Connections(store.engine.readers))
        expect(await read(...asked)).toEqual(fresh)
        expect(await read(...asked)).toEqual(fresh)
      }
    }),
    { numRuns: 20 },
  )
}, 120_000)
