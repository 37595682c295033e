import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readMarks, settleMarks } from '../../../collector/store/marks.js'
import { openTestEngine, type TestEngine } from '../../support/engine.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())
beforeEach(() => engine.writer.command({ query: 'TRUNCATE TABLE stale_minutes' }))

const mark = (basePartition: number, minuteS: number) =>
  engine.writer.command({
    query: `INSERT INTO stale_minutes (bus_partition, minute, marked_at, done)
            SELECT {partition:UInt16}, toDateTime({minute:UInt32}), now64(6), 0`,
    query_params: { partition: basePartition, minute: minuteS },
  })

describe('marks', () => {
  test('of these base partitions only, and not after they are settled', async () => {
    await mark(1, 600)
    await mark(2, 660)
    await mark(9, 720)
    const marks = await readMarks(engine.writer, [1, 2])
    expect(marks.map(({ basePartition, minuteS }) => [basePartition, minuteS]).sort()).toEqual([
      [1, 600],
      [2, 660],
    ])
    await settleMarks(engine.writer, marks)
    expect(await readMarks(engine.writer, [1, 2])).toEqual([])
    expect(await readMarks(engine.writer, [9])).toHaveLength(1)
  })

  test('a mark that comes while the minute is recomputed stands after it was settled', async () => {
    await mark(1, 600)
    const marks = await readMarks(engine.writer, [1])
    await mark(1, 600)
    await settleMarks(engine.writer, marks)
    expect(await readMarks(engine.writer, [1])).toHaveLength(1)
  })
})
