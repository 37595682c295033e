import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Receiver } from '../../support/receiver.js'
import { noticeOf } from './notice.js'

const support = (name: string) => fileURLToPath(new URL(`../../support/${name}`, import.meta.url))

let folder: string
let receiver: Receiver
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-outbox-'))
  receiver = await Receiver.start()
})
afterEach(async () => {
  await receiver.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs the process to its end; gives back the signal it died of, and what it said. */
async function run(mode: 'decide' | 'tell' | 'deliver'): Promise<{ signal: string | null; said: string }> {
  const child = spawn(
    process.execPath,
    ['--import', support('typescript-loader.mjs'), support('outbox-process.ts'), folder, receiver.url, mode],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { signal, said }
}

const alpha = noticeOf('alpha').key
const bravo = noticeOf('bravo').key
const ids = () => receiver.requests.map(({ headers }) => headers['webhook-id'] as string)

describe('kill -9', () => {
  test('between decision and delivery loses no alert', async () => {
    expect((await run('decide')).signal).toBe('SIGKILL')
    expect(ids()).toEqual([])
    const { said } = await run('deliver')
    expect(JSON.parse(said)).toMatchObject([{ id: 'hook', state: 'ok', waiting: 0, firing: 1 }])
    expect(ids().filter((id) => id.startsWith(alpha))).toEqual([`${alpha}.1`, `${alpha}.2`])
    expect(ids().filter((id) => id.startsWith(bravo))).toEqual([`${bravo}.1`])
    // And nothing is left for the next one.
    await run('deliver')
    expect(ids()).toHaveLength(3)
  }, 120_000)

  test('between delivery and its note tells twice, under one id, in order, each verified', async () => {
    expect((await run('tell')).signal).toBe('SIGKILL')
    const [told] = ids()
    expect(ids()).toEqual([told])
    await run('deliver')
    expect(ids().filter((id) => id === told)).toHaveLength(2)
    expect(ids().filter((id) => id.startsWith(alpha))).toEqual(
      told === `${alpha}.1` ? [told, told, `${alpha}.2`] : [`${alpha}.1`, `${alpha}.2`],
    )
    const verifier = new Webhook(`whsec_${Buffer.alloc(32, 7).toString('base64')}`)
    for (const { body, headers } of receiver.requests)
      expect(verifier.verify(body, headers as Record<string, string>)).toBeTruthy()
  }, 120_000)
})
