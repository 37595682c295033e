import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { ReplayOptions, Runners } from '../../../bin/commands/options.js'
import { runProgram } from '../../../bin/commands/program.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-replay-options-'))
const capture = join(folder, 'calls.pcap')
writeFileSync(capture, '')
afterAll(() => rmSync(folder, { recursive: true }))

async function run(...more: string[]) {
  let ran: ReplayOptions | undefined
  let said = ''
  const note = (text: string) => {
    said += text
  }
  const runners = new Proxy({} as Runners, {
    get: () => async (options: ReplayOptions) => {
      ran = options
    },
  })
  const exitCode = await runProgram(['replay', capture, '--data', folder, ...more], runners, {
    out: note,
    err: note,
  })
  return { exitCode, ran, said }
}

describe('trunkscope replay', () => {
  test('names the agent of pcap files: pcap and no number, unless told otherwise', async () => {
    expect((await run()).ran?.pcapAgent).toEqual({ agentId: 0, agentName: 'pcap' })
    const told = await run('--agent-id', '2001', '--agent-name', 'border-1@fra')
    expect(told.ran?.pcapAgent).toEqual({ agentId: 2001, agentName: 'border-1@fra' })
  })

  test.each([
    ['--agent-id', '-1'],
    ['--agent-id', '4294967296'],
    ['--agent-id', 'sbc'],
    ['--agent-name', ''],
    ['--agent-name', 'a/b\n'],
    ['--agent-name', 'x'.repeat(65)],
  ])('%s %j is refused with what to write', async (option, value) => {
    const { exitCode, ran, said } = await run(`${option}=${value}`)
    expect([exitCode, ran]).toEqual([2, undefined])
    expect(said).toContain('Write ')
  })
})
