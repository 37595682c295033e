/** Who may write: claims on the real engine, and a store process that was thought dead. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  attemptVersion,
  claimedVersion,
  claimPartition,
  lostClaims,
} from '../../../collector/store/claims.js'
import { StoreRole } from '../../../collector/store-role.js'
import { configSchema } from '../../../schemas/config.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'
import { emptyTables } from '../../support/kpi-run.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())
beforeEach(async () => {
  await emptyTables(engine.writer)
  await engine.writer.command({ query: 'TRUNCATE TABLE store_claims' })
})

describe('claims', () => {
  test('each claim of a partition stands above all before it, and another partition counts for itself', async () => {
    const first = await claimPartition(engine.writer, 3, 'a')
    const second = await claimPartition(engine.writer, 3, 'b')
    const other = await claimPartition(engine.writer, 4, 'b')
    expect([first.epoch, second.epoch, other.epoch]).toEqual([1, 2, 1])
    expect(await lostClaims(engine.writer, [first, second, other])).toEqual([first])
  })

  test('after merges have thrown the older claims away the next one still stands above them', async () => {
    for (const owner of ['a', 'b', 'c']) await claimPartition(engine.writer, 0, owner)
    await engine.writer.command({ query: 'OPTIMIZE TABLE store_claims FINAL' })
    expect((await claimPartition(engine.writer, 0, 'd')).epoch).toBe(4)
  })

  test('of those that claim at the same time exactly one holds the partition in the end', async () => {
    const claims = await Promise.all(
      ['a', 'b', 'c', 'd'].map((owner) => claimPartition(engine.writer, 7, owner)),
    )
    expect(new Set(claims.map((claim) => claim.epoch)).size).toBe(4)
    expect(await lostClaims(engine.writer, claims)).toHaveLength(3)
  })

  test('without a claim in the table none holds', async () => {
    const claim = { basePartition: 1, epoch: 5, owner: 'a' }
    expect(await lostClaims(engine.writer, [claim])).toEqual([claim])
    expect(await lostClaims(engine.writer, [])).toEqual([])
  })

  test('versions of a later epoch stand above all versions of an earlier one', () => {
    const early = { basePartition: 0, epoch: 7, owner: 'a' }
    const late = { basePartition: 0, epoch: 8, owner: 'b' }
    let version = 0
    for (let times = 0; times < 1_000; times++) version = attemptVersion(early, version)
    expect(attemptVersion(late, 0)).toBeGreaterThan(version)
    expect(attemptVersion(late, version)).toBeGreaterThan(version)
    expect(claimedVersion(late, 1) > claimedVersion(early, 4_000_000_000)).toBe(true)
    expect(Number.isSafeInteger(attemptVersion({ ...late, epoch: 2 ** 32 }, 0))).toBe(true)
  })
})

const START_US = Date.UTC(2026, 8, 14, 9, 0) * 1_000
const CONFIG = configSchema.parse({
  sites: [{ id: 'lab', sbc: ['192.0.2.1'] }],
  carriers: [{ id: 'alpha', peers: ['198.51.100.1'] }],
})

function frame(callId: string, code: number | 'INVITE', atS: number, position: number) {
  const atUs = START_US + atS * 1_000_000
  const first = code === 'INVITE' ? 'INVITE sip:1@x SIP/2.0' : `SIP/2.0 ${code} Said`
  const tag = code === 'INVITE' ? '' : ';tag=b'
  const head = `Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK${callId}\r\nFrom: <sip:2@x>;tag=a\r\nTo: <sip:1@x>${tag}`
  const ends = ['192.0.2.1', '198.51.100.1']
  const [sourceAddress, destinationAddress] = code === 'INVITE' ? ends : ends.reverse()
  return {
    receivedAtUs: atUs,
    transport: 'udp' as const,
    peerAddress: '192.0.2.9',
    position,
    bytes: encodeHep3({
      agentId: 1,
      capturedAtUs: atUs,
      sourceAddress: sourceAddress!,
      destinationAddress: destinationAddress!,
      payload: `${first}\r\n${head}\r\nCall-ID: ${callId}\r\nCSeq: 1 INVITE\r\n\r\n`,
    }),
  }
}

type Frame = ReturnType<typeof frame>

const batchOf = (frames: Frame[], receivedUntilUs = 0) => ({
  partition: 0,
  basePartition: 0,
  frames,
  position: frames[0]?.position ?? 0,
  nextPosition: (frames.at(-1)?.position ?? 0) + 1,
  receivedUntilUs,
})

async function openRole(commits: number[]): Promise<StoreRole> {
  return StoreRole.open({
    writer: engine.writer,
    rawWriter: engine.rawWriter,
    insertFolder: engine.insertFolder,
    config: CONFIG,
    basePartitions: [0],
    commit: async (_, position) => void commits.push(position),
    log: () => {},
    flushIntervalMs: Number.POSITIVE_INFINITY,
  })
}

const attempts = () =>
  rowsOf<{ call_id: string; final_code: number; minute_s: number }>(
    engine.writer,
    'SELECT call_id, final_code, toUInt32(minute) AS minute_s FROM call_attempts FINAL ORDER BY call_id, minute',
  )

describe('a store process that was thought dead', () => {
  test('commits nothing, says why, and what it wrote is not seen', async () => {
    const commits: number[] = []
    const hung = await openRole(commits)
    await hung.accept(batchOf([frame('c1', 'INVITE', 0, 0)]))
    const successor = await openRole(commits)
    await successor.accept(
      batchOf([frame('c1', 'INVITE', 0, 0), frame('c1', 486, 3, 1)], START_US + 60_000_000),
    )
    await successor.drain()
    expect(commits).toEqual([2])
    await expect(hung.drain()).rejects.toMatchObject({ code: 'TRUNKSCOPE_STORE_SUPERSEDED' })
    await expect(hung.accept(batchOf([]))).rejects.toMatchObject({ code: 'TRUNKSCOPE_STORE_SUPERSEDED' })
    expect(commits).toEqual([2])
    expect(await attempts()).toMatchObject([{ call_id: 'c1', final_code: 486 }])
  })

  test('that writes while its successor reads back leaves no attempt under two minutes', async () => {
    // The successor claims between the hung process's look at the claims and its rows; it has an INVITE of a minute before.
    const commits: number[] = []
    const successors: StoreRole[] = []
    const hung = await StoreRole.open({
      writer: new Proxy(engine.writer, {
        get: (target, name) => {
          const value = Reflect.get(target, name)
          if (name !== 'command') return typeof value === 'function' ? value.bind(target) : value
          return async (given: { query: string }) => {
            if (successors.length === 0 && given.query.startsWith('INSERT INTO call_attempts')) {
              const successor = await openRole(commits)
              successors.push(successor)
              await successor.accept(
                batchOf([frame('c2', 'INVITE', 0, 0), frame('c2', 180, 61, 1), frame('c2', 486, 62, 2)]),
              )
              await successor.drain()
            }
            return target.command(given)
          }
        },
      }),
      rawWriter: engine.rawWriter,
      insertFolder: engine.insertFolder,
      config: CONFIG,
      basePartitions: [0],
      commit: async (_, position) => void commits.push(position),
      log: () => {},
      flushIntervalMs: Number.POSITIVE_INFINITY,
    })
    // It never saw the INVITE: for it the attempt begins with the 180, a minute later.
    await hung.accept(batchOf([frame('c2', 180, 61, 1), frame('c2', 486, 62, 2)]))
    await expect(hung.drain()).rejects.toMatchObject({ code: 'TRUNKSCOPE_STORE_SUPERSEDED' })
    expect(successors).toHaveLength(1)
    expect(await attempts()).toMatchObject([{ call_id: 'c2', minute_s: START_US / 1_000_000 }])
    expect(commits).toEqual([3])
  })

  test('rows that a crash left under two minutes are one again after the next start', async () => {
    const commits: number[] = []
    const first = await openRole(commits)
    await first.accept(batchOf([frame('c3', 180, 61, 0), frame('c3', 486, 62, 1)], START_US + 90_000_000))
    await first.drain()
    // The INVITE comes late and moves the attempt to an earlier minute; the process dies before the old row has ended.
    const dying = await StoreRole.open({
      writer: new Proxy(engine.writer, {
        get: (target, name) => {
          const value = Reflect.get(target, name)
          if (name !== 'command') return typeof value === 'function' ? value.bind(target) : value
          return async (given: { query: string }) => {
            if (
              /^INSERT INTO call_attempts \(minute, attempt_id, version, is_deleted, bus_partition, stored_at\)/.test(
                given.query,
              )
            ) {
              dying.stop()
              throw new Error('killed')
            }
            return target.command(given)
          }
        },
      }),
      rawWriter: engine.rawWriter,
      insertFolder: engine.insertFolder,
      config: CONFIG,
      basePartitions: [0],
      commit: async () => {},
      log: () => {},
      flushIntervalMs: Number.POSITIVE_INFINITY,
    })
    await dying.accept(batchOf([frame('c3', 'INVITE', 0, 2)], START_US + 91_000_000))
    await expect(dying.drain()).rejects.toThrow('killed')
    expect(await attempts()).toHaveLength(2)
    const next = await openRole(commits)
    await next.drain()
    expect(await attempts()).toMatchObject([
      { call_id: 'c3', final_code: 486, minute_s: START_US / 1_000_000 },
    ])
  })
})
