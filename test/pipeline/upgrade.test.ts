/**
 * What an earlier version left behind is read by this one: the spool, a record of the topic, the tables in the middle of
 * work. The files and where they come from: test/fixtures/golden/README.md.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Engine, openEmbeddedEngine } from '../../bin/connect/clickhouse.js'
import { readConfig } from '../../bin/connect/config.js'
import { decodeRecord } from '../../collector/bus/record.js'
import { SpoolBus } from '../../collector/bus/spool-bus.js'
import { applySchema } from '../../collector/store/schema.js'
import { StoreRole } from '../../collector/store-role.js'
import { type ReceivedFrame, TRANSPORTS } from '../../schemas/hep-frame.js'
import { RETENTION, rowsOf } from '../support/engine.js'
import { differences, sumsOfAttempts, sumsOfRollups } from '../support/kpi-sums.js'
import { CAPTURE_CONFIG, captureFrames, movedTo, truth } from '../support/real-capture.js'

const GOLDEN = join(import.meta.dirname, '../fixtures/golden')
const { frames_last_at_s: lastAtS, frames_stored: framesStored } = JSON.parse(
  readFileSync(join(GOLDEN, 'golden.json'), 'utf8'),
) as { frames_last_at_s: number; frames_stored: number }
/** All of the capture; the earlier version saw the first `framesStored`. */
const FRAMES = movedTo(captureFrames(), lastAtS).frames

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-upgrade-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** The golden spool, opened on a host that was started anew since: all of it is delivered. */
async function openSpool(): Promise<{ spool: SpoolBus; endPosition: number }> {
  const source = join(GOLDEN, 'spool')
  let endPosition = 0
  for (const name of readdirSync(source)) {
    const bytes = readFileSync(join(source, name))
    const plain = name.endsWith('.gz') ? gunzipSync(bytes) : bytes
    writeFileSync(join(folder, name.replace(/\.gz$/, '')), plain)
    if (name.endsWith('.spool.gz')) endPosition = Number.parseInt(name, 16) + plain.length
  }
  const spool = await SpoolBus.open({ folder, bootId: 'another start of the host' })
  spool.notify(endPosition, 0)
  return { spool, endPosition }
}

async function deliverAll(onFrames: (frames: ReceivedFrame[]) => Promise<void>): Promise<number> {
  const { spool, endPosition } = await openSpool()
  await spool.subscribe(async ({ frames, nextPosition, damaged }) => {
    expect(damaged).toBeUndefined()
    await onFrames(frames)
    if (nextPosition >= endPosition) void spool.close()
  })
  return endPosition
}

describe('an upgrade', () => {
  test('reads the spool of the version before, every frame as it arrived', async () => {
    const delivered: Buffer[] = []
    await deliverAll(async (frames) => {
      for (const { bytes, transport } of frames) {
        expect(transport).toBe('tcp')
        delivered.push(Buffer.from(bytes))
      }
    })
    expect(delivered).toEqual(FRAMES.slice(0, framesStored))
  })

  test('reads a record of the topic in format 1', () => {
    const record = decodeRecord(readFileSync(join(GOLDEN, 'record-1.bin')), 7)
    expect(record).toEqual({
      basePartitions: 24,
      publisher: 'trunkscope-capture-fra-1',
      receivedUntilUs: 1_795_266_404_500_000,
      frames: captureFrames()
        .slice(0, 8)
        .map((bytes, index) => ({
          receivedAtUs: 1_795_266_404_000_000 + index,
          transport: TRANSPORTS[index % 4],
          peerAddress: index < 4 ? '192.0.2.10' : '2001:db8::10',
          bytes,
          position: 7,
        })),
    })
  })

  test('takes over tables that a killed process left in the middle of work: nothing lost, rollups right', async () => {
    const engine = openEmbeddedEngine(join(folder, 'data'))
    try {
      await loadTables(engine)
      const before = await rowsOf<{ n: string }>(
        engine.writer,
        'SELECT count() AS n FROM call_attempts FINAL',
      )
      await applySchema(engine.writer, RETENTION)
      expect(
        await rowsOf(engine.writer, 'SELECT count() AS n FROM call_attempts FINAL'),
        'after the migrations',
      ).toEqual(before)
      // The process was killed before it recomputed the minutes of its last flush.
      expect(
        differences(await sumsOfAttempts(engine.writer), await sumsOfRollups(engine.writer)),
      ).not.toEqual([])

      const role = await StoreRole.open({
        writer: engine.writer,
        insertFolder: engine.insertFolder,
        config: readConfig(CAPTURE_CONFIG),
        basePartitions: [0],
        commit: async () => {},
        log: () => {},
      })
      await role.drain()
      expect(differences(await sumsOfAttempts(engine.writer), await sumsOfRollups(engine.writer))).toEqual([])

      const one = { partition: 0, basePartition: 0, receivedUntilUs: 0 }
      const position = await deliverAll((frames) =>
        role.accept({ ...one, frames, position: 0, nextPosition: frames.at(-1)?.position ?? 0 }),
      )
      const rest = FRAMES.slice(framesStored).map(
        (bytes, index): ReceivedFrame => ({
          receivedAtUs: (lastAtS + 60) * 1e6 + index,
          transport: 'tcp',
          peerAddress: '127.0.0.1',
          bytes,
          position: position + index,
        }),
      )
      const nextPosition = position + rest.length
      await role.accept({ ...one, frames: rest, position, nextPosition })
      await role.drain()
      await expectAll(engine)
    } finally {
      await engine.close()
    }
  }, 60_000)
})

/** As they stood, but stored just now: what retention would have deleted meanwhile is still there. */
async function loadTables(engine: Engine): Promise<void> {
  const source = join(GOLDEN, 'tables')
  const ddl: Record<string, string> = JSON.parse(readFileSync(join(source, 'ddl.json'), 'utf8'))
  const keptFrom: Record<string, string> = {
    sip_messages: 'stored_at',
    call_attempts: 'stored_at',
    kpi_minute: 'computed_at',
  }
  for (const [table, statement] of Object.entries(ddl)) {
    await engine.writer.command({ query: statement })
    const rows = join(source, `${table}.native.gz`)
    if (!readdirSync(source).includes(`${table}.native.gz`)) continue
    const path = join(engine.insertFolder!, `${table}.native`)
    writeFileSync(path, gunzipSync(readFileSync(rows)))
    const columns = keptFrom[table] === undefined ? '*' : `* REPLACE (now() AS ${keptFrom[table]})`
    await engine.writer.command({
      query: `INSERT INTO ${table} SELECT ${columns} FROM file({path:String}, 'Native')`,
      query_params: { path },
    })
  }
  // Those of the version before are applied, by their numbers.
  await engine.writer.command({
    query: "INSERT INTO schema_migrations (number, name) SELECT number + 1, '' FROM numbers(6)",
  })
}

async function expectAll({ writer }: Engine): Promise<void> {
  expect(
    await rowsOf(writer, 'SELECT count() AS n, uniqExact(row_id) AS ids FROM sip_messages FINAL'),
  ).toEqual([{ n: String(FRAMES.length), ids: String(FRAMES.length) }])
  expect(
    await rowsOf(writer, 'SELECT attempt_id FROM call_attempts FINAL GROUP BY attempt_id HAVING count() > 1'),
  ).toEqual([])
  expect(differences(await sumsOfAttempts(writer), await sumsOfRollups(writer))).toEqual([])
  const known = truth()
  expect(
    await rowsOf(
      writer,
      `SELECT carrier, toUInt32(count()) AS attempts, toUInt32(countIf(final_code = 200)) AS answered,
         toUInt32(countIf(final_code = 487)) AS abandoned, toUInt32(countIf(state != 'closed')) AS open
       FROM call_attempts FINAL WHERE party = 'carrier' AND state != 'fragment' GROUP BY carrier ORDER BY carrier`,
    ),
  ).toEqual(
    (['alpha', 'bravo'] as const).map((carrier) => ({
      carrier,
      attempts: known[carrier].attempts,
      answered: known[carrier].answered,
      abandoned: known[carrier]['487_after_ringing'],
      open: 0,
    })),
  )
}
