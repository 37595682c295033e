import { describe, expect, test } from 'vitest'
import { clusterDdl, clusterStatements } from '../../../collector/store/cluster-ddl.js'
import { columnAddition, KPI_TABLES, migrations } from '../../../collector/store/schema.js'
import { KPI_COLUMNS } from '../../../schemas/kpi-rollup.js'

const CLUSTER = { name: 'voice', database: 'calls' }

describe('tables of a cluster (text only: it ran nowhere)', () => {
  test('a table becomes a replicated one on every shard and one that spreads over them', () => {
    const sql = `CREATE TABLE IF NOT EXISTS sums
(
    hour   DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    bus_partition UInt16,
    n      UInt64
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, bus_partition)
TTL hour + INTERVAL 13 MONTH
SETTINGS min_bytes_for_wide_part = 268435456`
    expect(clusterStatements(sql, CLUSTER)).toEqual([
      `CREATE TABLE IF NOT EXISTS calls.sums_local ON CLUSTER voice
(
    hour   DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    bus_partition UInt16,
    n      UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/calls/sums_local', '{replica}', version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, bus_partition)
TTL hour + INTERVAL 13 MONTH
SETTINGS min_bytes_for_wide_part = 268435456`,
      `CREATE TABLE IF NOT EXISTS calls.sums ON CLUSTER voice AS calls.sums_local
ENGINE = Distributed(voice, calls, sums_local, bus_partition)`,
    ])
  })

  test('an engine without arguments gets those of replication only', () => {
    const [local] = clusterStatements(
      'CREATE TABLE IF NOT EXISTS t (a UInt8)\nENGINE = ReplacingMergeTree\nORDER BY a',
      CLUSTER,
    )
    expect(local).toContain(
      "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/calls/t_local', '{replica}')\n",
    )
  })

  test('a table made like another is made like the one of the shard', () => {
    const [local, spread] = clusterStatements(
      'CREATE TABLE IF NOT EXISTS call_attempts_new AS call_attempts\nENGINE = MergeTree\nORDER BY attempt_id',
      CLUSTER,
    )
    expect(local).toMatch(
      /call_attempts_new_local ON CLUSTER voice AS calls\.call_attempts_local\nENGINE = Replicated/,
    )
    expect(spread).toMatch(/ON CLUSTER voice AS calls\.call_attempts_new_local\n.*cityHash64\(call_id\)\)$/)
  })

  test('attempts and messages go by Call-ID, so that FINAL finds all rows of one identity on one shard', () => {
    const ddl = clusterDdl(migrations(), new Map(), CLUSTER)
    const keyOf = (table: string) =>
      ddl
        .map(
          (sql) => new RegExp(`ENGINE = Distributed\\(voice, calls, ${table}_local, (.*)\\)$`).exec(sql)?.[1],
        )
        .find(Boolean)
    expect(keyOf('call_attempts')).toBe('cityHash64(call_id)')
    expect(keyOf('sip_messages')).toBe('cityHash64(call_id)')
    for (const table of ['kpi_minute', 'kpi_hour', 'kpi_day', 'agents_minute', 'store_checkpoints']) {
      expect(keyOf(table)).toBe('bus_partition')
    }
    expect(keyOf('rejected_frames')).toBe('cityHash64(stage, reason, received_at, sample_id)')
    expect(keyOf('schema_migrations')).toBe('cityHash64(number)')
  })

  test('every table of every migration is in it twice, and every migration is recorded', () => {
    const ddl = clusterDdl(migrations(), new Map(), CLUSTER)
    const tables = migrations().flatMap(({ statements }) =>
      statements.flatMap((sql) => /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(sql)?.[1] ?? []),
    )
    for (const table of tables) {
      const made = ddl.filter((sql) =>
        new RegExp(`^CREATE TABLE IF NOT EXISTS calls\\.${table}(_local)? `).test(sql),
      )
      expect(made, table).toHaveLength(2)
      expect(made[0]).toContain('ENGINE = Replicated')
    }
    for (const { number, name } of migrations()) {
      expect(ddl).toContain(
        `INSERT INTO calls.schema_migrations (number, name) VALUES (${number}, '${name}')`,
      )
    }
  })

  test('columns are added to both tables, without their compression where nothing is kept', () => {
    const columns = new Map(KPI_TABLES.map((table) => [table, KPI_COLUMNS.slice(0, 1).map(columnAddition)]))
    const { name, type } = KPI_COLUMNS[0]!
    expect(clusterDdl([], columns, CLUSTER).slice(-2)).toEqual([
      `ALTER TABLE calls.kpi_day_local ON CLUSTER voice ADD COLUMN IF NOT EXISTS ${name} ${type} CODEC(ZSTD(1))`,
      `ALTER TABLE calls.kpi_day ON CLUSTER voice ADD COLUMN IF NOT EXISTS ${name} ${type}`,
    ])
  })

  test('how rows are kept is changed on the shards only', () => {
    expect(clusterStatements('ALTER TABLE t MODIFY TTL a + INTERVAL 3 DAY', CLUSTER)).toEqual([
      'ALTER TABLE calls.t_local ON CLUSTER voice MODIFY TTL a + INTERVAL 3 DAY',
    ])
  })

  test('rows made from tables of before are left out: a new cluster has none', () => {
    expect(clusterStatements('INSERT INTO b (x)\nSELECT x FROM a', CLUSTER)).toEqual([])
  })

  test('a statement it does not know is an error, never left out', () => {
    expect(() => clusterStatements('DROP TABLE sip_messages', CLUSTER)).toThrow(
      'clusterDdl does not know what this is in a cluster: DROP TABLE sip_messages',
    )
    expect(() => clusterStatements('CREATE TABLE IF NOT EXISTS t (a UInt8)\nENGINE = Log', CLUSTER)).toThrow(
      'no replicated engine of t',
    )
  })

  test('a name of the cluster that is no word is refused', () => {
    expect(() => clusterDdl([], new Map(), { ...CLUSTER, name: "x' y" })).toThrow(RangeError)
  })
})
