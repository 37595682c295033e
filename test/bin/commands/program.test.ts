import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { DemoOptions, ReplayOptions, Runners, StartOptions } from '../../../bin/commands/options.js'
import { runProgram } from '../../../bin/commands/program.js'
import { withoutVariables } from '../../support/command-line.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-cli-'))
const capture = join(folder, 'calls.hep')
const configFile = join(folder, 'trunkscope.yaml')
writeFileSync(capture, 'HEP3')
writeFileSync(configFile, 'carriers:\n  - id: alpha\n    peers: [198.51.100.10/32]\n')
afterAll(() => rmSync(folder, { recursive: true }))

withoutVariables()

async function run(...args: string[]) {
  const ran: { start?: StartOptions; demo?: DemoOptions; replay?: ReplayOptions } = {}
  const printed = { out: '', err: '' }
  const exitCode = await runProgram(
    args,
    new Proxy({} as Runners, {
      get: (_, name) => async (options: unknown) => {
        Object.assign(ran, { [name]: options })
      },
    }),
    {
      out: (text) => {
        printed.out += text
      },
      err: (text) => {
        printed.err += text
      },
    },
  )
  return { exitCode, ...printed, ...ran }
}

describe('trunkscope', () => {
  test('--help names the commands and how to begin, and succeeds', async () => {
    const { exitCode, out, err } = await run('--help')
    expect(exitCode).toBe(0)
    for (const word of ['start', 'demo', 'replay', 'Begin with:', '9060']) expect(out).toContain(word)
    expect(err).toBe('')
  })

  test.each(['start', 'demo', 'replay'])('%s --help explains with examples', async (command) => {
    const { exitCode, out } = await run(command, '--help')
    expect(exitCode).toBe(0)
    expect(out).toContain('Examples:')
    expect(out).toContain(`trunkscope ${command}`)
  })

  test('--version prints the version of package.json', async () => {
    expect((await run('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test('no command at all shows the help and is a usage error', async () => {
    const { exitCode, err } = await run()
    expect(exitCode).toBe(2)
    expect(err).toContain('Begin with:')
  })

  test('an unknown command or option is a usage error that suggests the known one', async () => {
    const command = await run('strat')
    expect(command.exitCode).toBe(2)
    expect(command.err).toMatch(/^error TRUNKSCOPE_USAGE: unknown command 'strat'\n\(Did you mean start\?\)/)
    const option = await run('start', '--htpp', '127.0.0.1:1')
    expect(option.exitCode).toBe(2)
    expect(option.err).toContain('Did you mean --http?')
  })

  test('a variable of ours with a typo is told', async () => {
    vi.stubEnv('TRUNKSCOPE_HEP_UPD', '127.0.0.1:1')
    vi.stubEnv('TRUNKSCOPE_SPOOL_SIZE_MAX', '1')
    const { err, exitCode } = await run('start')
    expect(exitCode).toBe(0)
    expect(err).toContain('note: TRUNKSCOPE_HEP_UPD is no variable of ours; did you mean TRUNKSCOPE_HEP_UDP?')
    expect(err).toContain('did you mean TRUNKSCOPE_SPOOL_SIZE_MAX_BYTES?')
  })
})

describe('trunkscope start', () => {
  test('without options it listens on loopback and stores in ./trunkscope-data', async () => {
    const { exitCode, start, err } = await run('start')
    expect(err).toBe('')
    expect(exitCode).toBe(0)
    expect(start).toMatchObject({
      configPath: undefined,
      dataDir: './trunkscope-data',
      hepUdp: { host: '127.0.0.1', port: 9060 },
      hepTcp: { host: '127.0.0.1', port: 9060 },
      http: { host: '127.0.0.1', port: 8080 },
      insecure: false,
    })
    expect(start?.config.carriers).toEqual([])
  })

  test('options stand before variables, and variables before defaults', async () => {
    vi.stubEnv('TRUNKSCOPE_HEP_UDP', '[::1]:7000')
    vi.stubEnv('TRUNKSCOPE_HTTP', '127.0.0.1:7001')
    vi.stubEnv('TRUNKSCOPE_DATA', '/srv/calls')
    vi.stubEnv('TRUNKSCOPE_CONFIG', configFile)
    const { start } = await run('start', '--http', 'localhost:0')
    expect(start).toMatchObject({
      configPath: configFile,
      dataDir: '/srv/calls',
      hepUdp: { host: '::1', port: 7000 },
      hepTcp: { host: '127.0.0.1', port: 9060 },
      http: { host: 'localhost', port: 0 },
    })
    expect(start?.config.carriers).toHaveLength(1)
  })

  test('an empty variable counts as unset', async () => {
    for (const name of ['HEP_UDP', 'HEP_TCP', 'HTTP', 'DATA', 'CONFIG']) vi.stubEnv(`TRUNKSCOPE_${name}`, '')
    const { start, exitCode } = await run('start')
    expect(exitCode).toBe(0)
    expect(start).toMatchObject({
      configPath: undefined,
      dataDir: './trunkscope-data',
      http: { host: '127.0.0.1', port: 8080 },
    })
  })

  test('a bad address names the option or the variable and shows a good one', async () => {
    const option = await run('start', '--http', '8080')
    expect(option.exitCode).toBe(2)
    expect(option.err).toMatch(/--http <HOST:PORT>.*write 127\.0\.0\.1:8080/)
    vi.stubEnv('TRUNKSCOPE_HEP_TCP', ':9060')
    const variable = await run('start')
    expect(variable.exitCode).toBe(2)
    expect(variable.err).toContain('TRUNKSCOPE_HEP_TCP')
  })

  test('a bad configuration is a usage error that names the line, without a stack', async () => {
    const bad = join(folder, 'bad.yaml')
    writeFileSync(bad, 'carriers:\n  - id: alpha\n    peer: [198.51.100.10/32]\n')
    const { exitCode, err, start } = await run('start', '--config', bad)
    expect(exitCode).toBe(2)
    expect(start).toBeUndefined()
    expect(err).toBe(
      `error TRUNKSCOPE_CONFIG_UNKNOWN_KEY: ${bad}:3: carriers[0].peer: is not a key here; ` +
        'did you mean peers? (known here: id, name, peers, contacts, targets, credits, limits, spcs, monthly_charge, trunk_groups)\n',
    )
  })

  test('off loopback it refuses without a token, and without an agent key unless --insecure', async () => {
    const http = await run('start', '--http', '0.0.0.0:8080', '--insecure')
    expect(http.exitCode).toBe(2)
    expect(http.err).toMatch(/^error TRUNKSCOPE_API_TOKEN_REQUIRED: /)
    const hep = await run('start', '--hep-udp', '0.0.0.0:9060')
    expect(hep.exitCode).toBe(2)
    expect(hep.err).toMatch(/^error TRUNKSCOPE_CAPTURE_KEY_REQUIRED: /)
    expect((await run('start', '--hep-udp', '0.0.0.0:9060', '--insecure')).start?.insecure).toBe(true)
    vi.stubEnv('TRUNKSCOPE_INSECURE', '0')
    expect((await run('start', '--hep-udp', '0.0.0.0:9060')).exitCode).toBe(2)
    vi.stubEnv('TRUNKSCOPE_INSECURE', '1')
    expect((await run('start', '--hep-udp', '0.0.0.0:9060')).exitCode).toBe(0)
  })
})

describe('trunkscope demo', () => {
  test('has its own folder, a seed and a rate, and ignores the folder of start', async () => {
    vi.stubEnv('TRUNKSCOPE_DATA', '/srv/calls')
    expect((await run('demo')).demo).toMatchObject({
      dataDir: './trunkscope-demo',
      seed: 1,
      callsPerSecond: 5,
    })
    const { demo } = await run('demo', '--seed', '7', '--calls-per-second', '2.5', '--data', 'x')
    expect(demo).toMatchObject({ dataDir: 'x', seed: 7, callsPerSecond: 2.5 })
  })

  test('a seed or rate that is no number is a usage error that says what to write', async () => {
    expect((await run('demo', '--seed', 'abc')).err).toContain('Write a whole number')
    expect((await run('demo', '--calls-per-second', '0')).err).toContain('above 0')
    expect((await run('demo', '--calls-per-second', '0')).exitCode).toBe(2)
  })
})

describe('trunkscope replay', () => {
  test('folds captures into a folder, or sends them to an agent port', async () => {
    const folded = await run('replay', capture, capture, '--config', configFile, '--data', 'x', '--json')
    expect(folded.replay).toMatchObject({
      files: [capture, capture],
      configPath: configFile,
      into: { kind: 'folder', dataDir: 'x' },
      json: true,
    })
    const sent = await run('replay', capture, '--to', 'tcp://[::1]:9060')
    expect(sent.replay).toMatchObject({
      into: { kind: 'agent', transport: 'tcp', host: '::1', port: 9060 },
      json: false,
    })
  })

  test('needs exactly one of --data and --to', async () => {
    for (const more of [[], ['--data', 'x', '--to', 'udp://127.0.0.1:9060']]) {
      const { exitCode, err } = await run('replay', capture, ...more)
      expect(exitCode).toBe(2)
      expect(err).toMatch(/^error TRUNKSCOPE_USAGE: replay .*--data/)
    }
  })

  test('a capture that is missing or a folder is a usage error', async () => {
    const missing = await run('replay', join(folder, 'no.hep'), '--data', 'x')
    expect(missing.exitCode).toBe(2)
    expect(missing.err).toContain('There is no file')
    expect((await run('replay', folder, '--data', 'x')).err).toContain('is a folder')
    expect((await run('replay', '--data', 'x')).err).toContain("missing required argument 'FILE'")
  })

  test('a target that is no URL of a port shows a good one', async () => {
    for (const target of [
      '127.0.0.1:9060',
      'http://127.0.0.1:9060',
      'udp://127.0.0.1',
      'udp://127.0.0.1:0',
      'udp://',
    ]) {
      const { exitCode, err } = await run('replay', capture, '--to', target)
      expect(exitCode, target).toBe(2)
      expect(err, target).toMatch(/[Ww]rite/)
    }
  })
})
