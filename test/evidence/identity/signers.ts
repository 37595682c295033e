/** Certificates as signers of calls have them, made with openssl in a folder of the test. */
import { execFileSync } from 'node:child_process'
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface MadeCertificate {
  pem: string
  privateKey: KeyObject
  file: string
  keyFile: string
}

export interface Wish {
  name: string
  /** `SHAKEN <name>` unless told. */
  commonName?: string
  /** Left out: signed by itself. */
  issuer?: MadeCertificate
  isCa?: boolean
  pathLength?: number
  /** DER of the TNAuthList as hex; '' for none. SPC "1234" unless told. */
  tnAuthList?: string
  keyUsage?: string
  curve?: string
  /** Days from now. */
  from?: number
  to?: number
}

/** SEQUENCE { [0] EXPLICIT IA5String "1234" } */
export const SPC_1234 = '30:08:A0:06:16:04:31:32:33:34'

const date = (days: number) =>
  new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(0, 14).concat('Z')

export function makeCertificate(folder: string, wish: Wish): MadeCertificate {
  const path = (end: string) => join(folder, `${wish.name}.${end}`)
  openssl('ecparam', '-genkey', '-name', wish.curve ?? 'prime256v1', '-noout', '-out', path('key'))
  openssl(
    'req',
    '-new',
    '-key',
    path('key'),
    '-subj',
    `/C=US/O=Example Voice/CN=${wish.commonName ?? `SHAKEN ${wish.name}`}`,
    '-out',
    path('csr'),
  )
  const length = wish.pathLength === undefined ? '' : `,pathlen:${wish.pathLength}`
  const list = wish.tnAuthList ?? SPC_1234
  writeFileSync(
    path('cnf'),
    [
      '[ca]',
      'default_ca=own',
      '[own]',
      `database=${path('index')}`,
      `new_certs_dir=${folder}`,
      'rand_serial=yes',
      'default_md=sha256',
      'policy=any',
      'unique_subject=no',
      'x509_extensions=extensions',
      '[any]',
      'countryName=optional',
      'organizationName=optional',
      'commonName=supplied',
      '[extensions]',
      `basicConstraints=critical,CA:${wish.isCa === true ? `TRUE${length}` : 'FALSE'}`,
      `keyUsage=${wish.keyUsage ?? (wish.isCa === true ? 'keyCertSign' : 'digitalSignature')}`,
      ...(list === '' || wish.isCa === true ? [] : [`1.3.6.1.5.5.7.1.26=DER:${list}`]),
    ].join('\n'),
  )
  writeFileSync(path('index'), '')
  const signer =
    wish.issuer === undefined
      ? ['-selfsign', '-keyfile', path('key')]
      : ['-cert', wish.issuer.file, '-keyfile', wish.issuer.keyFile]
  openssl(
    'ca',
    '-batch',
    '-notext',
    '-config',
    path('cnf'),
    ...signer,
    '-in',
    path('csr'),
    '-out',
    path('crt'),
    '-startdate',
    date(wish.from ?? -1),
    '-enddate',
    date(wish.to ?? 30),
  )
  return {
    pem: readFileSync(path('crt'), 'utf8'),
    privateKey: createPrivateKey(readFileSync(path('key'))),
    file: path('crt'),
    keyFile: path('key'),
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
