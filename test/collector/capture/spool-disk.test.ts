import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  listSegments,
  makeSpoolFolder,
  readBootId,
  readCursor,
  realDisk,
  writeCursor,
} from '../../../collector/capture/spool-disk.js'
import { withFolder } from './spool-support.js'

describe('spool folder', () => {
  test('the cursor is replaced as a whole', () =>
    withFolder(async (folder) => {
      await mkdir(folder, { recursive: true })
      expect(await readCursor(folder)).toBeUndefined()
      await writeCursor(folder, { position: 2 ** 53 - 1, bootId: 'one' })
      await writeCursor(folder, { position: 12, bootId: 'two' })
      expect(await readCursor(folder)).toEqual({ position: 12, bootId: 'two' })
      expect(await readdir(folder)).toEqual(['cursor.json'])
      for (const nonsense of [
        '',
        '{"position":-1,"boot_id":"x"}',
        '{"position":1.5,"boot_id":"x"}',
        'null',
        '{',
      ]) {
        await writeFile(join(folder, 'cursor.json'), nonsense)
        expect(await readCursor(folder)).toBeUndefined()
      }
    }))

  test('the cursor keeps what the broker had acknowledged; what makes no sense of it is left out', () =>
    withFolder(async (folder) => {
      await mkdir(folder, { recursive: true })
      const acknowledged = { topic: 'trunkscope.hep', offsets: { 0: 17, 11: 3 } }
      await writeCursor(folder, { position: 12, bootId: 'one', acknowledged })
      expect(await readCursor(folder)).toEqual({ position: 12, bootId: 'one', acknowledged })
      for (const nonsense of [
        '7',
        'null',
        '{}',
        '{"topic":"t","offsets":{"0":"x"}}',
        '{"offsets":{"0":1}}',
      ]) {
        const text = `{"position":12,"boot_id":"one","acknowledged":${nonsense}}`
        await writeFile(join(folder, 'cursor.json'), text)
        expect(await readCursor(folder)).toEqual({ position: 12, bootId: 'one' })
      }
    }))

  test('segments are listed by position, other files are left out', () =>
    withFolder(async (folder) => {
      await makeSpoolFolder(folder)
      for (const name of ['0000000000000200.spool', '0000000000000032.spool', 'cursor.json', 'notes.txt']) {
        await writeFile(join(folder, name), 'four')
      }
      expect(await listSegments(folder)).toEqual([
        { start: 32, bytes: 4 },
        { start: 200, bytes: 4 },
      ])
    }))

  test('a segment is created with mode 0600, and never over an existing one', () =>
    withFolder(async (folder) => {
      await makeSpoolFolder(folder)
      const path = join(folder, '0000000000000000.spool')
      await (await realDisk.createSegment(path)).close()
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      await expect(realDisk.createSegment(path)).rejects.toMatchObject({ code: 'EEXIST' })
    }))

  test('the boot id is the same as long as the host runs', async () => {
    expect(await readBootId()).toBe(await readBootId())
  })
})
