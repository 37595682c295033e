import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigError, environmentNames, readConfig } from '../../../bin/connect/config.js'

const FIXTURES = 'test/fixtures/config'
const folder = mkdtempSync(join(tmpdir(), 'trunkscope-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

function mistakeOf(read: () => unknown): ConfigError {
  try {
    read()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('no ConfigError was thrown')
}

describe('config', () => {
  const bad = readdirSync(FIXTURES).filter((name) => name.endsWith('.yaml') && name !== 'full-example.yaml')

  test.each(bad)('%s: every mistake is told with its line and what to write', (name) => {
    const lines = readFileSync(join(FIXTURES, name), 'utf8').split('\n')
    const [code, ...expected] = lines
      .filter((line) => /^# (TRUNKSCOPE_|\d)/.test(line))
      .map((line) => line.slice(2))
    const error = mistakeOf(() => readConfig(join(FIXTURES, name), {}))
    expect(error.code).toBe(code)
    expect(
      error.mistakes.map(({ where, path, problem }) => {
        expect(where).toMatch(new RegExp(`${name}:\\d+$`))
        return `${where.slice(where.lastIndexOf(':') + 1)} ${path === '' ? '' : `${path}: `}${problem}`
      }),
    ).toEqual(expected)
  })

  test('the full example holds every key and no mistake', () => {
    // The files of its secrets are elsewhere on the machine of the test.
    const config = readConfig(join(FIXTURES, 'full-example.yaml'), {
      TRUNKSCOPE_AGENT_KEY_FILE: file('agent-key', 'a-shared-secret\n'),
      TRUNKSCOPE_TOKENS_FILE: file('tokens', `- { id: noc, sha256: ${'ab'.repeat(32)}, role: admin }\n`),
    })
    expect(config.carriers.map(({ id }) => id)).toEqual(['alpha', 'bravo', 'charlie'])
    const text = readFileSync(join(FIXTURES, 'full-example.yaml'), 'utf8')
    for (const { path } of environmentNames()) expect(text).toMatch(new RegExp(`^ *${path.at(-1)}:`, 'm'))
  })

  test('no file is a configuration: nobody named, everything at its default', () => {
    const config = readConfig(undefined, {})
    expect(config).toMatchObject({ sites: [], carriers: [], customers: [], tokens: [] })
    expect(config.thresholds.pre_ring_patience_ms).toBe(4_000)
    expect(config.retention).toMatchObject({ raw_days: 7, attempts_months: 13 })
  })

  test('an empty file, and keys with nothing behind them, count as absent', () => {
    expect(readConfig(file('empty.yaml', ''), {})).toEqual(readConfig(undefined, {}))
    expect(readConfig(file('absent.yaml', '# nothing yet\nsites:\ncarriers:\nspool:\n'), {})).toEqual(
      readConfig(undefined, {}),
    )
  })

  test('several mistakes name the file once and are listed in the order of their lines', () => {
    const error = mistakeOf(() => readConfig(join(FIXTURES, 'several-mistakes.yaml'), {}))
    expect(error.message.split('\n')[0]).toBe(`${join(FIXTURES, 'several-mistakes.yaml')} has 4 mistakes:`)
    expect(error.message.split('\n')).toHaveLength(5)
  })

  test('a file that is not there says which option names it', () => {
    const error = mistakeOf(() => readConfig(join(folder, 'nowhere.yaml'), {}))
    expect(error.code).toBe('TRUNKSCOPE_CONFIG_UNREADABLE')
    expect(error.message).toMatch(/nowhere\.yaml: there is no such file.*--config/)
    expect(mistakeOf(() => readConfig(folder, {})).message).toMatch(/this is a folder/)
  })

  test('a secret is never repeated in a message', () => {
    for (const name of ['secrets-too-short.yaml', 'secret-is-a-number.yaml', 'password-in-the-url.yaml']) {
      expect(mistakeOf(() => readConfig(join(FIXTURES, name), {})).message).not.toMatch(
        /hunter2|letmein|12345678/,
      )
    }
    const message = mistakeOf(() => readConfig(undefined, { TRUNKSCOPE_AGENT_KEY: 'hunter2' })).message
    expect(message).not.toContain('hunter2')
  })
})

describe('tokens of before', () => {
  test('a variable or a .json file that still has them is told what stands in their place', () => {
    const raw = 'x'.repeat(32)
    for (const [path, env] of [
      [undefined, { TRUNKSCOPE_API_TOKENS: raw }],
      [undefined, { TRUNKSCOPE_API_TOKENS_FILE: '/run/secrets/tokens' }],
      [file('old.json', `{ "api_tokens": ["${raw}"] }`), {}],
    ] as const) {
      const error = mistakeOf(() => readConfig(path, env))
      expect(error.code).toBe('TRUNKSCOPE_CONFIG_UNKNOWN_KEY')
      expect(error.message).toContain('trunkscope token --id grafana --role viewer')
      expect(error.message).not.toContain(raw)
    }
  })
})

describe('config from JSON', () => {
  test('a .json file is read, its foreign top-level keys are left out, and a note names them', () => {
    const notes: string[] = []
    const path = file(
      'capture.json',
      '{\n\t"what": "a capture",\n\t"carriers": [{ "id": "alpha", "peers": ["127.0.1.1/32"] }],\n\t"truth": {},\n' +
        '\t"direction": "outbound",\n\t"customer": []\n}\n',
    )
    const config = readConfig(path, {}, (text) => notes.push(text))
    expect(config.carriers).toEqual([{ id: 'alpha', peers: ['127.0.1.1/32'] }])
    expect(notes).toEqual([
      `${path}: left out what is not configuration: what, truth, direction, customer (did you mean customers?)`,
    ])
  })

  test('below the top level an unknown key of a .json file is an error with its line', () => {
    const path = file(
      'deep.json',
      '{\n  "carriers": [\n    { "id": "a", "peers": ["127.0.1.1"],\n      "truth": 1 }\n  ]\n}\n',
    )
    expect(mistakeOf(() => readConfig(path, {})).mistakes).toMatchObject([
      { code: 'TRUNKSCOPE_CONFIG_UNKNOWN_KEY', where: `${path}:4`, path: 'carriers[0].truth' },
    ])
  })

  test('JSON in a .yaml file is YAML, with its rules', () => {
    expect(readConfig(file('json.yaml', '{"retention": {"raw_days": 3}}'), {}).retention.raw_days).toBe(3)
    expect(mistakeOf(() => readConfig(file('what.yaml', '{"what": "a capture"}'), {})).code).toBe(
      'TRUNKSCOPE_CONFIG_UNKNOWN_KEY',
    )
  })
})

describe('config from the environment', () => {
  test('a variable is the path of its key in capitals and overrides the file', () => {
    const path = file('spool.yaml', 'spool: { size_max_bytes: 2000000 }\nretention: { raw_days: 3 }\n')
    const config = readConfig(path, {
      TRUNKSCOPE_SPOOL_SIZE_MAX_BYTES: '3000000',
      TRUNKSCOPE_RETENTION_ATTEMPTS_MONTHS: '2',
      TRUNKSCOPE_AGENT_KEY: '12345678',
    })
    expect(config.spool.size_max_bytes).toBe(3_000_000)
    expect(config.retention).toMatchObject({ raw_days: 3, attempts_months: 2 })
    expect(config.agent_key).toBe('12345678')
  })

  test('lists of plain values are separated by commas, other lists are YAML or JSON', () => {
    const config = readConfig(undefined, {
      TRUNKSCOPE_CAPTURE_ALLOWED_AGENTS: '10.20.0.0/16, 10.30.0.0/16',
      TRUNKSCOPE_TOKENS: `[{ id: noc, sha256: ${'ab'.repeat(32)}, role: admin }]`,
      TRUNKSCOPE_THRESHOLDS_RING_TIMERS_S: '20,40.5',
      TRUNKSCOPE_CARRIERS: '[{ id: alpha, peers: [198.51.100.10/32] }]',
    })
    expect(config.capture.allowed_agents).toEqual(['10.20.0.0/16', '10.30.0.0/16'])
    expect(config.tokens).toEqual([{ id: 'noc', sha256: 'ab'.repeat(32), role: 'admin' }])
    expect(config.thresholds.ring_timers_s).toEqual([20, 40.5])
    expect(config.carriers).toEqual([{ id: 'alpha', peers: ['198.51.100.10/32'] }])
  })

  test('a mistake in a variable names the variable', () => {
    const error = mistakeOf(() =>
      readConfig(undefined, {
        TRUNKSCOPE_SPOOL_SIZE_MAX_BYTES: '4 GB',
        TRUNKSCOPE_CARRIERS: '[{ id: alpha, peers: [198.51.100.300] }]',
        TRUNKSCOPE_SITES: '[{ id: dal',
      }),
    )
    expect(error.mistakes).toMatchObject([
      { where: 'environment TRUNKSCOPE_SITES', path: 'sites' },
      { where: 'environment TRUNKSCOPE_CARRIERS', path: 'carriers[0].peers[0]' },
      {
        where: 'environment TRUNKSCOPE_SPOOL_SIZE_MAX_BYTES',
        path: 'spool.size_max_bytes',
        problem: 'is "4 GB"; write a whole number of bytes',
      },
    ])
  })

  test('blocks that stand in no file can be made of variables alone', () => {
    const config = readConfig(undefined, {
      TRUNKSCOPE_KAFKA_BROKERS: 'kafka-1.example:9092, [::1]:9092',
      TRUNKSCOPE_KAFKA_SASL_MECHANISM: 'plain',
      TRUNKSCOPE_KAFKA_SASL_USERNAME: 'trunkscope',
      TRUNKSCOPE_KAFKA_SASL_PASSWORD_FILE: '/run/secrets/kafka',
      TRUNKSCOPE_CLICKHOUSE_URL: 'http://clickhouse.example:8123',
      TRUNKSCOPE_CAPTURE_TLS_CERT_FILE: 'hep.crt',
      TRUNKSCOPE_CAPTURE_TLS_KEY_FILE: 'hep.key',
      TRUNKSCOPE_CAPTURE_ALLOWED_AGENTS: '10.20.0.0/16, 2001:db8::1',
      TRUNKSCOPE_CAPTURE_HEP2: 'true',
    })
    expect(config.kafka).toMatchObject({
      brokers: ['kafka-1.example:9092', '[::1]:9092'],
      topic: 'trunkscope.hep',
      sasl: { mechanism: 'plain', username: 'trunkscope', password_file: '/run/secrets/kafka' },
    })
    expect(config.clickhouse).toMatchObject({ url: 'http://clickhouse.example:8123', username: 'default' })
    expect(config.capture).toMatchObject({
      allowed_agents: ['10.20.0.0/16', '2001:db8::1'],
      hep2: true,
      tls: { cert_file: 'hep.crt', key_file: 'hep.key' },
    })
    expect(readConfig(undefined, {})).not.toHaveProperty('kafka')
    expect(readConfig(undefined, { TRUNKSCOPE_CLICKHOUSE_URL: '' })).not.toHaveProperty('clickhouse')
  })

  test('a block that variables began and left unfinished names them and the one that is missing', () => {
    expect(
      mistakeOf(() => readConfig(undefined, { TRUNKSCOPE_CAPTURE_TLS_CERT_FILE: 'hep.crt' })).message,
    ).toBe(
      'environment TRUNKSCOPE_CAPTURE_TLS_CERT_FILE: capture.tls.key_file: is missing; ' +
        'add key_file: /etc/trunkscope/key.pem, or set TRUNKSCOPE_CAPTURE_TLS_KEY_FILE',
    )
    const path = file('cluster.yaml', 'kafka: { topic: calls }\n')
    expect(mistakeOf(() => readConfig(path, { TRUNKSCOPE_KAFKA_GROUP: 'one' })).message).toBe(
      `${path}:1: kafka.brokers: is missing; add brokers: [kafka-1.example:9092]`,
    )
  })

  test('a flag is true or false, nothing else', () => {
    for (const text of ['yes', '1', 'TRUE']) {
      expect(mistakeOf(() => readConfig(undefined, { TRUNKSCOPE_CAPTURE_HEP2: text })).message).toMatch(
        /^environment TRUNKSCOPE_CAPTURE_HEP2: capture\.hep2: is ".*"; write true or false$/,
      )
    }
  })

  test('an empty variable counts as unset, but an empty secret is refused', () => {
    expect(readConfig(undefined, { TRUNKSCOPE_RETENTION_RAW_DAYS: '' })).toEqual(readConfig(undefined, {}))
    expect(mistakeOf(() => readConfig(undefined, { TRUNKSCOPE_AGENT_KEY: '' })).message).toMatch(/too short/)
  })
})
