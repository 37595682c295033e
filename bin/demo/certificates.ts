/**
 * Certificates for the demo's signers: one self-made root, and below it a certificate for each with its service provider code.
 *
 *   roots.pem                        the root; its private key is thrown away
 *   certificates/index.csv, *.pem    as `identity.certificates` reads them (docs/identity.md)
 *   keys/<host>.pem                  private keys, for the generator alone
 *
 * Takes    the folder for them, and now. What stands there already stays, however old it is: a demo that goes on goes on with the
 *          keys that signed its first hour.
 * Returns  the three paths.
 * Throws   what the file system says.
 * Source   RFC 5280 §4.1, RFC 5758 §3.2 (ecdsa-with-SHA256), RFC 8226 §9 (TNAuthList), RFC 8588 practice: CN "SHAKEN <SPC>".
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  Extension,
  Extensions,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509'
import { certificateUrlOf, DEMO_SIGNERS, type DemoSigner } from './signers.js'

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const COMMON_NAME = '2.5.4.3'
const TN_AUTH_LIST = '1.3.6.1.5.5.7.1.26'
const YEAR_MS = 365 * 86_400_000

export interface DemoCertificates {
  certificates: string
  roots: string
  keys: string
}

export function demoCertificates(folder: string, nowMs: number): DemoCertificates {
  if (!existsSync(folder)) {
    // Renamed when it is whole: a start that is killed leaves nothing by half.
    const draft = `${folder}.draft-${process.pid}`
    rmSync(draft, { recursive: true, force: true })
    write(draft, nowMs)
    renameSync(draft, folder)
  }
  return {
    certificates: join(folder, 'certificates'),
    roots: join(folder, 'roots.pem'),
    keys: join(folder, 'keys'),
  }
}

function write(folder: string, nowMs: number): void {
  for (const part of ['certificates', 'keys']) mkdirSync(join(folder, part), { recursive: true, mode: 0o700 })
  const root: Party = { name: 'Trunkscope demo root', keys: newKeys() }
  const validity = { notBefore: new Date(nowMs - YEAR_MS), notAfter: new Date(nowMs + 10 * YEAR_MS) }
  writeFileSync(join(folder, 'roots.pem'), certificateOf(root, root, validity, rootExtensions()))
  const lines = DEMO_SIGNERS.map((signer) => {
    const { host, spc, endsAfterS } = signer
    const party = { name: `SHAKEN ${spc}`, keys: newKeys() }
    const until = { ...validity, notAfter: new Date(nowMs + endsAfterS * 1_000) }
    writeFileSync(
      join(folder, 'certificates', `${host}.pem`),
      certificateOf(party, root, until, signerExtensions(signer)),
    )
    writeFileSync(
      join(folder, 'keys', `${host}.pem`),
      party.keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      { mode: 0o600 },
    )
    return `${certificateUrlOf(host)},${host}.pem\n`
  })
  writeFileSync(join(folder, 'certificates', 'index.csv'), ['x5u,file\n', ...lines].join(''))
}

interface Party {
  name: string
  keys: { privateKey: KeyObject; publicKey: KeyObject }
}

function newKeys(): Party['keys'] {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

/** PEM. */
function certificateOf(
  subject: Party,
  issuer: Party,
  validity: { notBefore: Date; notAfter: Date },
  extensions: Extension[],
): string {
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 })
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: algorithm,
    issuer: nameOf(issuer),
    validity: new Validity(validity),
    subject: nameOf(subject),
    subjectPublicKeyInfo: AsnConvert.parse(
      subject.keys.publicKey.export({ type: 'spki', format: 'der' }),
      SubjectPublicKeyInfo,
    ),
    extensions: new Extensions(extensions),
  })
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), issuer.keys.privateKey)
  const whole = new Certificate({
    tbsCertificate,
    signatureAlgorithm: algorithm,
    signatureValue: new Uint8Array(signature).buffer,
  })
  return new X509Certificate(Buffer.from(AsnConvert.serialize(whole))).toString()
}

/** Positive: the first bit of a DER integer is its sign. */
function serialNumber(): ArrayBuffer {
  const bytes = new Uint8Array(randomBytes(16))
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.buffer
}

function nameOf({ name }: Party): Name {
  const value = new AttributeValue({ utf8String: name })
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])])
}

function rootExtensions(): Extension[] {
  return [
    extension(id_ce_basicConstraints, AsnConvert.serialize(new BasicConstraints({ cA: true })), true),
    extension(id_ce_keyUsage, AsnConvert.serialize(new KeyUsage(KeyUsageFlags.keyCertSign)), true),
  ]
}

function signerExtensions({ spc }: DemoSigner): Extension[] {
  return [
    extension(id_ce_basicConstraints, AsnConvert.serialize(new BasicConstraints()), true),
    extension(id_ce_keyUsage, AsnConvert.serialize(new KeyUsage(KeyUsageFlags.digitalSignature)), true),
    extension(TN_AUTH_LIST, tnAuthListOf(spc)),
  ]
}

/** SPC "1234" => 30 08 A0 06 16 04 31 32 33 34; short forms of length, as an SPC has a few letters. */
function tnAuthListOf(spc: string): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(spc, 'latin1')
  const { length } = text
  return new Uint8Array([0x30, length + 4, 0xa0, length + 2, 0x16, length, ...text])
}

function extension(extnID: string, der: ArrayBuffer | Uint8Array<ArrayBuffer>, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(der) })
}
