/**
 * The store process, killed at every step: before each statement and each commit. Whatever died with it, the next process
 * reads what is not committed again, and ends with the same attempts and the same rollups.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClickHouseClient } from '@clickhouse/client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { StoreRole } from '../../../collector/store-role.js'
import { configSchema } from '../../../schemas/config.js'
import type { ReceivedFrame } from '../../../schemas/hep-frame.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'
import { flowOf } from '../../support/kpi-flow.js'
import { parseKpiFile } from '../../support/kpi-language.js'
import { emptyTables, seededRandom } from '../../support/kpi-run.js'
import { differences, sumsOfAttempts, sumsOfRollups } from '../../support/kpi-sums.js'

const FOLDER = join(import.meta.dirname, '../../kpi')
const START_US = Date.UTC(2026, 8, 14, 9, 0) * 1_000
const FILES = [
  'auth-retry',
  'bye',
  'cancel-race',
  'cancel-no-final',
  'end-minute',
  'hunting',
  'incomplete',
  'late-invite',
  'lost-via',
  'no-invite',
  're-invite',
  'second-agent',
  'skewed-clocks',
  'timeout',
  'vector-a',
]
const FLOWS = FILES.map((name, at) =>
  flowOf(parseKpiFile(name, readFileSync(join(FOLDER, `${name}.kpi`), 'utf8')), at + 1, START_US, FOLDER),
)
const CONFIG = configSchema.parse({
  sites: FLOWS.flatMap((flow) => flow.sites),
  carriers: FLOWS.flatMap((flow) => flow.carriers),
  customers: FLOWS.flatMap((flow) => flow.customers),
})
/** A keep-alive, a frame of another protocol, and SIP without a Call-ID. */
const STRANGE = [
  { payload: '\r\n' },
  { protocolType: 5, payload: '{}' },
  { payload: 'BYE sip:a SIP/2.0\r\nTo: <sip:b>\r\n\r\n' },
].map(
  (fields, second): ReceivedFrame => ({
    receivedAtUs: START_US + second * 1_000_000,
    transport: 'udp',
    peerAddress: '192.0.2.9',
    position: 0,
    bytes: encodeHep3({ agentId: 9, capturedAtUs: START_US + second * 1_000_000, ...fields }),
  }),
)
const FRAMES = [...STRANGE, ...FLOWS.flatMap((flow) => flow.frames)]
  .sort((a, b) => a.receivedAtUs - b.receivedAtUs)
  .map((frame, position) => ({ ...frame, position }))
const END_US = START_US + 7_200_000_000

/** A process: it lives until its `dieAt`-th step, then no statement reaches the engine any more. */
class Process {
  steps = 0
  isDead = false
  role: StoreRole | undefined

  constructor(readonly dieAt = Number.POSITIVE_INFINITY) {}

  /** The client as this process sees it. */
  through(client: ClickHouseClient): ClickHouseClient {
    return intercepted(client, ['command', 'query', 'insert'], () => this.step())
  }

  step(): void {
    if (++this.steps >= this.dieAt) {
      this.isDead = true
      this.role?.stop()
    }
    if (this.isDead) throw new Error('killed')
  }
}

/** A client that does something before it hands a statement on. */
function intercepted(client: ClickHouseClient, methods: string[], before: () => void): ClickHouseClient {
  return new Proxy(client, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (!methods.includes(String(name))) return value.bind(target)
      return async (...parameters: unknown[]) => {
        before()
        return value.apply(target, parameters)
      }
    },
  })
}

interface Run {
  batches: number
  flushIntervalMs?: number
  attemptsInMemoryMax?: number
  attemptsIndexedMax?: number
  /** Steps after which the first, second … process dies. */
  deaths?: number[]
  /** A random wait between batches, so that flushes and batches overlap. */
  pause?: () => Promise<void>
}

let engine: TestEngine

beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())
beforeEach(() => emptyTables(engine.writer))

/** Delivers all frames from the committed position on, by as many processes as it takes. Gives the steps of the last. */
async function run({ batches, deaths = [], pause, ...options }: Run): Promise<number> {
  const size = Math.ceil(FRAMES.length / batches)
  let committed = 0
  for (const dieAt of [...deaths, Number.POSITIVE_INFINITY]) {
    const process = new Process(dieAt)
    try {
      const role = await StoreRole.open({
        writer: process.through(engine.writer),
        rawWriter: process.through(engine.rawWriter),
        insertFolder: engine.insertFolder,
        config: CONFIG,
        basePartitions: [0],
        commit: async (_, position) => {
          process.step()
          committed = position
        },
        log: () => {},
        flushIntervalMs: Number.POSITIVE_INFINITY,
        ...options,
      })
      process.role = role
      for (let position = committed; position < FRAMES.length && !process.isDead; ) {
        // Batches are cut at the same places, whoever reads them.
        const nextPosition = Math.min(FRAMES.length, (Math.floor(position / size) + 1) * size)
        const frames = FRAMES.slice(position, nextPosition)
        await role.accept({
          partition: 0,
          basePartition: 0,
          frames,
          position,
          nextPosition,
          receivedUntilUs: 0,
        })
        if (pause === undefined) await role.drain()
        else await pause()
        position = nextPosition
      }
      const position = FRAMES.length
      await role.accept({
        partition: 0,
        basePartition: 0,
        frames: [],
        position,
        nextPosition: position,
        receivedUntilUs: END_US,
      })
      await role.drain()
      return process.steps
    } catch (error) {
      if (!process.isDead) throw error
      // What was under way when it died comes to nothing.
      await process.role?.drain().catch(() => {})
    }
  }
  throw new Error('every process died')
}

/** Everything that must not depend on what happened on the way. */
async function stored() {
  const attempts = await rowsOf(
    engine.writer,
    `SELECT * EXCEPT (version, is_deleted, stored_at, facts), hex(attempt_id) AS id FROM call_attempts FINAL
     WHERE state != 'fragment' ORDER BY id, minute`,
  )
  const facts = await rowsOf<{ facts: string }>(
    engine.writer,
    `SELECT facts FROM call_attempts FINAL WHERE state != 'fragment' ORDER BY hex(attempt_id), minute`,
  )
  const messages = await rowsOf(
    engine.writer,
    'SELECT count() AS n, uniqExact(row_id) AS distinct, sum(cityHash64(raw, captured_at, agent)) AS sum FROM sip_messages FINAL',
  )
  const agents = await rowsOf(
    engine.writer,
    'SELECT * EXCEPT counted_until FROM agents_minute FINAL ORDER BY minute, agent',
  )
  const rollups = [...(await sumsOfRollups(engine.writer)).entries()].sort(([a], [b]) => (a < b ? -1 : 1))
  return { attempts, facts: facts.map((row) => row.facts), messages, agents, rollups }
}
type Stored = Awaited<ReturnType<typeof stored>>

async function expectStored(truth: Stored): Promise<void> {
  const got = await stored()
  expect(got.attempts).toEqual(truth.attempts)
  expect(got.facts).toEqual(truth.facts)
  expect(got.rollups).toEqual(truth.rollups)
  expect(got.messages).toEqual(truth.messages)
  expect(differences(await sumsOfAttempts(engine.writer), await sumsOfRollups(engine.writer))).toEqual([])
  const twice = await rowsOf(
    engine.writer,
    'SELECT hex(attempt_id) AS id FROM call_attempts FINAL GROUP BY attempt_id HAVING count() > 1',
  )
  expect(twice).toEqual([])
}

describe('store role', () => {
  let truth: Stored
  let steps = 0

  beforeAll(async () => {
    await emptyTables(engine.writer)
    steps = await run({ batches: 2 })
    truth = await stored()
  })

  test('undisturbed it stores every message once, and rollups that equal a recompute from scratch', async () => {
    await run({ batches: 3 })
    await expectStored(truth)
    expect(truth.attempts.length).toBeGreaterThan(60)
    expect(truth.messages).toMatchObject([{ n: String(FRAMES.length - 2) }])
  })

  test('counts what each agent sent, and what could not be read', async () => {
    await run({ batches: 3 })
    const [strange] = (await stored()).agents.filter((row) => String(row.agent).startsWith('192.0.2.9'))
    expect(strange).toMatchObject({
      frames: '3',
      keepalives: '1',
      refused: '1',
      sip_messages: '1',
      unreadable: '1',
    })
    const refused = await rowsOf(
      engine.writer,
      'SELECT stage, reason FROM rejected_frames FINAL ORDER BY reason',
    )
    expect(refused.map((row) => row.reason)).toEqual(['keepalive', 'no_call_id', 'not_sip'])
  })

  test('killed before any statement or commit, the next process ends with the same', async () => {
    // Every second one, those or the others by the clock: all of them take a minute.
    for (let dieAt = 1 + (Date.now() % 2); dieAt <= steps; dieAt += 2) {
      await emptyTables(engine.writer)
      await run({ batches: 2, deaths: [dieAt] })
      await expectStored(truth).catch((error: Error) => {
        throw new Error(`killed at step ${dieAt} of ${steps}: ${error.message}`, { cause: error })
      })
      expect((await stored()).agents).toEqual(truth.agents)
    }
  }, 240_000)

  test('killed again and again, while flushes and batches overlap, it ends with the same', async () => {
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed)
      await emptyTables(engine.writer)
      await run({
        batches: 25,
        flushIntervalMs: 0,
        deaths: [5, 12, 18, 25, 30].map((most) => 3 + Math.floor(random() * most)),
        pause: () => new Promise((resolve) => setTimeout(resolve, random() * 30)),
        attemptsInMemoryMax: 20,
      })
      await expectStored(truth)
    }
  }, 120_000)

  test('with hardly any room in memory the numbers are the same', async () => {
    await run({ batches: 25, attemptsInMemoryMax: 1 })
    await expectStored(truth)
  }, 60_000)

  test('with an index that forgets, the store is asked, and the numbers are the same', async () => {
    await run({ batches: 25, attemptsInMemoryMax: 1, attemptsIndexedMax: 10 })
    await expectStored(truth)
  }, 60_000)

  test('everything sent again changes nothing', async () => {
    await run({ batches: 3 })
    await run({ batches: 7 })
    await expectStored(truth)
  }, 60_000)

  test('a store that fails is tried again until it works, and says why meanwhile', async () => {
    let failures = 3
    const sentences: string[] = []
    const client = intercepted(engine.writer, ['command'], () => {
      if (failures-- > 0) throw new Error('the disk is full\nand more')
    })
    const role = await open(client, (sentence) => sentences.push(sentence))
    await role.accept({
      partition: 0,
      basePartition: 0,
      frames: FRAMES,
      position: 0,
      nextPosition: FRAMES.length,
      receivedUntilUs: END_US,
    })
    const drained = role.drain()
    await expect.poll(() => role.status.problem).toBe('the disk is full')
    await drained
    expect(role.status.problem).toBe('')
    expect(sentences).toEqual(['the store refuses: the disk is full; trying again'])
    await expectStored(truth)
  })

  test('a store that fails is not waited for when the process has to stop', async () => {
    const process = new Process(12)
    const role = await open(process.through(engine.writer))
    await role.accept({
      partition: 0,
      basePartition: 0,
      frames: FRAMES,
      position: 0,
      nextPosition: FRAMES.length,
      receivedUntilUs: END_US,
    })
    role.stop()
    await expect(role.drain()).rejects.toThrow('killed')
  })

  test('a damaged stretch of the spool is told and counted', async () => {
    const sentences: string[] = []
    const role = await open(engine.writer, (sentence) => sentences.push(sentence))
    const damaged = [{ reason: 'spool_damaged' as const, bytes: 512 }]
    await role.accept({
      partition: 0,
      basePartition: 0,
      frames: [],
      position: 0,
      nextPosition: 512,
      receivedUntilUs: START_US,
      damaged,
    })
    await role.drain()
    expect(sentences).toEqual(['the spool is damaged: 512 bytes could not be read and were skipped'])
    expect([...role.status.refused]).toEqual([['decode/spool_damaged', 1]])
  })

  test('what is revoked while its flush is under way is not committed, even when it is ours again', async () => {
    const committed: number[] = []
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let isUnderWay = () => {}
    const underWay = new Promise<void>((resolve) => {
      isUnderWay = resolve
    })
    const slow = new Proxy(engine.rawWriter, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (name !== 'command') return typeof value === 'function' ? value.bind(target) : value
        return async (...parameters: unknown[]) => {
          isUnderWay()
          await held
          return value.apply(target, parameters)
        }
      },
    })
    const role = await StoreRole.open({
      writer: engine.writer,
      rawWriter: slow,
      insertFolder: engine.insertFolder,
      config: CONFIG,
      commit: async (_, position) => {
        committed.push(position)
      },
      log: () => {},
      flushIntervalMs: 0,
    })
    const batch = (frames: ReceivedFrame[], position: number) => ({
      partition: 0,
      basePartition: 0,
      frames,
      position,
      nextPosition: position + frames.length,
      receivedUntilUs: 0,
    })
    await role.accept(batch(FRAMES.slice(0, 40), 500))
    await underWay
    role.revoke([0])
    const again = role.accept(batch(FRAMES.slice(0, 10), 0))
    release()
    await again
    await role.drain()
    expect(committed).toEqual([10])
  })

  test('what capture refused is stored as samples', async () => {
    const role = await open(engine.writer)
    role.noteRefused([
      {
        stage: 'capture',
        reason: 'not_hep',
        receivedAtUs: START_US,
        transport: 'udp',
        peerAddress: '192.0.2.9',
        sizeBytes: 5,
        sample: Buffer.from([0xff, 0, 1, 2, 3]),
      },
    ])
    await role.drain()
    const rows = await rowsOf(
      engine.writer,
      'SELECT stage, reason, size_bytes, hex(sample) AS sample FROM rejected_frames',
    )
    expect(rows).toEqual([{ stage: 'capture', reason: 'not_hep', size_bytes: 5, sample: 'FF00010203' }])
  })

  test('its status tells what it did', async () => {
    const role = await open(engine.writer)
    await role.accept({
      partition: 0,
      basePartition: 0,
      frames: FRAMES,
      position: 0,
      nextPosition: FRAMES.length,
      receivedUntilUs: END_US,
    })
    await role.drain()
    expect(role.status).toMatchObject({
      asOfUs: END_US,
      messagesStored: FRAMES.length - 2,
      flushes: 1,
      staleMinutes: 0,
      problem: '',
    })
    expect(role.status.attemptsWritten).toBeGreaterThanOrEqual(truth.attempts.length)
  })
})

function open(writer: ClickHouseClient, onLog: (sentence: string) => void = () => {}): Promise<StoreRole> {
  return StoreRole.open({
    writer,
    rawWriter: engine.rawWriter,
    insertFolder: engine.insertFolder,
    config: CONFIG,
    basePartitions: [0],
    commit: async () => {},
    log: (_, sentence) => onLog(sentence),
    flushIntervalMs: Number.POSITIVE_INFINITY,
  })
}
