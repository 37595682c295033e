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

const TOKEN = 'a'.repeat(40)

describe('secret files', () => {
  test('tokens of the file come beside those of the configuration, one a line', () => {
    const config = configSchema.parse({
      api_tokens: ['b'.repeat(32)],
      api_tokens_file: file(`${TOKEN}\n\n  ${'c'.repeat(32)} \n`),
    })
    expect(withSecretFiles(config).api_tokens).toEqual(['b'.repeat(32), TOKEN, 'c'.repeat(32)])
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
    ['with a short secret', () => file(`${TOKEN}\nshort\n`), /secret 2 of .* is shorter than 32/],
  ])('a file %s is an error that says what to do', (_, path, sentence) => {
    const config = configSchema.parse({ api_tokens_file: path() })
    expect(() => withSecretFiles(config)).toThrow(sentence)
  })

  test('no error repeats a secret', () => {
    const config = configSchema.parse({ api_tokens_file: file('hunter2') })
    try {
      withSecretFiles(config)
      expect.unreachable()
    } catch (error) {
      expect((error as Error).message).not.toContain('hunter2')
    }
  })
})
