import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Runners } from '../../../bin/commands/options.js'
import { runProgram } from '../../../bin/commands/program.js'

let folder: string
let config: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-roles-'))
  config = join(folder, 'trunkscope.yaml')
  writeFileSync(
    config,
    'kafka:\n  brokers: [kafka:9092]\nclickhouse:\n  url: http://clickhouse:8123\nagent_key: a-shared-secret\n',
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs a command line; what its runner got, what was printed, and the exit code. */
async function run(...args: string[]) {
  const got: Record<string, unknown> = {}
  let output = ''
  const runners = new Proxy({} as Runners, {
    get: (_, name) => async (options: unknown) => {
      got[String(name)] = options
    },
  })
  const write = (text: string) => {
    output += text
  }
  const exitCode = await runProgram(args, runners, { out: write, err: write })
  return { got, output, exitCode }
}

describe('the roles of a cluster', () => {
  test('capture takes where to listen, its spool and the configuration', async () => {
    const { got, exitCode } = await run(
      ...['capture', '--config', config, '--data', '/spool', '--hep-udp', '0.0.0.0:9061'],
    )
    expect(exitCode).toBe(0)
    expect(got.capture).toMatchObject({
      dataDir: '/spool',
      hepUdp: { host: '0.0.0.0', port: 9061 },
      hepTcp: { host: '127.0.0.1', port: 9060 },
      http: { host: '127.0.0.1', port: 8081 },
      configPath: config,
      config: { kafka: { brokers: ['kafka:9092'], topic: 'trunkscope.hep', base_partitions: 24 } },
    })
  })

  test('store, api and init take the configuration; each has an HTTP port of its own', async () => {
    expect((await run('store', '--config', config)).got.store).toMatchObject({ http: { port: 8082 } })
    expect((await run('api', '--config', config)).got.api).toMatchObject({ http: { port: 8080 } })
    expect((await run('init', '--config', config)).got.init).toMatchObject({
      config: { clickhouse: { database: 'trunkscope' } },
    })
  })

  test('init prints the tables of a cluster of ClickHouse servers when it is given its name', async () => {
    const { got } = await run('init', '--print-cluster-ddl', 'telephony')
    expect(got.init).toMatchObject({ clusterName: 'telephony' })
    const { exitCode, output } = await run('init', '--print-cluster-ddl', "x' y")
    expect(exitCode).not.toBe(0)
    expect(output).toContain('remote_servers')
  })

  test('the configuration is read again when it is asked for', async () => {
    const changing = join(folder, 'changing.yaml')
    writeFileSync(changing, 'carriers: []\n')
    const { got } = await run('store', '--config', changing)
    writeFileSync(changing, 'carriers:\n  - { id: alpha, peers: [198.51.100.1] }\n')
    const { readConfig } = got.store as { readConfig: () => { carriers: unknown[] } }
    expect(readConfig().carriers).toHaveLength(1)
  })

  test.each(['store', 'api'])('%s off loopback needs a token', async (role) => {
    const { exitCode, output } = await run(role, '--config', config, '--http', '0.0.0.0:8080')
    expect(exitCode).not.toBe(0)
    expect(output).toContain('TRUNKSCOPE_API_TOKEN_REQUIRED')
  })

  test('capture off loopback needs a key, an allow-list or client certificates', async () => {
    const bare = join(folder, 'bare.yaml')
    writeFileSync(bare, 'kafka:\n  brokers: [kafka:9092]\n')
    const { exitCode, output } = await run('capture', '--config', bare, '--hep-udp', '0.0.0.0:9060')
    expect(exitCode).not.toBe(0)
    expect(output).toContain('TRUNKSCOPE_CAPTURE_KEY_REQUIRED')
  })

  test.each(['capture', 'store', 'api', 'init'])('%s --help teaches, with an example', async (role) => {
    const { output } = await run(role, '--help')
    expect(output).toContain(`trunkscope ${role} --config`)
    expect(output).toContain('kafka:')
  })
})
