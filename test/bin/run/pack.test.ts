/** The command as a whole: a folder with a real capture, and an API on a socket. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PackCommandOptions } from '../../../bin/commands/pack.js'
import { openEmbeddedEngine } from '../../../bin/connect/clickhouse.js'
import { openDataFolder } from '../../../bin/connect/data-folder.js'
import { runPack } from '../../../bin/run/pack.js'
import { truth } from '../../support/real-capture.js'
import { config, replayCapture, serve, spanOfCarrier, tokenOf } from '../../support/replayed-capture.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-pack-'))
const dataDir = join(folder, 'store')
const { alpha } = truth()
let window = { from: '', to: '' }

beforeAll(async () => {
  await replayCapture(dataDir)
  const { fromS, toS } = await spanOfCarrier(dataDir, 'alpha')
  window = { from: String(fromS), to: String(toS) }
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const ofFolder: PackCommandOptions['source'] = { kind: 'folder', dataDir, config }

async function run(changes: Partial<PackCommandOptions>): Promise<{ written: string; shown: string }> {
  let written = ''
  let shown = ''
  await runPack(
    {
      carrier: 'alpha',
      ...window,
      classes: 'bad',
      asOf: undefined,
      calls: 1_000,
      outFile: join(folder, 'pack.zip'),
      source: ofFolder,
      ...changes,
    },
    (text) => {
      written += text
    },
    {
      write: (text) => {
        shown += text
      },
    },
  )
  return { written, shown }
}

const manifestOf = (file: string) => {
  const entries = unzipSync(readFileSync(file))
  const path = Object.keys(entries).find((name) => name.endsWith('/manifest.json'))!
  return JSON.parse(Buffer.from(entries[path]!).toString('utf8'))
}

async function serving<Result>(ask: (url: string) => Promise<Result>): Promise<Result> {
  const engine = openEmbeddedEngine(dataDir)
  const api = await serve(engine, { tokens: () => [tokenOf('one', 'secret-of-a-test', 'investigator')] })
  try {
    return await ask(api.url)
  } finally {
    await api.close()
    await engine.close()
  }
}

describe('trunkscope pack', () => {
  test('from a folder it holds what was captured, tells how far it is, and gives the folder back', async () => {
    const { written, shown } = await run({})
    const file = join(folder, 'pack.zip')
    expect(written).toBe(`${file}\n`)
    expect(shown).toMatch(/Pack written: \d+ calls, [\d.]+ MB in [\d.]+ s\.\n$/)
    const manifest = manifestOf(file)
    expect(manifest.attempts.ended).toBe(alpha.attempts)
    expect(manifest.calls).toMatchObject({
      given: Math.min(1_000, manifest.attempts.failed),
      without_messages: 0,
    })
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
    openDataFolder(dataDir).release()
  }, 60_000)

  test('asked of a running API it is the same bytes', async () => {
    const file = join(folder, 'pack.zip')
    const { request } = manifestOf(file)
    const token = join(folder, 'token')
    writeFileSync(token, 'secret-of-a-test\n')
    const other = join(folder, 'other.zip')
    await serving((url) =>
      run({ asOf: request.as_of, outFile: other, source: { kind: 'api', url, tokenFile: token } }),
    )
    expect(readFileSync(other).equals(readFileSync(file))).toBe(true)
  }, 60_000)

  test('what the API refuses is told with its code, and no file is left', async () => {
    const outFile = join(folder, 'none.zip')
    await expect(run({ classes: 'colour', outFile })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_API_BAD_VALUE',
      message: expect.stringContaining('class=colour is no failure class'),
    })
    await serving(async (url) => {
      const source = { kind: 'api' as const, url, tokenFile: undefined }
      await expect(run({ outFile, source })).rejects.toMatchObject({ code: 'TRUNKSCOPE_API_UNAUTHORIZED' })
    })
    expect(existsSync(outFile)).toBe(false)
  })

  test('a file that cannot be written is told so', async () => {
    await expect(run({ outFile: join(folder, 'nowhere', 'pack.zip'), calls: 1 })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_PACK_NOT_WRITTEN',
    })
  })

  test('an answer that breaks off leaves no file; nobody there is told so; a server chooses no place to write', async () => {
    const server: Server = createServer((_, response) => {
      response.writeHead(200, { 'content-disposition': 'attachment; filename="../../evil.zip"' })
      response.write('PK')
      setImmediate(() => response.destroy())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const outFile = join(folder, 'broken.zip')
    const source = { kind: 'api' as const, url, tokenFile: undefined }
    await expect(run({ outFile, source })).rejects.toMatchObject({ code: 'TRUNKSCOPE_PACK_NO_ANSWER' })
    expect(readdirSync(folder).filter((name) => name.startsWith('broken'))).toEqual([])
    server.close()
    await expect(run({ outFile, source })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_PACK_NO_ANSWER',
      message: expect.stringContaining('gives no answer'),
    })
    await expect(run({ source: { ...source, tokenFile: join(folder, 'missing') } })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_ASK_TOKEN_FILE',
    })
  })
})
