/**
 * The closed list of reasons why something from the wire was refused or could not be read, by stage.
 * A reason is not an error: it is counted (`trunkscope_dropped_total{stage,reason}`), a sample is kept, and
 * nothing throws. Every name that appears in a counter, a row or a page is declared here.
 */

/** Capture refuses the frame: it is not accepted, not spooled. One sample a reason and second is kept. */
export const CAPTURE_REASONS = {
  address_not_allowed: 'the sender is in none of the networks of capture.allowed_agents',
  not_hep: 'the bytes do not begin with HEP3 (nor, where capture.hep2 is on, with a header of HEP1 or HEP2)',
  length_mismatch: 'the length in the HEP header is not the length of the datagram',
  frame_too_short: 'the frame is shorter than its header says, or shorter than a header',
  chunk_too_short: 'a chunk gives a length below its own 6 bytes of header',
  chunk_overrun: 'a chunk runs past the end of the frame',
  key_missing: 'an agent key is configured and the frame carries none (chunk 14)',
  key_mismatch: 'the agent key of the frame is not the configured one',
  gzip_damaged: 'the frame is compressed as a whole, and its gzip is damaged or has no end',
  gzip_too_large: 'the frame is compressed as a whole and would grow past the output or ratio bound',
  skipped_bytes: 'bytes of a TCP stream that belong to no frame, skipped up to the next sane frame',
  connection_limit:
    'a TCP connection was refused: too many are open, in all or from that address, or no file descriptor is left',
  tls_refused:
    'a TLS handshake failed: no TLS, too old, no certificate or one that is not trusted, or too slow',
  frame_timeout: 'a TCP connection was closed: a frame was begun and not finished in time',
  idle_timeout: 'a TCP connection was closed: nothing arrived on it for too long',
  spool_full: 'the disk spool reached its size limit or the disk is full',
  spool_slow: 'the disk did not keep up and the memory bound for frames in flight was reached',
  kernel_drop: 'the kernel dropped datagrams because the receive buffer was full (/proc/net/udp)',
} as const
export type CaptureReason = keyof typeof CAPTURE_REASONS

/** The frame is accepted and spooled, but holds no SIP message to store. */
export const DECODE_REASONS = {
  keepalive: 'no payload, or only white space: an agent keeping its connection open',
  not_sip: 'the protocol type is not SIP (RTCP, log lines, reports …)',
  decompress_failed: 'the compressed payload (chunk 16) is neither gzip nor zlib, or is damaged',
  decompress_too_large: 'the compressed payload would grow past the output or ratio bound',
  spool_damaged: 'a batch of the spool failed its checksum or was cut short',
  record_damaged: 'a record of the bus is no container of frames, or failed its checksum',
} as const
export type DecodeReason = keyof typeof DECODE_REASONS

/** The SIP message is stored raw with `parse_error`; it takes no part in the fold. */
export const SIP_REASONS = {
  not_a_start_line: 'the first line is neither a request line nor a status line',
  bad_version: 'the start line names a version other than SIP/2.0',
  bad_status_code: 'the status code is not three digits from 100 to 699',
  no_headers: 'there is no header after the start line',
  no_call_id: 'no Call-ID header, or an empty one',
  no_cseq: 'no CSeq header, or its number is not 0..2^31-1, or it has no method',
  cseq_mismatch: 'the CSeq method is not the method of the request line',
  no_from: 'no From header',
  no_to: 'no To header',
  no_via: 'no Via header',
  repeated_header:
    'a header that may stand once (Call-ID, CSeq, From, To) stands twice with different values',
  too_many_headers: 'more header lines than the reader is willing to look at',
  line_too_long: 'a header line longer than the reader is willing to look at',
} as const
export type SipReason = keyof typeof SIP_REASONS

export type Stage = 'capture' | 'decode' | 'sip'
export type Reason = CaptureReason | DecodeReason | SipReason

/** One refused thing, for `rejected_frames`: `count` is 1 for a sample row. */
export interface RefusedSample {
  stage: Stage
  reason: Reason
  receivedAtUs: number
  transport: string
  peerAddress: string
  sizeBytes: number
  /** The first bytes of what was refused, at most 2,048; the agent key is blanked. */
  sample: Buffer
}
