/** An authority of one's own, made with openssl in a folder of the test. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

export interface CertificateFiles {
  cert: string
  key: string
}

export class Authority {
  readonly cert: string
  readonly #folder: string
  readonly #key: string

  constructor(folder: string, name: string) {
    this.#folder = folder
    this.cert = join(folder, `${name}.crt`)
    this.#key = join(folder, `${name}.key`)
    const subject = ['-subj', `/CN=${name}`]
    openssl('req', '-x509', ...KEY, '-keyout', this.#key, '-out', this.cert, ...subject, '-days', '30')
  }

  /** A certificate for 127.0.0.1 signed by this authority; it ends so many days from now. */
  issue(name: string, days = 30): CertificateFiles {
    const [cert, key, request] = ['crt', 'key', 'csr'].map((end) => join(this.#folder, `${name}.${end}`)) as [
      string,
      string,
      string,
    ]
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1']
    openssl('req', ...KEY, '-keyout', key, '-out', request, '-subj', `/CN=${name}`, ...names)
    const signer = ['-CA', this.cert, '-CAkey', this.#key, '-CAcreateserial', '-copy_extensions', 'copyall']
    openssl('x509', '-req', '-in', request, ...signer, '-out', cert, '-days', String(days))
    return { cert, key }
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
