import { hash } from 'node:crypto'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CertificatesFolder, readIndex } from '../../../evidence/identity/certificates-folder.js'

const REAL = readFileSync(new URL('../../fixtures/hep/shaken-709J.pem', import.meta.url), 'utf8')
const X5U = 'https://cert.example.org/shaken.pem'

let path: string
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'trunkscope-certificates-'))
})
afterEach(() => rmSync(path, { recursive: true, force: true }))
const put = (name: string, text: string) => {
  writeFileSync(join(path, `${name}.new`), text)
  renameSync(join(path, `${name}.new`), join(path, name))
}

describe('a folder of certificates', () => {
  test('finds by the index, and by the hash of the x5u', () => {
    put('709J.pem', REAL)
    put('index.csv', `x5u,file\n# ours\n${X5U},709J.pem\n"https://cert.example.org/a,b.pem","709J.pem"\n`)
    put(`${hash('sha256', 'https://other.example/x', 'hex')}.pem`, REAL)
    const folder = new CertificatesFolder(path)
    for (const x5u of [X5U, 'https://cert.example.org/a,b.pem', 'https://other.example/x']) {
      expect(folder.find(x5u)).toMatchObject({ certificate: { commonName: 'SHAKEN 709J' } })
    }
    expect(folder.find('https://cert.example.org/../shaken.pem')).toEqual({ reason: 'no_certificate' })
    expect(folder.find('')).toEqual({ reason: 'no_certificate' })
  })

  test('sees what changed when it is asked to', () => {
    const folder = new CertificatesFolder(path)
    expect(folder.find(X5U)).toEqual({ reason: 'no_certificate' })
    expect(folder.refresh()).toBe(false)
    put('709J.pem', REAL)
    put('index.csv', `${X5U},709J.pem\n`)
    expect(folder.find(X5U)).toEqual({ reason: 'no_certificate' })
    expect(folder.refresh()).toBe(true)
    expect(folder.find(X5U)).toMatchObject({ certificate: {} })
    put('709J.pem', 'nothing')
    expect(folder.refresh()).toBe(true)
    expect(folder.find(X5U)).toEqual({ reason: 'certificate_unreadable' })
  })

  test('an index says which line is wrong, and how to write it', () => {
    const at = 'identity.certificates: index.csv'
    expect(() => readIndex('a.pem\n', 'index.csv')).toThrow(`${at}:1 does not begin with an x5u`)
    expect(() => readIndex(`\n${X5U},../secret.pem`, 'index.csv')).toThrow(
      `${at}:2 names no file of the folder`,
    )
    expect(() => readIndex(`${X5U},a.pem\n${X5U},b.pem`, 'index.csv')).toThrow('a second time')
  })

  test('a folder that is not there is an error with its name', () => {
    expect(() => new CertificatesFolder(join(path, 'nowhere'))).toThrow('nowhere cannot be read (ENOENT)')
  })

  test('a file that is too large, and a folder in its place, are unreadable', () => {
    put('large.pem', ' '.repeat(70_000))
    put('index.csv', `${X5U},large.pem\n`)
    expect(new CertificatesFolder(path).find(X5U)).toEqual({ reason: 'certificate_unreadable' })
  })
})
