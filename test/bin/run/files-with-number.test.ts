import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { afterAll, describe, expect, test } from 'vitest'
import { packsWithNumber, spoolWithNumber } from '../../../bin/run/files-with-number.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-packs-'))
afterAll(() => rmSync(folder, { recursive: true }))
const NUMBER = '12025550143'

const pack = (name: string, files: Record<string, string>) => {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(
    path,
    zipSync(Object.fromEntries(Object.entries(files).map(([file, text]) => [file, strToU8(text)]))),
  )
  return path
}

describe('packs', () => {
  test('those that hold the number are found, in whatever file and folder, and no others', async () => {
    const holding = [
      pack('attempts.zip', { 'attempts.csv': `a,b\n"'+${NUMBER}",x\n` }),
      pack('below/pcap.ZIP', { 'readme.txt': 'x', 'calls.pcap': `\0\0INVITE sip:+${NUMBER}@a SIP/2.0` }),
      pack('large.zip', { 'messages.txt': `${'y'.repeat(3_000_000)} +1-202-555-0143` }),
    ]
    pack('other.zip', { 'attempts.csv': `+${NUMBER}0,9${NUMBER}` })
    writeFileSync(join(folder, 'notes.txt'), NUMBER)
    const found = await packsWithNumber(folder, NUMBER)
    expect(found.files).toBe(4)
    expect(found.holding.sort()).toEqual(holding.sort())
    expect(found.unread).toEqual([])
  })

  test('what is no zip, or is damaged, is told, and not passed over', async () => {
    const broken = join(folder, 'broken.zip')
    writeFileSync(broken, 'no zip at all')
    const { unread } = await packsWithNumber(folder, NUMBER)
    expect(unread).toEqual([{ path: broken, problem: expect.stringMatching(/no zip/) }])
  })
})

describe('spool', () => {
  test('segments that hold the number are found, over the edge of what is read at once, too', async () => {
    mkdirSync(join(folder, 'data', 'spool'), { recursive: true })
    for (const [name, text] of [
      ['one', `${'x'.repeat(65_530)}tel:+${NUMBER} `],
      ['two', `9${NUMBER}`],
    ] as const)
      writeFileSync(join(folder, 'data', 'spool', name), text)
    const found = await spoolWithNumber(join(folder, 'data'), NUMBER)
    expect(found).toEqual({ files: 2, holding: [join(folder, 'data', 'spool', 'one')], unread: [] })
    expect(await spoolWithNumber(join(folder, 'nowhere'), NUMBER)).toMatchObject({ files: 0 })
  })
})
