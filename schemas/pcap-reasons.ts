/**
 * Why something in a capture file (pcap, pcapng) gave no SIP message. Closed list; `trunkscope replay` counts by it and shows
 * the counts. A reason of `FILE_REASONS` ends the reading of its file: what was whole before it has been read.
 */
export const FILE_REASONS = {
  not_a_capture: 'the file begins neither as pcap nor as pcapng',
  unsupported_version: 'a version of the format other than pcap 2.x or pcapng 1.x',
  record_too_large: 'a packet of pcap claims more than 256 KiB; where the next one begins is not known',
  block_damaged: 'a block of pcapng has a length that cannot be; where the next one begins is not known',
  file_cut: 'the file ends in the middle of a packet',
} as const

export const PACKET_REASONS = {
  block_unknown_interface:
    'a packet of an interface that pcapng did not describe, or of one beyond the first 1,024',
  block_too_large: 'a packet of pcapng of more than 256 KiB',
  bad_time: 'a capture time that does not fit in 32 bits of seconds; the message is read without one',
  link_type_unknown: 'a link type that is not read',
  link_cut: 'the packet is shorter than its link header',
  not_ip: 'neither IPv4 nor IPv6: ARP, spanning tree and the like',
  ip_damaged: 'the IP header is cut, or its lengths cannot be',
  packet_cut: 'the capture kept the beginning of the packet only (snap length)',
  fragment_damaged: 'a fragment whose place cannot be',
  fragment_missing: 'a datagram of which not all fragments came',
  not_udp_or_tcp: 'another protocol over IP: ICMP, SCTP, ESP, a tunnel',
  udp_damaged: 'the UDP header is cut, or its length cannot be',
  tcp_damaged: 'the TCP header is cut, or its length cannot be',
  tcp_gap: 'segments of a TCP connection are missing; reading goes on at the next message',
  tcp_evicted: 'a direction of a TCP connection was forgotten because too many were open',
  tcp_not_sip:
    'segments of TCP whose bytes belong to no SIP message: TLS, another protocol, a beginning that was missed',
  message_cut: 'the capture ends in the middle of a SIP message over TCP',
  message_too_large: 'a SIP message over TCP of more than 65,000 bytes',
  keepalive: 'a datagram of white space or nothing: somebody keeping a NAT binding open',
  not_sip: 'a datagram that does not begin as SIP: RTP, DNS and the like',
} as const

export type FileReason = keyof typeof FILE_REASONS
export type PcapReason = FileReason | keyof typeof PACKET_REASONS
