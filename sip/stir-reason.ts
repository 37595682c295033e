/**
 * Reason values of a verification service: a token failed, and the call goes on (RFC 9410).
 *
 *   Reason: STIR;cause=436;text="Bad Identity Info";ppi="..xx3jKtAQ…"
 *
 * Takes    the Reason values of one response, provisional or final; there may be several, one a token.
 * Returns  those with the protocol STIR: cause, text, and `ppi`: the token it is about, in full or compact form, '' when it
 *          is about them all. `isAboutToken` compares by signature, which both forms share.
 * Throws   nothing.
 * Source   RFC 9410 §3 and §4; RFC 8224 §6.2.2 for the causes (428, 436, 437, 438, 403); metrics.md §6.
 */
import { readReason } from './reason.js'
import { readParameters } from './uri.js'

export interface StirReason {
  /** -1: none. */
  cause: number
  text: string
  ppi: string
}

const PPI_MAX_CHARS = 16_384

export function stirReasonsOf(reasons: readonly string[]): StirReason[] {
  return reasons.flatMap((value) => {
    const { protocol, cause, text } = readReason(value)
    if (protocol !== 'STIR') return []
    const ppi = readParameters(value, value.indexOf(';') < 0 ? value.length : value.indexOf(';')).get('ppi')
    return [{ cause, text, ppi: (ppi ?? '').slice(0, PPI_MAX_CHARS).replace(/\s+/g, '') }]
  })
}

/** @param digest the token of an Identity header, without its parameters */
export function isAboutToken({ ppi }: StirReason, digest: string): boolean {
  const signature = ppi.slice(ppi.lastIndexOf('.') + 1)
  return signature !== '' && signature === digest.slice(digest.lastIndexOf('.') + 1)
}
