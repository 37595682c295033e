import fc from 'fast-check'
import { unzipSync } from 'fflate'
import { describe, expect, test } from 'vitest'
import { PackZip } from '../../../api/packs/zip.js'

async function zipped(files: Record<string, Uint8Array>, zone?: string): Promise<Buffer> {
  const before = process.env.TZ
  if (zone !== undefined) process.env.TZ = zone
  const zip = new PackZip('folder', Date.UTC(2026, 2, 29, 2, 30))
  const pieces: Uint8Array[] = []
  for (const [name, body] of Object.entries(files))
    for await (const piece of zip.file(name, [body])) pieces.push(piece)
  pieces.push(...zip.end())
  process.env.TZ = before
  return Buffer.concat(pieces)
}

describe('the zip of a pack', () => {
  test('gives back what was put in, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200_000 }), async (body) => {
        const opened = unzipSync(await zipped({ 'a.bin': body, 'b/c.txt': body }))
        expect(Buffer.from(opened['folder/a.bin']!).equals(body)).toBe(true)
        expect(Buffer.from(opened['folder/b/c.txt']!).equals(body)).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  test('is the same bytes in every time zone, on the day the clocks change too', async () => {
    const files = { 'a.txt': Buffer.from('a'.repeat(100_000)), 'b.txt': Buffer.alloc(0) }
    const utc = await zipped(files, 'UTC')
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Pacific/Kiritimati', 'Africa/Cairo']) {
      expect([zone, (await zipped(files, zone)).equals(utc)]).toEqual([zone, true])
    }
  })

  test('takes no name that is not one of ours', async () => {
    const zip = new PackZip('folder', 0)
    for (const name of ['../a', '/a', '.a', 'a/../b', 'a//b', 'a b', '', 'ä', 'a\n', 'a\\b', 'calls/.x']) {
      await expect(zip.file(name, []).next(), name).rejects.toThrow('is no name of ours')
    }
    expect(() => new PackZip('..', 0)).toThrow('is no name of ours')
  })
})
