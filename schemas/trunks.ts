/**
 * A trunk: what lies between one site of ours and one far address of a carrier. evidence/ counts by it, api/ judges and shows
 * it. Definitions: docs/trunks.md.
 *
 * The port is part of it where a peer of the carrier names that port; elsewhere it is 0, because calls that come in over TCP have
 * ever new ones.
 */
import type { TrunkscopeConfig } from './config.js'

export interface Trunk {
  carrier: string
  /** '' when unknown. */
  site: string
  /** `OTHER_ADDRESSES`: those beyond `ADDRESSES_MAX` of a carrier at a site, together. */
  farAddress: string
  /** 0: any. */
  farPort: number
}

export const OTHER_ADDRESSES = '*'

/** Far addresses of one carrier at one site that are counted one by one in a minute or an hour. */
export const ADDRESSES_MAX = 64

/** What is counted of a trunk in a minute: a function of the messages that began in it, and of their answers. */
export interface TrunkCounts {
  /** OPTIONS that our side sent, by what came of them. */
  optionsAnswered: number
  options503: number
  /** Answered 500 to 599, but not 503. */
  options5xx: number
  optionsUnanswered: number
  /** Timer F of them has not run out yet, as far as their agent has been heard of. */
  optionsPending: number
  /** OPTIONS of their side. */
  optionsIn: number
  callsOut: number
  callsIn: number
  /** Of those out: any response within Timer B. */
  callsResponded: number
  calls503: number
  /** No response at all until Timer B. */
  callsUnanswered: number
  /** Exchanges and calls that got no answer and began after the last sign of life, at most `TAIL_MAX`. */
  unansweredAfter: number
  /** The last sign of life: a response, an OPTIONS or an INVITE of theirs. Microseconds, 0: none. */
  lastLifeUs: number
  /** When the last OPTIONS of our side was sent, 0: none; and what answered it, 0: nothing. */
  lastOptionsUs: number
  lastOptionsStatus: number
}

export const TAIL_MAX = 100

/** Columns of `trunk_minutes` for the counts, in the order of the DDL. */
export const TRUNK_COUNT_COLUMNS: Readonly<Record<keyof TrunkCounts, string>> = {
  optionsAnswered: 'options_answered',
  options503: 'options_503',
  options5xx: 'options_5xx',
  optionsUnanswered: 'options_unanswered',
  optionsPending: 'options_pending',
  optionsIn: 'options_in',
  callsOut: 'calls_out',
  callsIn: 'calls_in',
  callsResponded: 'calls_responded',
  calls503: 'calls_503',
  callsUnanswered: 'calls_unanswered',
  unansweredAfter: 'unanswered_after',
  lastLifeUs: 'last_life_us',
  lastOptionsUs: 'last_options_us',
  lastOptionsStatus: 'last_options_status',
}

/** Of whom a peak is: a trunk; a carrier at one site; a carrier; all carriers at one site. */
export const PEAK_SCOPES = ['trunk', 'carrier_site', 'carrier', 'site'] as const
export type PeakScope = (typeof PEAK_SCOPES)[number]

/** `per` of a limit, as a scope of peaks. */
export const SCOPE_OF_LIMIT = { trunk: 'trunk', site: 'carrier_site', carrier: 'carrier' } as const

/** Carrier and port, as `carrier:port`: ports that are part of a trunk. */
export function namedPorts(config: Pick<TrunkscopeConfig, 'carriers'>): Set<string> {
  return new Set(
    config.carriers.flatMap(({ id, peers }) =>
      peers.flatMap((peer) =>
        typeof peer === 'string' || peer.port === undefined ? [] : [`${id}:${peer.port}`],
      ),
    ),
  )
}

/** The port of a trunk in SQL; the parameter `ports` holds `namedPorts`. */
export const TRUNK_PORT_SQL = `if(has({ports:Array(String)}, concat(carrier, ':', toString(far_port))), far_port, 0)`

/** In addresses and answers: carrier~site~address, and ~port where one is named. */
export function trunkId({ carrier, site, farAddress, farPort }: Trunk): string {
  return [carrier, site, farAddress, ...(farPort === 0 ? [] : [farPort])].join('~')
}

/** undefined: no id of a trunk. */
export function readTrunkId(text: string): Trunk | undefined {
  const [carrier, site, farAddress, port, ...rest] = text.split('~')
  if (!carrier || site === undefined || !farAddress || rest.length > 0) return undefined
  if (port !== undefined && !/^[1-9]\d{0,4}$/.test(port)) return undefined
  return { carrier, site, farAddress, farPort: Number(port ?? 0) }
}

/** "198.51.100.10:5060"; brackets around IPv6. */
export function trunkAddress({ farAddress, farPort }: Pick<Trunk, 'farAddress' | 'farPort'>): string {
  if (farAddress === OTHER_ADDRESSES) return 'other addresses'
  if (farPort === 0) return farAddress
  return farAddress.includes(':') ? `[${farAddress}]:${farPort}` : `${farAddress}:${farPort}`
}
