/** Whether an address is one that belongs to nobody: RFC 5737, RFC 3849. */
import { BlockList } from 'node:net'

const ranges = new BlockList()
ranges.addSubnet('192.0.2.0', 24)
ranges.addSubnet('198.51.100.0', 24)
ranges.addSubnet('203.0.113.0', 24)
ranges.addSubnet('2001:db8::', 32, 'ipv6')

export function isDocumentationAddress(address: string): boolean {
  return ranges.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
}
