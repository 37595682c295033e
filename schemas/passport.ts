/** What the Identity header says (RFC 8224, RFC 8225, RFC 8588), decoded and not verified. */

export type Attestation = 'A' | 'B' | 'C' | 'none' | 'malformed'

export interface IdentityToken {
  form: 'full' | 'compact' | 'malformed'
  /** From the parameter or the token's header: 'shaken', 'div', 'rph', 'rcd' …; '' when there is none. */
  ppt: string
  /** 'A', 'B' or 'C' of a shaken token; '' otherwise. */
  attest: string
  /** Canonical telephone number or URI; '' when absent. */
  orig: string
  dest: string[]
  /** Seconds since 1970; 0 when absent. Accepts the string form found in RFC examples. */
  iatS: number
  x5u: string
  origId: string
  /** div.tn of a `div` token, '' otherwise. */
  div: string
  /** First 32 hex digits of SHA-256 over the token text, to find it again in the raw messages. */
  tokenHash: string
  /** Why form is 'malformed'; '' otherwise. */
  problem: '' | 'truncated' | 'not_a_token' | 'bad_json' | 'bad_attest' | 'too_long'
}
