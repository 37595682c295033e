/**
 * What the checks of tokens need, made from the configuration: the folder of certificates, the roots, the fetching where it is
 * switched on, and the thread that checks signatures. Nothing is started before the first token.
 *
 * Takes    `identity` of trunkscope.yaml.
 * Returns  `certificateOf` for verify-token.ts: from the folder, else fetched, with the trust that the roots give it.
 * Throws   TRUNKSCOPE_EVIDENCE_CERTIFICATES at the start, when folder or roots cannot be read. Later the last good roots and
 *          index stay in use, and `refresh` gives the sentence that says why.
 */
import type { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IdentityConfig } from '../../schemas/identity-config.js'
import { readRoots, type SigningCertificate, type Trust, trustOf } from './certificate.js'
import { CertificatesFolder } from './certificates-folder.js'
import { SignatureVerifier, type VerifierOptions } from './verification-worker.js'
import type { FoundCertificate, TokenChecks } from './verify-token.js'
import { X5uFetch, type X5uFetchOptions, type X5uReason } from './x5u-fetch.js'

export interface CheckerOptions {
  verifier?: VerifierOptions
  /** For tests. */
  fetch?: Omit<X5uFetchOptions, 'hosts'>
}

export class IdentityChecker implements TokenChecks {
  readonly #config: IdentityConfig
  readonly #folder: CertificatesFolder | undefined
  readonly #fetch: X5uFetch | undefined
  readonly #verifier: SignatureVerifier
  readonly verify: TokenChecks['verify']
  #rootsText = ''
  #roots: X509Certificate[] | undefined
  #trust = new WeakMap<SigningCertificate, Trust | 'untrusted'>()
  readonly #refused = new Map<X5uReason, number>()

  constructor(config: IdentityConfig, options: CheckerOptions = {}) {
    this.#config = config
    this.#folder = config.certificates === undefined ? undefined : new CertificatesFolder(config.certificates)
    this.#fetch = config.fetch.enabled
      ? new X5uFetch({ ...options.fetch, hosts: config.fetch.hosts })
      : undefined
    this.#verifier = new SignatureVerifier(options.verifier)
    this.verify = this.#verifier.verify
    this.#readRoots()
  }

  certificateOf(x5u: string): FoundCertificate | Promise<FoundCertificate> {
    const found = this.#folder?.find(x5u) ?? NO_CERTIFICATE
    if ('certificate' in found) return this.#trusted(found.certificate)
    if (this.#fetch === undefined || found.reason === 'certificate_unreadable') return found
    return this.#fetched(this.#fetch, x5u)
  }

  async #fetched(fetch: X5uFetch, x5u: string): Promise<FoundCertificate> {
    const fetched = await fetch.fetch(x5u)
    if ('certificate' in fetched) return this.#trusted(fetched.certificate)
    this.#refused.set(fetched.reason, (this.#refused.get(fetched.reason) ?? 0) + 1)
    return fetched.reason === 'not_certificates' ? { reason: 'certificate_unreadable' } : NO_CERTIFICATE
  }

  #trusted(certificate: SigningCertificate): FoundCertificate {
    if (this.#roots === undefined) return { certificate, trust: 'no_roots' }
    let trust = this.#trust.get(certificate)
    if (trust === undefined) {
      trust = trustOf(certificate, this.#roots) ?? 'untrusted'
      this.#trust.set(certificate, trust)
    }
    return { certificate, trust }
  }

  /** Looks at folder and roots again. `changed`: what was not checked, or not trusted, may be now. */
  refresh(): { changed: boolean; problem: string } {
    let changed = false
    try {
      changed = this.#readRoots()
      changed = (this.#folder?.refresh() ?? false) || changed
      return { changed, problem: '' }
    } catch (error) {
      return { changed, problem: (error as Error).message }
    }
  }

  /** Why certificates were not fetched since the last time this was asked. */
  takeRefusals(): { reason: X5uReason; times: number }[] {
    const refusals = [...this.#refused].map(([reason, times]) => ({ reason, times }))
    this.#refused.clear()
    return refusals
  }

  close(): Promise<void> {
    return this.#verifier.close()
  }

  #readRoots(): boolean {
    const { roots } = this.#config
    if (roots === undefined) return false
    try {
      const text = readFileSync(roots, 'utf8')
      if (text === this.#rootsText) return false
      this.#roots = readRoots(text)
      this.#rootsText = text
      this.#trust = new WeakMap()
      return true
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      const what =
        code === undefined ? message : `cannot be read (${code}); name a PEM file of root certificates`
      throw Object.assign(new Error(`identity.roots: ${roots} ${what}`, { cause }), {
        code: 'TRUNKSCOPE_EVIDENCE_CERTIFICATES',
      })
    }
  }
}

const NO_CERTIFICATE = { reason: 'no_certificate' } as const
