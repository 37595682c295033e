/** Whose leg it is, as the INVITE and the configuration tell: enrich → fold. Never part of the attempt's key. */
import type { Attempt, Party } from './attempt.js'

/** Source and destination of the INVITE. */
export interface Ends {
  agentId: number
  sourceAddress: string
  sourcePort: number
  destinationAddress: string
  destinationPort: number
  /** Of the INVITE, as they stood on the wire: they name trunk groups (RFC 4904). */
  requestUri?: string
  contact?: string
}

export interface LegAttributes {
  party: Party
  carrier: string
  customer: string
  site: string
  direction: Attempt['direction']
  attributionRule: Attempt['attributionRule']
  sbcAddress: string
  farAddress: string
  farPort: number
}

/** Numbers of an INVITE: '+' and digits where they are E.164, other digits as they stand, '' for none. */
export interface CallNumbers {
  calledNumber: string
  dialledNumber: string
  callingNumber: string
  fromNumber: string
}
