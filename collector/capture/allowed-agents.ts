/**
 * The networks agents may send from (`capture.allowed_agents`); none at all means from anywhere.
 *
 * Asked for every datagram, so the verdicts are kept by address: in a table of fixed size that is emptied when it is
 * full, because a sender can invent addresses. The zone of a link-local address (fe80::1%eth0) is not part of it.
 */
import { PrefixTable, readAddress, readPrefix } from '../../sip/ip-prefix.js'

const VERDICTS_MAX = 4_096

export class AllowedAgents {
  readonly #isOpen: boolean
  readonly #networks = new PrefixTable<true>()
  readonly #verdicts = new Map<string, boolean>()

  /** CIDRs as the configuration has checked them; what is none allows nobody. */
  constructor(cidrs: readonly string[]) {
    this.#isOpen = cidrs.length === 0
    for (const cidr of cidrs) {
      const prefix = readPrefix(cidr)
      if (prefix !== undefined) this.#networks.add(prefix, true)
    }
  }

  has(address: string): boolean {
    return this.#isOpen || (this.#verdicts.get(address) ?? this.#judge(address))
  }

  #judge(address: string): boolean {
    const zone = address.indexOf('%')
    const parsed = readAddress(zone < 0 ? address : address.slice(0, zone))
    const verdict = parsed !== undefined && this.#networks.matches(parsed).length > 0
    if (this.#verdicts.size >= VERDICTS_MAX) this.#verdicts.clear()
    this.#verdicts.set(address, verdict)
    return verdict
  }
}
