import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readConfig } from '../../../bin/connect/config.js'
import { identityMistakes } from '../../../bin/connect/config-identity.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-identity-config-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const path = join(folder, 'trunkscope.yaml')
const read = (text: string) => {
  writeFileSync(path, text)
  return readConfig(path, {}, () => {})
}
const mistakes = (identity: object) => identityMistakes({ identity }).map(({ path: key }) => key.join('.'))

describe('identity of a configuration', () => {
  test('is off unless it is written', () => {
    expect(read('sites: []\n').identity).toEqual({ fetch: { enabled: false, hosts: [] } })
  })

  test('a whole block is read, with the codes that may sign for a carrier', () => {
    const config = read(
      [
        'carriers:',
        '  - { id: alpha, peers: [198.51.100.10/32], spcs: [709J, "1234"] }',
        'identity:',
        '  certificates: /etc/trunkscope/certificates',
        '  roots: /etc/trunkscope/roots.pem',
        '  fetch: { enabled: true, hosts: [cert.example.org, "*.example.net"] }',
      ].join('\n'),
    )
    expect(config.identity.fetch.hosts).toEqual(['cert.example.org', '*.example.net'])
    expect(config.carriers[0]!.spcs).toEqual(['709J', '1234'])
  })

  test.each([
    ['127.0.0.1', 'is no host'],
    ['https://cert.example.org', 'is no host'],
    ['localhost', 'is no host'],
    ['"*.org"', 'is no host'],
    ['"*"', 'is no host'],
  ])('%s in the list of hosts is a mistake with its line', (host, problem) => {
    const text = `identity:\n  fetch:\n    enabled: true\n    hosts:\n      - cert.example.org\n      - ${host}\n`
    expect(() => read(text)).toThrow(new RegExp(`yaml:6: identity.fetch.hosts\\[1\\]: .*${problem}`))
  })

  test('a code with other signs is a mistake with its line', () => {
    expect(() =>
      read('carriers:\n  - id: alpha\n    peers: [198.51.100.10/32]\n    spcs: ["70-9J"]\n'),
    ).toThrow(/yaml:4: carriers\[0\]\.spcs\[0\]: .*is no service provider code/)
  })

  test('what makes no sense is said', () => {
    expect(mistakes({ fetch: { enabled: true } })).toEqual(['identity.fetch.hosts'])
    expect(mistakes({ fetch: { hosts: ['a.example'] } })).toEqual(['identity.fetch.hosts'])
    expect(mistakes({ roots: 'x.pem' })).toEqual(['identity.roots'])
    expect(mistakes({ roots: 'x.pem', certificates: 'x' })).toEqual([])
    expect(() => read('identity:\n  fetch:\n    enabled: true\n')).toThrow(
      'nobody is asked who is not listed',
    )
  })
})
