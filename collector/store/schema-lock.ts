/**
 * One process at a time changes the tables; the others wait, and find them changed.
 *
 * The lock is a table `schema_lock_<n>`, because CREATE TABLE is atomic on a server and in the embedded engine alike. Its
 * comment says whose it is and when its holder was last heard of, by the server's clock; a holder writes it again every few
 * seconds, and so one that lives is told from one that died. A lock is never taken from its owner and never used
 * again: who finds the highest one free or dead makes the next number, which only one can. Invariant: the highest number
 * never disappears, only lower ones are dropped; so whoever was slow, and made a number that had been passed, sees a higher
 * one when it looks again, and steps back. One empty table stays behind.
 *
 * A holder that was thought dead and wakes up goes on with its statement: a migration is safe to run twice at once (IF NOT
 * EXISTS throughout). In a cluster the lock is that of one server: `init` jobs must name the same one.
 *
 * Throws TRUNKSCOPE_STORE_SCHEMA_LOCKED when a holder that lives does not finish within the time given.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'

export interface LockTimes {
  /** How often the holder says that it lives. */
  beatMs?: number
  /** Not heard of for so long it is dead: many beats, since a slow server delays them. */
  deadAfterS?: number
  waitMaxMs?: number
}

interface Lock {
  number: number
  /** '' when it was given back. */
  holder: string
  ageS: number
}

const LOOK_MS = 250
/** TABLE_ALREADY_EXISTS */
const EXISTS = '57'

export async function withSchemaLock<T>(
  client: ClickHouseClient,
  work: () => Promise<T>,
  { beatMs = 5_000, deadAfterS = 60, waitMaxMs = 600_000 }: LockTimes = {},
): Promise<T> {
  const holder = `${hostname()} process ${process.pid} ${randomBytes(4).toString('hex')}`
  const number = await take(client, holder, deadAfterS, waitMaxMs)
  // A beat that fails is made up by the next; where all fail the lock is lost, which is what it is for.
  let saying: Promise<void> = Promise.resolve()
  const beat = setInterval(() => {
    saying = say(client, number, holder).catch(() => {})
  }, beatMs)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    await saying
    // Not given back, it counts as dead after a while.
    await setComment(client, number, '').catch(() => {})
  }
}

async function take(
  client: ClickHouseClient,
  holder: string,
  deadAfterS: number,
  waitMaxMs: number,
): Promise<number> {
  const giveUpAtMs = performance.now() + waitMaxMs
  for (;;) {
    const highest = (await locks(client)).at(-1)
    if (highest !== undefined && highest.holder !== '' && highest.ageS < deadAfterS) {
      if (performance.now() > giveUpAtMs) throw locked(highest)
      await sleep(LOOK_MS)
      continue
    }
    const number = (highest?.number ?? 0) + 1
    const comment = quoted(commentOf(holder, await nowS(client)))
    try {
      await client.command({
        query: `CREATE TABLE schema_lock_${number} (nothing UInt8) ENGINE = Memory COMMENT '${comment}'`,
      })
    } catch (error) {
      if ((error as { code?: string }).code === EXISTS) continue
      throw error
    }
    const present = await locks(client)
    if (present.at(-1)?.number !== number) {
      // Others went past while we looked: this number was dropped before we made it again.
      await drop(client, number)
      continue
    }
    for (const lower of present) if (lower.number < number) await drop(client, lower.number)
    return number
  }
}

/** Ascending. */
async function locks(client: ClickHouseClient): Promise<Lock[]> {
  const result = await client.query({
    query: `SELECT name, comment, toUInt32(now()) AS now_s FROM system.tables
            WHERE database = currentDatabase() AND match(name, '^schema_lock_[0-9]{1,9}$')`,
    format: 'JSONEachRow',
  })
  const rows = await result.json<{ name: string; comment: string; now_s: number }>()
  return rows
    .map(({ name, comment, now_s }) => {
      const [, heardS, holder] = /^(\d+) (.*)$/s.exec(comment) ?? []
      return {
        number: Number(name.slice('schema_lock_'.length)),
        holder: holder ?? '',
        ageS: now_s - Number(heardS),
      }
    })
    .sort((a, b) => a.number - b.number)
}

const commentOf = (holder: string, heardS: number) => `${heardS} ${holder}`

async function say(client: ClickHouseClient, number: number, holder: string): Promise<void> {
  await setComment(client, number, commentOf(holder, await nowS(client)))
}

const setComment = (client: ClickHouseClient, number: number, comment: string) =>
  client.command({ query: `ALTER TABLE schema_lock_${number} MODIFY COMMENT '${quoted(comment)}'` })

/** By the server's clock: those of the processes may differ. */
async function nowS(client: ClickHouseClient): Promise<number> {
  const result = await client.query({ query: 'SELECT toUInt32(now()) AS now_s', format: 'JSONEachRow' })
  const [row] = await result.json<{ now_s: number }>()
  return row!.now_s
}

const drop = (client: ClickHouseClient, number: number) =>
  client.command({ query: `DROP TABLE IF EXISTS schema_lock_${number}` })

/** A host's name is not ours to choose. */
const quoted = (text: string) => text.replace(/[\\']/g, '\\$&')

function locked(lock: Lock): Error {
  return Object.assign(
    new Error(
      `the tables are being changed by ${lock.holder}, last heard of ${lock.ageS} s ago, and it does not finish. Wait for ` +
        `it; if it hangs, end it and run: DROP TABLE schema_lock_${lock.number}`,
    ),
    { code: 'TRUNKSCOPE_STORE_SCHEMA_LOCKED' },
  )
}
