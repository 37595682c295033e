import { describe, expect, test } from 'vitest'
import { PackZip } from '../../../api/packs/zip.js'
import { PackProgress } from '../../../bin/run/pack-progress.js'

async function zipOf(calls: number): Promise<Buffer> {
  const zip = new PackZip('dispute-alpha', 0)
  const pieces: Uint8Array[] = []
  for (let at = 1; at <= calls; at++) {
    const name = `calls/${String(at).padStart(4, '0')}-${at.toString(16).padStart(32, '0')}.txt`
    for await (const piece of zip.file(name, [`call ${at}`.repeat(20)])) pieces.push(piece)
  }
  pieces.push(...zip.end())
  return Buffer.concat(pieces)
}

describe('the progress of a pack', () => {
  test('counts calls as they come, however the bytes are cut', async () => {
    const zip = await zipOf(40)
    for (const size of [1, 7, 100, 5_000, zip.length]) {
      const progress = new PackProgress(40, 0, () => 0)
      let last = ''
      for (let at = 0; at < zip.length; at += size) last = progress.add(zip.subarray(at, at + size))
      expect([size, last]).toEqual([size, `Calls 40 of 40, ${(zip.length / 1e6).toFixed(1)} MB, 0 s left`])
    }
  })

  test('tells the time that is left, and at the end what was written', async () => {
    const zip = await zipOf(10)
    let nowMs = 1_000
    const progress = new PackProgress(40, 0, () => nowMs)
    progress.add(zip.subarray(0, 10))
    nowMs = 2_000
    expect(progress.add(zip.subarray(10))).toMatch(/^Calls 10 of 40, 0\.0 MB, 3 s left$/)
    expect(progress.last()).toBe('Pack written: 40 calls, 0.0 MB in 2.0 s.')
  })

  test('a server that says no number of calls is shown bytes', () => {
    expect(new PackProgress(Number('x'), 0, () => 0).add(Buffer.alloc(2e6))).toBe('Calls 0 of 0, 2.0 MB')
  })
})
