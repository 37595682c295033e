import { appendFile, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { BusBatch } from '../../../collector/bus/bus.js'
import { SpoolBus } from '../../../collector/bus/spool-bus.js'
import { readCursor } from '../../../collector/capture/spool-disk.js'
import { SEGMENT_HEADER_BYTES, segmentName } from '../../../collector/capture/spool-format.js'
import type { ReceivedFrame } from '../../../schemas/hep-frame.js'
import {
  append,
  frame,
  openWriter,
  readUpTo,
  until,
  withFolder,
  writeBatches,
} from '../capture/spool-support.js'

vi.setConfig({ testTimeout: 20_000 }) // Real sockets and files, on a machine that may be busy.

const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => frame(from + index))

/** Writes one batch per group, in several segments; returns where each batch lies in which file. */
async function writeSpool(folder: string, groups: ReceivedFrame[][], segmentBytes = 400) {
  const writer = await openWriter(folder, { segmentBytes })
  const ends = await writeBatches(writer, groups)
  await writer.close()
  const names = (await readdir(folder)).filter((name) => name.endsWith('.spool')).sort()
  const starts = names.map((name) => Number(name.slice(0, 16)))
  const batches = groups.map((frames, index) => {
    const to = ends[index]!
    const start = starts.findLast((value) => value < to)!
    const from = Math.max(index === 0 ? 0 : ends[index - 1]!, start + SEGMENT_HEADER_BYTES)
    return { frames, start, from, to }
  })
  return { batches, starts, endPosition: writer.endPosition }
}

const anyGroups = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }).map((sizes) => {
  let number = 0
  return sizes.map((size) => {
    number += size
    return range(number - size, number)
  })
})

describe('spool bus', () => {
  test('a spool cut at any byte gives back every batch before the cut, and all of the other segments', () =>
    fc.assert(
      fc.asyncProperty(
        anyGroups,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (groups, where) =>
          withFolder(async (folder) => {
            const { batches, starts, endPosition } = await writeSpool(folder, groups)
            const cutAt = Math.floor(where * endPosition)
            const start = starts.findLast((value) => value <= cutAt)!
            const segmentEnd = starts.find((value) => value > start) ?? endPosition
            await truncate(join(folder, segmentName(start)), cutAt - start)
            const delivered = await readUpTo(folder, endPosition)
            const kept = batches.filter((batch) => batch.start !== start || batch.to <= cutAt)
            expect(delivered.frames).toEqual(kept.flatMap((batch) => batch.frames))
            const sound = Math.max(
              start,
              ...kept.filter((batch) => batch.start === start).map((batch) => batch.to),
            )
            const hasHeader = cutAt - start >= SEGMENT_HEADER_BYTES && sound === start
            expect(delivered.damagedBytes).toBe(segmentEnd - sound - (hasHeader ? SEGMENT_HEADER_BYTES : 0))
          }),
      ),
      { numRuns: 40 },
    ))

  test('a spool with a byte flipped anywhere gives back every other batch and reports the rest', () =>
    fc.assert(
      fc.asyncProperty(
        anyGroups,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.integer({ min: 1, max: 255 }),
        (groups, where, flip) =>
          withFolder(async (folder) => {
            const { batches, starts, endPosition } = await writeSpool(folder, groups)
            const at = Math.floor(where * endPosition)
            const start = starts.findLast((value) => value <= at)!
            const path = join(folder, segmentName(start))
            const bytes = await readFile(path)
            const inReserved = at - start >= SEGMENT_HEADER_BYTES - 4 && at - start < SEGMENT_HEADER_BYTES
            bytes[at - start]! ^= flip
            await writeFile(path, bytes)
            const delivered = await readUpTo(folder, endPosition)
            const hit = batches.find((batch) => at >= batch.from && at < batch.to)
            expect(delivered.frames).toEqual(batches.flatMap((batch) => (batch === hit ? [] : batch.frames)))
            const lost = hit === undefined ? SEGMENT_HEADER_BYTES : hit.to - hit.from
            expect(delivered.damagedBytes).toBe(inReserved ? 0 : lost)
          }),
      ),
      { numRuns: 40 },
    ))

  test('a spool that was cut is appended to correctly: the torn end is reported, what comes after is whole', () =>
    fc.assert(
      fc.asyncProperty(anyGroups, fc.double({ min: 0, max: 1, noNaN: true }), (groups, where) =>
        withFolder(async (folder) => {
          const { batches, endPosition } = await writeSpool(folder, groups, 1_000_000)
          const cutAt = Math.floor(where * endPosition)
          await truncate(join(folder, segmentName(0)), cutAt)
          const writer = await openWriter(folder)
          expect(writer.endPosition).toBe(cutAt)
          await writeBatches(writer, [range(100, 103), range(103, 104)])
          await writer.close()
          const delivered = await readUpTo(folder, writer.endPosition)
          const kept = batches.filter((batch) => batch.to <= cutAt)
          expect(delivered.frames).toEqual([...kept.flatMap((batch) => batch.frames), ...range(100, 104)])
          const sound = kept.at(-1)?.to ?? (cutAt < SEGMENT_HEADER_BYTES ? 0 : SEGMENT_HEADER_BYTES)
          expect(delivered.damagedBytes).toBe(cutAt - sound)
        }),
      ),
      { numRuns: 40 },
    ))

  test('nothing behind the position the writer named is read', () =>
    withFolder(async (folder) => {
      const writer = await openWriter(folder)
      const [first] = await writeBatches(writer, [range(0, 2), range(2, 4)])
      await writer.close()
      await appendFile(join(folder, segmentName(0)), 'a batch that is being written')
      expect((await readUpTo(folder, first!)).frames).toEqual(range(0, 2))
      expect((await readUpTo(folder, writer.endPosition)).damagedBytes).toBe(0)
    }))

  test('the reader follows a writer that goes on, across segments', () =>
    withFolder(async (folder) => {
      const bus = await SpoolBus.open({ folder })
      const writer = await openWriter(folder, {
        segmentBytes: 2_000,
        onDurable: (end, receivedUntilUs) => bus.notify(end, receivedUntilUs),
      })
      const frames: ReceivedFrame[] = []
      let position = 0
      const reading = bus.subscribe(async (batch) => {
        expect(batch.position).toBe(position)
        expect(batch.damaged).toBeUndefined()
        position = batch.nextPosition
        frames.push(
          ...batch.frames.map((frame) => ({ ...frame, position: 0, bytes: Buffer.from(frame.bytes) })),
        )
      })
      for (let number = 0; number < 500; number++) {
        append(writer, frame(number))
        if (number % 7 === 0) await writer.flush()
      }
      await writer.close()
      await until(() => frames.length === 500)
      await bus.close()
      await reading
      expect(frames).toEqual(range(0, 500))
      expect(writer.segmentCount).toBeGreaterThan(5)
    }))

  test('about 1 MiB is delivered at a time, in whole batches, as views into one buffer', () =>
    withFolder(async (folder) => {
      const writer = await openWriter(folder)
      for (let number = 0; number < 5_000; number++) append(writer, frame(number, 937))
      await writer.flush()
      await writer.close()
      const { batches, frames } = await readUpTo(folder, writer.endPosition)
      expect(frames.length).toBe(5_000)
      expect(batches.length).toBeLessThan(9)
      for (const batch of batches) {
        expect(batch.nextPosition - batch.position).toBeLessThanOrEqual(1_048_576)
        expect(new Set(batch.frames.map((received) => received.bytes.buffer)).size).toBe(1)
      }
    }))

  test('the next batch waits for the handler of the one before', () =>
    withFolder(async (folder) => {
      const writer = await openWriter(folder)
      for (let number = 0; number < 3_000; number++) append(writer, frame(number, 937))
      await writer.flush()
      await writer.close()
      const bus = await SpoolBus.open({ folder })
      bus.notify(writer.endPosition, 1)
      let busy = 0
      let most = 0
      await bus.subscribe(async (batch) => {
        most = Math.max(most, ++busy)
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
        busy--
        if (batch.nextPosition >= writer.endPosition) void bus.close()
      })
      expect(most).toBe(1)
    }))

  test('an idle bus says how far time has gone', () =>
    withFolder(async (folder) => {
      const bus = await SpoolBus.open({ folder, idleMs: 1 })
      bus.notify(0, 42)
      const batch = await new Promise<BusBatch>((resolve) => {
        void bus.subscribe(async (idle) => resolve(idle))
      })
      expect(batch).toEqual({
        partition: 0,
        basePartition: 0,
        frames: [],
        position: 0,
        nextPosition: 0,
        receivedUntilUs: 42,
      })
      await bus.close()
    }))

  test('on a backlog the promise is that of the batch; at its end it is that of the writer', () =>
    withFolder(async (folder) => {
      let now = 1_000
      const writer = await openWriter(folder, { nowUs: () => now })
      for (let number = 0; number < 3_000; number++) {
        now = 1_000 + number
        writer.append(now, 0, '192.0.2.7', Buffer.alloc(937), 0, 937)
      }
      await writer.flush()
      await writer.close()
      const bus = await SpoolBus.open({ folder })
      bus.notify(writer.endPosition, 9_999_999)
      const promises: number[] = []
      let lastUs = 0
      await bus.subscribe(async (batch) => {
        for (const received of batch.frames)
          expect(received.receivedAtUs).toBeGreaterThanOrEqual(promises.at(-1) ?? 0)
        lastUs = batch.frames.at(-1)?.receivedAtUs ?? lastUs
        promises.push(batch.receivedUntilUs)
        if (batch.nextPosition >= writer.endPosition) void bus.close()
        else expect(batch.receivedUntilUs - lastUs).toBeLessThanOrEqual(1)
      })
      expect(promises.length).toBeGreaterThan(2)
      expect(promises.at(-1)).toBe(9_999_999)
    }))

  test('a restart goes on at the committed position', () =>
    withFolder(async (folder) => {
      const { batches, endPosition } = await writeSpool(folder, [range(0, 3), range(3, 5), range(5, 9)])
      const bus = await SpoolBus.open({ folder })
      bus.notify(endPosition, 1)
      expect(await bus.lag()).toEqual({ bytes: endPosition })
      await bus.commit(0, batches[1]!.to)
      expect(await bus.lag()).toEqual({ bytes: endPosition - batches[1]!.to })
      await bus.close()
      const committed: number[] = []
      const delivered = await readUpTo(folder, endPosition, {
        onCommitted: (position) => committed.push(position),
      })
      expect(delivered.frames).toEqual(range(5, 9))
      expect(committed).toEqual([batches[1]!.to])
    }))

  test('a restart of the host delivers everything that is still in the spool again, and says so', () =>
    withFolder(async (folder) => {
      const { endPosition } = await writeSpool(folder, [range(0, 3), range(3, 5)])
      const bus = await SpoolBus.open({ folder, bootId: 'boot 1' })
      await bus.commit(0, endPosition)
      await bus.close()
      const notices: string[] = []
      const onNotice = (sentence: string) => notices.push(sentence)
      const committed: number[] = []
      const onCommitted = (position: number) => committed.push(position)
      expect((await readUpTo(folder, endPosition, { bootId: 'boot 1', onNotice })).frames).toEqual([])
      expect(notices).toEqual([])
      const again = await readUpTo(folder, endPosition, { bootId: 'boot 2', onNotice, onCommitted })
      expect(again.frames).toEqual(range(0, 5))
      expect(committed).toEqual([0]) // Nothing may be deleted before it is stored again.
      expect(notices).toEqual([expect.stringContaining('host was restarted')])
      // Where the system does not tell its boot id, a restart cannot be told from a start of the program.
      expect((await readUpTo(folder, endPosition, { bootId: '' })).frames).toEqual(range(0, 5))
    }))

  test('the real boot id stands in the cursor', () =>
    withFolder(async (folder) => {
      const bus = await SpoolBus.open({ folder })
      await bus.commit(0, 0)
      const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
      expect(await readCursor(folder)).toEqual({ position: 0, bootId: bootId.trim() })
      await bus.close()
    }))

  test('commits that overtake one another leave the last one', () =>
    withFolder(async (folder) => {
      const committed: number[] = []
      const bus = await SpoolBus.open({ folder, onCommitted: (position) => committed.push(position) })
      await Promise.all([10, 20, 30, 40].map((position) => bus.commit(0, position)))
      expect((await readCursor(folder))?.position).toBe(40)
      expect(committed.at(-1)).toBe(40)
      await bus.close()
    }))

  test('what the broker had acknowledged at the last commit is told to the next process', () =>
    withFolder(async (folder) => {
      const acknowledged = { topic: 't', offsets: { 2: 40 } }
      const bus = await SpoolBus.open({ folder, acknowledged: () => acknowledged })
      expect(bus.acknowledgedBefore).toBeUndefined()
      await bus.commit(0, 10)
      await bus.close()
      const next = await SpoolBus.open({ folder })
      expect(next.acknowledgedBefore).toEqual(acknowledged)
      await next.close()
    }))

  test('a cursor that cannot be written does not keep segments from being deleted, and is told once', () =>
    withFolder(async (folder) => {
      const notices: string[] = []
      const committed: number[] = []
      const bus = await SpoolBus.open({
        folder,
        onNotice: (sentence) => notices.push(sentence),
        onCommitted: (position) => committed.push(position),
      })
      await mkdir(join(folder, 'cursor.json.tmp'))
      await bus.commit(0, 10)
      await bus.commit(0, 20)
      expect(committed).toEqual([0, 10, 20])
      expect(notices).toEqual([expect.stringContaining('cursor')])
      await bus.close()
    }))

  test('a lost segment in the middle is reported, the others are delivered', () =>
    withFolder(async (folder) => {
      const { batches, starts, endPosition } = await writeSpool(
        folder,
        [range(0, 4), range(4, 8), range(8, 12)],
        100,
      )
      await rm(join(folder, segmentName(starts[1]!)))
      const delivered = await readUpTo(folder, endPosition)
      expect(delivered.frames).toEqual([...batches[0]!.frames, ...batches[2]!.frames])
      expect(delivered.damagedBytes).toBe(starts[2]! - starts[1]!)
    }))

  test('a handler that fails ends the subscription with its error', () =>
    withFolder(async (folder) => {
      const { endPosition } = await writeSpool(folder, [range(0, 1)])
      const bus = await SpoolBus.open({ folder })
      bus.notify(endPosition, 1)
      await expect(
        bus.subscribe(async () => {
          throw new Error('the store is gone')
        }),
      ).rejects.toThrow('the store is gone')
      await bus.close()
    }))

  test('publish goes to the writer it was given, and without one is an error that says so', () =>
    withFolder(async (folder) => {
      const writer = await openWriter(folder)
      const bus = await SpoolBus.open({ folder, publish: (frames) => writer.publish(frames) })
      await bus.publish(range(0, 3))
      expect((await readUpTo(folder, writer.endPosition)).frames).toEqual(range(0, 3))
      await bus.close()
      await writer.close()
      const reader = await SpoolBus.open({ folder })
      await expect(reader.publish(range(0, 1))).rejects.toMatchObject({ code: 'TRUNKSCOPE_SPOOL_NO_WRITER' })
    }))
})
