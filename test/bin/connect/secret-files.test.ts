import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withSecretFiles } from '../../../bin/connect/secret-files.js'
import { configSchema } from '../../../schemas/config.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-secrets-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function file(text: string): string {
  const path = join(folder, `${Math.random()}`)
  writeFileSync(path, text)
  return path
}

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)]
const LINE = (id: string, sha256: string) => `- { id: ${id}, sha256: ${sha256}, role: viewer }\n`

describe('secret files', () => {
  test('tokens of the file come beside those of the configuration', () => {
    const noc = { id: 'noc', sha256: B, role: 'admin' as const }
    const config = configSchema.parse({ tokens: [noc], tokens_file: file(LINE('grafana', A)) })
    expect(withSecretFiles(config).tokens).toEqual([noc, { id: 'grafana', sha256: A, role: 'viewer' }])
  })

  test.each([
    [
      'a key that nobody knows',
      `- id: noc\n  sha256: ${A}\n  role: admin\n  roles: all\n`,
      /:4: tokens\[0\]\.roles: .*did you mean role/,
    ],
    [
      'a carrier that nobody knows',
      `${LINE('noc', A)}- { id: x, sha256: ${B}, role: viewer, carriers: [beta] }`,
      /:2: tokens\[1\]\.carriers\[0\]: no carrier has the id beta/,
    ],
    [
      'an id of the configuration',
      LINE('grafana', A),
      /:1: tokens\[0\]\.id: grafana is already the id of tokens\[0\]/,
    ],
    [
      'a plain token',
      'e3f1a0c2b4d6f8a0e3f1a0c2b4d6f8a0\n',
      /no list of tokens; make a token with: trunkscope token/,
    ],
    ['what is not YAML', '- [', /:1 is not YAML/],
  ])('a token file with %s is told with its line', (_, text, sentence) => {
    const config = configSchema.parse({
      tokens: [{ id: 'grafana', sha256: B.replace('b', 'c'), role: 'viewer' }],
      tokens_file: file(text),
    })
    expect(() => withSecretFiles(config)).toThrow(sentence)
  })

  test('the agent key of the file stands for the one of the configuration', () => {
    const config = configSchema.parse({ agent_key: 'old-secret', agent_key_file: file('new-secret\n') })
    expect(withSecretFiles(config).agent_key).toBe('new-secret')
  })

  test('without files nothing changes', () => {
    const config = configSchema.parse({ agent_key: 'old-secret' })
    expect(withSecretFiles(config)).toEqual(config)
  })

  test.each([
    ['that is not there', () => join(folder, 'missing'), /cannot be read \(ENOENT\).*openssl rand/],
    ['that is empty', () => file(' \n'), /is empty; make one/],
    ['with a short secret', () => file('short\n'), /secret 1 of .* is shorter than 8/],
  ])('a file %s is an error that says what to do', (_, path, sentence) => {
    const config = configSchema.parse({ agent_key_file: path() })
    expect(() => withSecretFiles(config)).toThrow(sentence)
  })

  test('no error repeats a secret', () => {
    for (const keys of [
      { agent_key_file: file('hunter2') },
      { tokens_file: file('hunter2') },
      { tokens_file: file('- { id: noc, sha256: hunter2, role: admin }') },
    ]) {
      try {
        withSecretFiles(configSchema.parse(keys))
        expect.unreachable()
      } catch (error) {
        expect((error as { code?: string }).code).toBe('TRUNKSCOPE_CONFIG_SECRET_FILE')
        expect((error as Error).message).not.toContain('hunter2')
      }
    }
  })
})
