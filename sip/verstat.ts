/**
 * What an INVITE says about its own verification, beside the Identity header: the verdict of the last verifier (verstat),
 * and the unsigned request to sign (Attestation-Info, Origination-Id).
 *
 *   PAI or From => <tel:+12155551212;verstat=TN-Validation-Passed-A>       a parameter of the URI (TS 24.229 §7.2A.20)
 *
 * Takes    values of P-Asserted-Identity and From as they stood on the wire; header values of the other two.
 * Returns  `verstat`: its value in the registered spelling where it is one, '' for none. The first of: a tel URI in
 *          P-Asserted-Identity, a SIP URI there, From. `passed`, `level` and `isDiverted` say what it means:
 *          a plain TN-Validation-Passed has level A, as those who send B and C mean it.
 * Throws   nothing.
 * Source   metrics.md §6; the precedence and the suffixes -A, -B, -C, -Diverted are practice, not of a standard.
 */
import { type Parameters, readNameAddr, readUri } from './uri.js'

/** Longer values are nobody's verdict. */
const VALUE_MAX_CHARS = 64

export interface Verstat {
  value: string
  verdict: 'passed' | 'failed' | 'none' | 'unknown' | ''
  level: 'A' | 'B' | 'C' | ''
  isDiverted: boolean
}

const ABSENT: Verstat = { value: '', verdict: '', level: '', isDiverted: false }

export function verstatOf(assertedIdentities: readonly string[], from: string): Verstat {
  const found = assertedIdentities.map(valueIn).filter(({ value }) => value !== '')
  const written = found.find(({ isTel }) => isTel)?.value ?? found[0]?.value ?? valueIn(from).value
  return readVerstat(written)
}

export function readVerstat(written: string): Verstat {
  if (written === '') return ABSENT
  const text = written.slice(0, VALUE_MAX_CHARS).toLowerCase()
  if (text === 'no-tn-validation') return { ...ABSENT, value: 'No-TN-Validation', verdict: 'none' }
  const match = /^tn-validation-(passed|failed)(?:-([abc]))?(-diverted)?$/.exec(text)
  if (match === null) return { ...ABSENT, value: written.slice(0, VALUE_MAX_CHARS), verdict: 'unknown' }
  const passed = match[1] === 'passed'
  const level = match[2]?.toUpperCase() as Verstat['level'] | undefined
  const value = `TN-Validation-${passed ? 'Passed' : 'Failed'}${level === undefined ? '' : `-${level}`}`
  return {
    value: match[3] === undefined ? value : `${value}-Diverted`,
    verdict: passed ? 'passed' : 'failed',
    level: level ?? (passed ? 'A' : ''),
    isDiverted: match[3] !== undefined,
  }
}

function valueIn(header: string): { value: string; isTel: boolean } {
  const { uri, parameters } = readNameAddr(header)
  const read = readUri(uri)
  // Some put it behind the angle brackets, where it would belong to the header.
  const value = of(read.userParameters) || of(read.parameters) || of(parameters)
  return { value, isTel: read.scheme === 'tel' }
}

const of = (parameters: Parameters) => (parameters.get('verstat') ?? '').replace(/^"|"$/g, '').trim()

/** A level that Attestation-Info asks for; '' for none and for anything else. */
export function readAttestationInfo(header: string): 'A' | 'B' | 'C' | '' {
  const level = header.trim().replace(/^"|"$/g, '').slice(0, 1).toUpperCase()
  const isAlone = /^"?[ABCabc]"?\s*(?:;|$)/.test(header.trim())
  return isAlone && (level === 'A' || level === 'B' || level === 'C') ? level : ''
}
