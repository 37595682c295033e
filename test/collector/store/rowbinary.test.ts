import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ClickHouseWriter, shapeOf } from '../../../collector/store/clickhouse-writer.js'
import { encodeRows, RowBinaryWriter } from '../../../collector/store/rowbinary.js'
import type { Column, ColumnType } from '../../../schemas/call-attempts.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())

const LONG = 'ä'.repeat(70_000)
/** What is written, and how the engine gives it back. */
const VALUES: { type: ColumnType; read?: string; values: [written: unknown, readBack: unknown][] }[] = [
  {
    type: 'String',
    values: [
      ['', ''],
      ['plain', 'plain'],
      ['Zürich, 東京, 🕿', 'Zürich, 東京, 🕿'],
      ['a\u0000b\nc\t"d"\\', 'a\u0000b\nc\t"d"\\'],
      [LONG, LONG],
      [Buffer.from('bytes'), 'bytes'],
      [Buffer.alloc(0), ''],
      ['x'.repeat(127), 'x'.repeat(127)],
      ['x'.repeat(128), 'x'.repeat(128)],
      ['x'.repeat(16_384), 'x'.repeat(16_384)],
    ],
  },
  {
    type: 'FixedString(16)',
    read: 'lower(hex(value))',
    values: [
      ['00112233445566778899aabbccddeeff', '00112233445566778899aabbccddeeff'],
      ['ffffffffffffffffffffffffffffffff', 'ffffffffffffffffffffffffffffffff'],
      ['0'.repeat(32), '0'.repeat(32)],
    ],
  },
  {
    type: 'Bool',
    values: [
      [true, true],
      [false, false],
    ],
  },
  { type: 'UInt8', values: [0, 1, 255].map((value) => [value, value]) },
  {
    type: 'UInt16',
    values: [
      [0, 0],
      [5_060, 5_060],
      [65_535, 65_535],
      [70_000, 65_535],
    ],
  },
  { type: 'UInt32', values: [0, 4_294_967_295, 2_147_483_648].map((value) => [value, value]) },
  {
    type: 'UInt64',
    values: [0, 1, 4_294_967_295, 4_294_967_296, 1_789_376_400_000_000, Number.MAX_SAFE_INTEGER].map(
      (value) => [value, String(value)],
    ),
  },
  {
    type: 'Int64',
    values: [
      0,
      -1,
      1,
      -4_294_967_296,
      -4_294_967_297,
      2_147_483_647,
      -2_147_483_648,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
    ].map((value) => [value, String(value)]),
  },
  { type: 'Float64', values: [0, 1.5, -0.001, 1e300, 1e-300].map((value) => [value, value]) },
  {
    type: 'Nullable(Float64)',
    values: [
      [null, null],
      [0, 0],
      [2_400.001, 2_400.001],
      [-3, -3],
    ],
  },
  {
    type: 'DateTime',
    read: 'toUInt32(value)',
    values: [0, 1_789_376_400, 4_294_967_295].map((value) => [value, value]),
  },
  {
    type: 'DateTime64(6)',
    read: 'toUnixTimestamp64Micro(value)',
    values: [0, 1, 1_789_376_400_123_456, 999_999, -1_000_001].map((value) => [value, String(value)]),
  },
  {
    type: 'Array(String)',
    values: [
      [[], []],
      [[''], ['']],
      [
        ['a', 'ü', ''],
        ['a', 'ü', ''],
      ],
      [Array.from({ length: 300 }, String), Array.from({ length: 300 }, String)],
    ],
  },
]

interface Row {
  at: number
  value: unknown
}

describe('rowbinary, through the real engine', () => {
  for (const { type, read = 'value', values } of VALUES) {
    test(`${type} comes back as it was written`, async () => {
      const table = `round_trip_${type.replace(/\W+/g, '_').toLowerCase()}`
      const columns: Column<Row>[] = [
        { name: 'at', type: 'UInt32', of: (row) => row.at },
        { name: 'value', type, of: (row) => row.value },
      ]
      const shape = shapeOf(table, columns)
      await engine.writer.command({
        query: `CREATE TABLE ${table} (${shape.structure}) ENGINE = MergeTree ORDER BY at`,
      })
      const rows = new RowBinaryWriter()
      values.forEach(([value], at) => {
        rows.row(columns, { at, value })
      })
      await new ClickHouseWriter(engine.writer, engine.insertFolder).insert(shape, rows.take())
      const stored = await rowsOf<{ got: unknown }>(
        engine.writer,
        `SELECT ${read} AS got FROM ${table} ORDER BY at`,
      )
      expect(stored.map((row) => row.got)).toEqual(values.map(([, readBack]) => readBack))
    })
  }

  test('a latin1 text of the wire is written as UTF-8, a buffer byte for byte', () => {
    const writer = new RowBinaryWriter()
    writer.text('caf\u00e9')
    writer.bytes(Buffer.from([0xe9, 0x00]))
    expect([...Buffer.concat(writer.take())]).toEqual([5, 0x63, 0x61, 0x66, 0xc3, 0xa9, 2, 0xe9, 0x00])
  })

  describe('rows that fill many chunks', () => {
    const columns: Column<string>[] = [{ name: 'x', type: 'String', of: (row) => row }]
    const texts = Array.from({ length: 60 }, (_, n) =>
      String.fromCharCode(97 + (n % 26)).repeat(n % 7 === 0 ? 1_200_000 : 99_000),
    )

    test('come back whole, texts longer than a chunk included', async () => {
      await engine.writer.command({ query: 'CREATE TABLE many_chunks (x String) ENGINE = Memory' })
      const writer = new ClickHouseWriter(engine.writer, engine.insertFolder)
      for (let again = 0; again < 3; again++) {
        const chunks = encodeRows(columns, texts)
        await writer.insert(shapeOf('many_chunks', columns), chunks)
        // Used again at once: nothing of the rows before may shine through.
        RowBinaryWriter.release(chunks)
      }
      const stored = await rowsOf(
        engine.writer,
        'SELECT lower(hex(MD5(x))) AS sum, count() AS n FROM many_chunks GROUP BY sum ORDER BY sum',
      )
      const sums = texts.map((text) => createHash('md5').update(text).digest('hex'))
      const counts = [...new Set(sums)]
        .sort()
        .map((sum) => ({ sum, n: String(3 * sums.filter((one) => one === sum).length) }))
      expect(stored).toEqual(counts)
    })

    test('are counted, and the writer begins anew when they are taken', () => {
      const writer = new RowBinaryWriter()
      for (const text of texts) writer.row(columns, text)
      const sizeBytes = texts.reduce((sum, text) => sum + text.length + 3, 0)
      expect([writer.rows, writer.sizeBytes]).toEqual([texts.length, sizeBytes])
      const taken = Buffer.concat(writer.take())
      expect([taken.length, writer.rows, writer.sizeBytes]).toEqual([sizeBytes, 0, 0])
    })
  })
})
