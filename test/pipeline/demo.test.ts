import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KpiAnswer } from '../../api/kpi/answer.js'
import { DEMO_CONFIG } from '../../bin/demo/network.js'
import { sendTcp } from '../../bin/demo/send.js'
import { Traffic } from '../../bin/demo/traffic.js'
import type { ExpectedAttempt } from '../../bin/demo/truth.js'
import { CollectorProcess, TRUNKSCOPE } from '../support/collector-process.js'

let folder: string
let demo: ChildProcess | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-demo-'))
})
afterEach(async () => {
  if (demo !== undefined && demo.exitCode === null && demo.signalCode === null) {
    const exited = once(demo, 'exit')
    demo.kill('SIGKILL')
    await exited
  }
  rmSync(folder, { recursive: true, force: true })
})

const FREE = ['--hep-udp', '127.0.0.1:0', '--hep-tcp', '127.0.0.1:0', '--http', '127.0.0.1:0']

function startDemo(...more: string[]): {
  child: ChildProcess
  output: () => string
  address: Promise<string>
} {
  const child = spawn(process.execPath, [TRUNKSCOPE, 'demo', '--data', folder, ...FREE, ...more])
  let output = ''
  const address = new Promise<string>((resolve) => {
    const take = (chunk: Buffer) => {
      output += chunk.toString()
      const found = /page {6}(http:\/\/[^/\s]+)/.exec(output)?.[1]
      if (found !== undefined) resolve(found)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
  })
  return { child, output: () => output, address }
}

describe('trunkscope demo', () => {
  test('shows carriers from calls that came through the socket, marks them as demo data, refuses a second process, stops on Ctrl-C', async () => {
    const first = startDemo('--calls-per-second', '2')
    demo = first.child
    const http = await first.address
    const answer = async () => (await (await fetch(`${http}/v1/kpis?group_by=carrier`)).json()) as KpiAnswer
    let groups: KpiAnswer['groups'] = []
    while (groups.length === 0 || groups.some((group) => group.attempts === 0))
      groups = (await answer()).groups
    expect(groups).toHaveLength(6)
    expect(await (await fetch(http)).text()).toContain('demo data')
    expect(readdirSync(join(folder, 'signers')).sort()).toEqual(['certificates', 'keys', 'roots.pem'])

    const second = startDemo()
    const [code] = await once(second.child, 'exit')
    expect(code).not.toBe(0)
    expect(second.output()).toContain('TRUNKSCOPE_DATA_IN_USE')

    const exited = once(demo, 'exit')
    demo.kill('SIGINT')
    expect((await exited)[0]).toBe(0)
    expect(first.output()).toContain('stopped')
  }, 60_000)

  test('half an hour of invented calls gives exactly the numbers that the generator says', async () => {
    const config = join(folder, 'network.json')
    writeFileSync(config, JSON.stringify(DEMO_CONFIG))
    const collector = await CollectorProcess.start({ dataDir: join(folder, 'data'), config })
    const expected: ExpectedAttempt[] = []
    // Calls begin for half an hour, and have until a minute ago to end.
    const endUs = Math.floor(Date.now() / 60_000) * 60_000_000 - 60_000_000
    const fromUs = endUs - 3 * 3_600_000_000
    const toUs = fromUs + 1_800_000_000
    const traffic = new Traffic({ seed: 7, onCall: (call) => expected.push(call) })
    const frames = function* () {
      yield* traffic.backfill(fromUs, toUs, 4)
      yield* traffic.backfill(toUs, endUs, 1e-9)
    }
    const to = { transport: 'tcp' as const, host: '127.0.0.1', port: collector.hepTcpPort }
    const sent = await sendTcp(frames(), to)
    await collector.accepted(sent.frames)
    await collector.settled()
    expect(expected.length).toBeGreaterThan(6_000)
    for (const more of ['', '&exact=true']) {
      const span = `from=${fromUs / 1e6}&to=${endUs / 1e6}`
      const answer = await collector.json<KpiAnswer>(
        `/v1/kpis?${span}&group_by=carrier,site,direction${more}`,
      )
      const truth = new Map<string, ExpectedAttempt[]>()
      for (const one of expected) truth.set(keyOf(one), [...(truth.get(keyOf(one)) ?? []), one])
      const groups = answer.groups.filter((group) => group.attempts + group.open + group.incomplete > 0)
      expect(groups.map((group) => Object.values(group.by).join('|')).sort()).toEqual(
        [...truth.keys()].sort(),
      )
      for (const group of groups)
        expectGroup(group, truth.get(Object.values(group.by).join('|')) ?? [], endUs)
    }
    expect(await collector.stop()).toBe(0)
  }, 120_000)
})

const keyOf = (attempt: ExpectedAttempt) => `${attempt.carrier}|${attempt.site}|${attempt.direction}`

function expectGroup(group: KpiAnswer['groups'][number], truth: ExpectedAttempt[], endUs: number): void {
  const counts = (of: (attempt: ExpectedAttempt) => string | number) => {
    const found: Record<string, number> = {}
    for (const attempt of truth) if (of(attempt)) found[of(attempt)] = (found[of(attempt)] ?? 0) + 1
    return found
  }
  expect(group).toMatchObject({ attempts: truth.length, open: 0, incomplete: 0 })
  expect(group.responses).toEqual(counts((attempt) => attempt.finalCode))
  expect(group.dispositions).toEqual(counts((attempt) => attempt.disposition))
  expect(group.cancels).toEqual(counts((attempt) => attempt.cancelClass))
  expect(group.attestation).toEqual({
    A: 0,
    B: 0,
    C: 0,
    none: 0,
    malformed: 0,
    ...counts((attempt) => attempt.attestation),
  })
  const delays = truth.flatMap((attempt) => attempt.pddMs ?? []).sort((a, b) => a - b)
  const median = group.kpis.pdd_p50
  expect(median).toMatchObject({ count: delays.length })
  if (delays.length >= 20) {
    const nearestRank = (delays[Math.ceil(delays.length / 2) - 1] ?? 0) / 1_000
    expect(Math.abs((median?.value ?? 0) / nearestRank - 1)).toBeLessThan(0.02)
  }
  const ended = truth.filter((attempt) => attempt.durationMs !== null && attempt.byeAtUs < endUs)
  expect(group.kpis.acd).toMatchObject({ count: ended.length })
  const meanS = ended.reduce((sum, attempt) => sum + (attempt.durationMs ?? 0), 0) / ended.length / 1_000
  if (ended.length > 0) expect(group.kpis.acd?.value).toBeCloseTo(meanS, 2)
}
