import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import {
  authorityOf,
  PEM_MAX_BYTES,
  readCertificates,
  readRoots,
  type SigningCertificate,
  signerIdOf,
  trustOf,
} from '../../../evidence/identity/certificate.js'
import { type MadeCertificate, makeCertificate, SPC_1234 } from './signers.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-signers-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const root = makeCertificate(folder, { name: 'root', isCa: true, to: 300 })
const middle = makeCertificate(folder, { name: 'middle', isCa: true, issuer: root, pathLength: 0, to: 200 })
const leaf = makeCertificate(folder, { name: '1234', issuer: middle, to: 20 })
const REAL = readFileSync(new URL('../../fixtures/hep/shaken-709J.pem', import.meta.url), 'utf8')
const roots = readRoots(root.pem)

function read(...made: (MadeCertificate | string)[]): SigningCertificate {
  const found = readCertificates(made.map((one) => (typeof one === 'string' ? one : one.pem)).join('\n'))
  if ('reason' in found) throw new Error(found.reason)
  return found
}

describe('a certificate', () => {
  test('of the real capture says SPC 709J, its name and how long it is good', () => {
    const certificate = read(REAL)
    expect(certificate).toMatchObject({
      commonName: 'SHAKEN 709J',
      authority: { spcs: ['709J'], ranges: [], numbers: [] },
      notBeforeMs: Date.parse('2026-11-20T23:36:48Z'),
      notAfterMs: Date.parse('2036-11-17T23:36:48Z'),
      maySign: true,
    })
    expect(certificate.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(signerIdOf(certificate, 'https://cert.example.org/x')).toBe('709J')
  })

  test('TNAuthList: SPC "1234" is 30 08 A0 06 16 04 31 32 33 34; ranges and single numbers are read', () => {
    const bytes = (hex: string) => Buffer.from(hex.replace(/[: ]/g, ''), 'hex')
    expect(authorityOf(bytes(SPC_1234))).toEqual({ spcs: ['1234'], ranges: [], numbers: [] })
    const one = 'a2 0d 16 0b 31 32 31 35 35 35 35 31 32 31 32'
    const range = 'a1 12 30 10 16 0b 31 32 31 35 35 35 35 31 30 30 30 02 01 64'
    expect(authorityOf(bytes(`30 23 ${one} ${range}`))).toEqual({
      spcs: [],
      ranges: [{ start: '12155551000', count: 100 }],
      numbers: ['12155551212'],
    })
    expect(authorityOf(bytes('30 03 02 01'))).toEqual({ spcs: [], ranges: [], numbers: [] })
  })

  test('the signer is the SPC, else the name, else the host of the x5u', () => {
    const x5u = 'https://cert.example.org:8443/shaken.pem'
    const named = read(makeCertificate(folder, { name: 'noSpc', tnAuthList: '' }))
    expect(signerIdOf(named, x5u)).toBe('SHAKEN noSpc')
    expect(signerIdOf(undefined, x5u)).toBe('cert.example.org:8443')
    expect(signerIdOf(undefined, 'nonsense')).toBe('')
  })

  test('a key of another curve, and a usage that forbids signatures, are seen', () => {
    expect(read(makeCertificate(folder, { name: 'p384', curve: 'secp384r1' })).key).toBe('')
    expect(read(makeCertificate(folder, { name: 'noSign', keyUsage: 'keyAgreement' })).maySign).toBe(false)
    expect(read(leaf).key).not.toBe('')
  })
})

describe('trust', () => {
  test('leads over those behind it to a root, for as long as all of them are good', () => {
    const chain = read(leaf, middle)
    const trust = trustOf(chain, roots)!
    expect(trust.toMs).toBe(chain.notAfterMs)
    expect(trustOf(read(leaf, root, middle), roots)).toEqual(trust) // In any order.
  })

  test('is missing without the one between, with another root, and for what only says that it is the issuer', () => {
    expect(trustOf(read(leaf), roots)).toBeUndefined()
    const other = makeCertificate(folder, { name: 'other', isCa: true })
    expect(trustOf(read(leaf, middle), readRoots(other.pem))).toBeUndefined()
    const impostor = makeCertificate(folder, { name: 'impostor', commonName: 'SHAKEN root', isCa: true })
    expect(trustOf(read(leaf, middle), readRoots(impostor.pem))).toBeUndefined()
  })

  test('a certificate that is no CA issues nothing, nor one beyond its path length', () => {
    const notCa = makeCertificate(folder, { name: 'notCa', issuer: middle })
    const below = makeCertificate(folder, { name: 'below', issuer: notCa })
    expect(trustOf(read(below, notCa, middle), roots)).toBeUndefined()
    const deeper = makeCertificate(folder, { name: 'deeper', isCa: true, issuer: middle })
    const tooDeep = makeCertificate(folder, { name: 'tooDeep', issuer: deeper })
    expect(trustOf(read(tooDeep, deeper, middle), roots)).toBeUndefined()
  })

  test('ends when one between ends; a self-signed one is trusted only as a root', () => {
    const short = makeCertificate(folder, { name: 'short', isCa: true, issuer: root, to: 5 })
    const ofShort = read(makeCertificate(folder, { name: 'ofShort', issuer: short, to: 20 }), short)
    expect(trustOf(ofShort, roots)!.toMs).toBeLessThan(ofShort.notAfterMs)
    expect(trustOf(read(REAL), roots)).toBeUndefined()
    expect(trustOf(read(REAL), readRoots(REAL))).toBeDefined()
  })

  test('a path that is too long is none', () => {
    let issuer = makeCertificate(folder, { name: 'long0', isCa: true })
    const longRoot = readRoots(issuer.pem)
    const between: MadeCertificate[] = []
    for (const depth of [1, 2, 3, 4]) {
      issuer = makeCertificate(folder, { name: `long${depth}`, isCa: true, issuer })
      between.push(issuer)
    }
    const fits = makeCertificate(folder, { name: 'fits', issuer })
    expect(trustOf(read(fits, ...between), longRoot)).toBeDefined()
    const last = makeCertificate(folder, { name: 'long5', isCa: true, issuer })
    const tooLong = makeCertificate(folder, { name: 'tooLong', issuer: last })
    expect(trustOf(read(tooLong, ...between, last), longRoot)).toBeUndefined()
  })
})

describe('anything at all', () => {
  test('gives a certificate or a reason', () => {
    const mangled = fc
      .tuple(fc.nat(REAL.length), fc.nat(60), fc.base64String({ maxLength: 60 }))
      .map(([at, cut, text]) => REAL.slice(0, at) + text + REAL.slice(at + cut))
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), mangled), (text) => {
        const found = readCertificates(text)
        expect('reason' in found ? found.reason : found.sha256).toBeTruthy()
      }),
      { numRuns: 300 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(authorityOf(Buffer.from(bytes)).spcs).toBeInstanceOf(Array)
      }),
    )
  })

  test('too many, and too much, are refused', () => {
    expect(readCertificates(REAL.repeat(9))).toEqual({ reason: 'certificate_unreadable' })
    expect(readCertificates(' '.repeat(PEM_MAX_BYTES) + REAL)).toEqual({ reason: 'certificate_unreadable' })
    expect(readCertificates('')).toEqual({ reason: 'certificate_unreadable' })
  })

  test('a file of roots says what is wrong with it', () => {
    expect(() => readRoots('nothing')).toThrow('holds no certificate; write PEM blocks')
    expect(() =>
      readRoots(`${REAL}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`),
    ).toThrow('number 2')
  })
})
