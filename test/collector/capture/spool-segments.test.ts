import { mkdir, readdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { SpoolSegments } from '../../../collector/capture/spool-segments.js'
import {
  append,
  errno,
  type Faults,
  faultyDisk,
  frame,
  openWriter,
  readUpTo,
  until,
  withFolder,
  writeBatches,
} from './spool-support.js'

const segmentsIn = async (folder: string) =>
  (await readdir(folder)).filter((name) => name.endsWith('.spool')).sort()

const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => frame(from + index))

describe('spool segments', () => {
  test('a segment is closed at its size and the next one begins where it ends', () =>
    withFolder(async (folder) => {
      const writer = await openWriter(folder, { segmentBytes: 300 })
      const ends = await writeBatches(
        writer,
        Array.from({ length: 12 }, (_, index) => [frame(2 * index), frame(2 * index + 1)]),
      )
      await writer.close()
      const names = await segmentsIn(folder)
      expect(names.length).toBeGreaterThan(3)
      for (const name of names.slice(1)) expect(ends).toContain(Number(name.slice(0, 16)))
      const delivered = await readUpTo(folder, writer.endPosition)
      expect(delivered.frames.length).toBe(24)
      expect(delivered.damagedBytes).toBe(0)
    }))

  test('a segment is deleted when all of it is committed and its safety age has passed, not before', () =>
    withFolder(async (folder) => {
      let nowMs = 0
      const writer = await openWriter(folder, { segmentBytes: 100, safetyAgeMs: 1_000, nowMs: () => nowMs })
      const ends = await writeBatches(writer, [range(0, 2), range(2, 4), range(4, 6)])
      await until(() => writer.segmentCount === 3)
      writer.committed(ends[1]! - 1) // All of the first, not all of the second.
      nowMs = 999
      writer.collect()
      expect(writer.segmentCount).toBe(3)
      nowMs = 1_000
      writer.collect()
      expect(writer.segmentCount).toBe(2)
      writer.committed(ends[2]!)
      nowMs = 1_999
      writer.collect()
      expect(writer.segmentCount).toBe(2)
      nowMs = 2_000
      writer.collect()
      expect(writer.segmentCount).toBe(0)
      await writer.close()
      expect(await segmentsIn(folder)).toEqual([])
      expect(writer.sizeBytes).toBe(0)
    }))

  test('a quiet spool does not keep its last segment for ever', () =>
    withFolder(async (folder) => {
      let nowMs = 0
      const writer = await openWriter(folder, { safetyAgeMs: 1_000, nowMs: () => nowMs })
      await writeBatches(writer, [range(0, 2)])
      writer.committed(writer.endPosition)
      nowMs = 1_000
      writer.collect()
      await writer.close()
      writer.collect()
      nowMs = 2_000
      writer.collect()
      expect(writer.segmentCount).toBe(0)
    }))

  test('a spool at its size limit refuses with spool_full, goes on when segments go, and says both', () =>
    withFolder(async (folder) => {
      const notices: string[] = []
      const writer = await openWriter(folder, {
        sizeMaxBytes: 1_048_576,
        batchBytes: 131_072,
        onNotice: (sentence) => notices.push(sentence),
      })
      let taken = 0
      let refused = ''
      while (writer.state !== 'full') {
        refused = append(writer, frame(taken++, 1_000))
        if (refused === '') continue
        await writer.flush()
        writer.collect() // What was held is on disk now: there may be room again.
      }
      expect(refused).toBe('spool_full')
      expect(writer.state).toBe('full')
      expect(writer.sizeBytes).toBeLessThanOrEqual(1_048_576)
      expect(notices.join()).toContain('spool.size_max_bytes')
      // Committed segments go before their safety age: new frames are worth more than a second copy of old ones.
      writer.committed(writer.endPosition)
      await until(() => writer.state === 'writing')
      expect(writer.segmentsCutShort).toBeGreaterThan(0)
      expect(append(writer, frame(1))).toBe('')
      await writer.close()
    }))

  test('a name that is taken is never written over', () =>
    withFolder(async (folder) => {
      const faults: Faults = {}
      const disk = faultyDisk(faults)
      disk.unlink = async () => {
        throw errno('EIO')
      }
      const notices: string[] = []
      const options = { folder, disk, segmentBytes: 1_000, safetyAgeMs: 1_000, nowMs: () => 0 }
      const segments = await SpoolSegments.open({
        ...options,
        onNotice: (sentence) => notices.push(sentence),
      })
      const batch = () => ({ buffer: Buffer.alloc(100), end: 32, count: 0, receivedUntilUs: 5 })
      faults.datasync = () => {
        throw errno('EIO')
      }
      expect(await segments.write([batch()])).toEqual({ kind: 'failed', code: 'EIO' })
      faults.datasync = undefined
      expect(await segments.write([batch()])).toBeUndefined()
      await segments.end()
      expect(await segmentsIn(folder)).toEqual(['0000000000000000.spool', '0000000000000001.spool'])
    }))

  test('a segment that cannot be deleted is told of', () =>
    withFolder(async (folder) => {
      await mkdir(folder, { recursive: true })
      const disk = faultyDisk({})
      disk.unlink = async () => {
        throw errno('EPERM')
      }
      const notices: string[] = []
      const writer = await openWriter(folder, {
        disk,
        segmentBytes: 100,
        safetyAgeMs: 0,
        onNotice: (sentence) => notices.push(sentence),
      })
      await writeBatches(writer, [range(0, 2), range(2, 4)])
      await until(() => writer.segmentCount === 2)
      writer.committed(writer.endPosition)
      await until(() => notices.length === 2)
      expect(notices[0]).toBe(
        'Cannot delete 0000000000000000.spool from the spool (EPERM): delete it by hand.',
      )
      await writer.close()
    }))
})
