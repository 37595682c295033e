// tidy: tested by test/bin/demo/certificates.test.ts
/**
 * Who signs the demo's calls, with which service provider code, and what the contracts say about it. Two of them have a story:
 * the certificate of Brightmesa ended while its calls went on, and Calderwick's calls are signed by somebody whom its contract
 * does not name. Fenholt's ends soon.
 *
 * Keys are files of the demo's own folder (certificates.ts): the generator is a process of its own.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

export interface DemoSigner {
  /** As Identity headers name it: a host below `.example`. */
  host: string
  /** In its certificate. */
  spc: string
  /** When its certificate ends, after the demo was first started. */
  endsAfterS: number
}

const MINUTE_S = 60
const DAY_S = 86_400
const LONG_S = 300 * DAY_S

export const DEMO_SIGNERS: readonly DemoSigner[] = [
  { host: 'platform.example', spc: '001P', endsAfterS: LONG_S },
  { host: 'aldermoor.example', spc: '101A', endsAfterS: LONG_S },
  { host: 'brightmesa.example', spc: '202B', endsAfterS: -25 * MINUTE_S },
  { host: 'calderwick.example', spc: '909X', endsAfterS: LONG_S },
  { host: 'dunmarrow.example', spc: '404D', endsAfterS: LONG_S },
  { host: 'eastlattice.example', spc: '505E', endsAfterS: LONG_S },
  { host: 'fenholt.example', spc: '606F', endsAfterS: 12 * DAY_S },
]

/** By carrier: who may sign for it (`carriers[].spcs`). */
export const DEMO_CONTRACTS: Readonly<Record<string, readonly string[]>> = {
  aldermoor: ['101A'],
  brightmesa: ['202B'],
  calderwick: ['303C'],
  dunmarrow: ['404D'],
  eastlattice: ['505E'],
  fenholt: ['606F'],
}

/** By the host of the signer. */
export type SigningKeys = ReadonlyMap<string, KeyObject>

/** The x5u of its tokens; nothing is fetched from there. */
export function certificateUrlOf(host: string): string {
  return `https://certificates.${host}/shaken.pem`
}

/** @param folder files `<host>.pem`, each a private key */
export function readSigningKeys(folder: string): SigningKeys {
  const files = readdirSync(folder).filter((name) => name.endsWith('.pem'))
  return new Map(
    files.map((name) => [basename(name, '.pem'), createPrivateKey(readFileSync(join(folder, name)))]),
  )
}
