import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../../../bin/connect/config.js'
import { sinksWithSecrets } from '../../../bin/connect/sink-secrets.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-sinks-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
function file(content: string): string {
  const path = join(folder, `file-${++files}`)
  writeFileSync(path, content)
  return path
}
const configOf = (yaml: string) => readConfig(file(`sinks:\n${yaml}`), {}).sinks
const sinksOf = (yaml: string) => sinksWithSecrets(configOf(yaml))
const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`
const OTHER = `whsec_${Buffer.alloc(24, 6).toString('base64')}`

function problemsOf(yaml: string): string[] {
  try {
    configOf(yaml)
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes.map(({ path, problem }) => `${path}: ${problem}`)
    throw error
  }
  return []
}

describe('sinks', () => {
  test('come with what their secret files hold', () => {
    expect(
      sinksOf(`
  - { id: am, type: alertmanager, url: 'http://am.example:9093', allow_private: true }
  - { id: pd, type: pagerduty, routing_key_file: ${file('R0123456789ABCDEF0123456789ABCDE\n')} }
  - { id: hook, type: webhook, url: 'https://hooks.example/x', secret_file: ${file(`${SECRET}\n\n ${OTHER}\n`)}, repeat_interval_hours: 12 }
  - { id: chat, type: webhook, template: slack, url_file: ${file('https://hooks.slack.example/services/T/B/X\n')} }
`),
    ).toMatchObject([
      { id: 'am', type: 'alertmanager', allowPrivate: true, resendIntervalS: 60 },
      {
        id: 'pd',
        url: 'https://events.pagerduty.com/v2/enqueue',
        routingKey: 'R0123456789ABCDEF0123456789ABCDE',
        allowPrivate: false,
        repeatIntervalHours: 4,
      },
      { id: 'hook', signingKeys: [Buffer.alloc(32, 5), Buffer.alloc(24, 6)], repeatIntervalHours: 12 },
      { id: 'chat', template: 'slack', url: 'https://hooks.slack.example/services/T/B/X' },
    ])
  })

  test.each([
    ['routing_key_file', 'two\nlines', 'holds no integration key'],
    ['routing_key_file', 'R0123456789ABCDEF 0123456789', 'holds no integration key'],
    ['routing_key_file', ' \n', 'is empty'],
  ])('%s with "%s" is told without its text', (key, content, problem) => {
    const yaml = `  - { id: pd, type: pagerduty, ${key}: ${file(content)} }`
    expect(() => sinksOf(yaml)).toThrow(problem)
    expect(() => sinksOf(yaml)).not.toThrow(content.trim() === '' ? 'R01' : content.trim())
  })

  test.each([
    ['not-a-secret', 'secret 1 of'],
    [`${SECRET}\nwhsec_c2hvcnQ=`, 'secret 2 of'],
    [`${SECRET}\n${OTHER}\n${SECRET}`, 'holds 3 secrets'],
    [SECRET.replace('whsec_', ''), 'openssl rand -base64 32'],
    [`whsec_${Buffer.alloc(65).toString('base64')}`, 'base64 of 24 to 64 bytes'],
  ])('a secret file that holds %s is told how to make one', (content, problem) => {
    const yaml = `  - { id: hook, type: webhook, url: 'https://hooks.example/x', secret_file: ${file(content)} }`
    expect(() => sinksOf(yaml)).toThrow(problem)
  })

  test('a file that is not there, and one that holds no address, are told', () => {
    const slack = (path: string) => `  - { id: chat, type: webhook, template: slack, url_file: ${path} }`
    expect(() => sinksOf(slack(join(folder, 'none')))).toThrow('cannot be read (ENOENT)')
    expect(() => sinksOf(slack(file('hooks.slack.example')))).toThrow('holds no address')
    expect(() => sinksOf(slack(file('file:///etc/passwd')))).toThrow('holds no address')
  })
})

describe('mistakes in sinks are told with what to write', () => {
  test.each([
    [
      '{ id: am, type: alertmanager }',
      'sinks[0].url: nothing stands here; add url: http://alertmanager.example:9093',
    ],
    [
      '{ id: pd, type: pagerduty }',
      'sinks[0].routing_key_file: nothing stands here; add routing_key_file: /run/secrets/pagerduty',
    ],
    [
      '{ id: h, type: webhook, secret_file: /s }',
      'sinks[0].url: nothing stands here; add url: https://hooks.example/trunkscope, or url_file with it in a file',
    ],
    [
      "{ id: h, type: webhook, url: 'https://h.example/' }",
      'sinks[0].secret_file: nothing stands here; add secret_file: /run/secrets/webhook',
    ],
    [
      "{ id: h, type: webhook, url: 'ftp://h.example/', secret_file: /s }",
      'sinks[0].url: is "ftp://h.example/"; write a URL such as http',
    ],
    [
      '{ id: h, type: webhok }',
      'sinks[0].type: is "webhok"; write webhook (known: alertmanager, pagerduty, webhook)',
    ],
    [
      "{ id: am, type: alertmanager, url: 'http://a.example', resend_interval_s: 10 }",
      'sinks[0].resend_interval_s: is 10; write 30 or more',
    ],
    [
      "{ id: am, type: alertmanager, url: 'http://a.example', secret_file: /s }",
      'sinks[0].secret_file: "/s" means nothing to a sink of type alertmanager; it knows url, resend_interval_s',
    ],
    [
      "{ id: am, type: alertmanager, url: 'http://a.example', uri: x }",
      'sinks[0].uri: is not a key here; did you mean url?',
    ],
  ])('%s', (sink, expected) => {
    const problems = problemsOf(`  - ${sink}\n`)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(expected)
  })

  test('an id stands once', () => {
    const am = "  - { id: am, type: alertmanager, url: 'http://a.example' }\n"
    expect(problemsOf(am + am)).toEqual([
      'sinks[1].id: "am" is already the id of sinks[0]; every id stands once, so rename one',
    ])
  })
})
