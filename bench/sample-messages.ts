/** The message the benches read: an INVITE of about 800 bytes with SDP and a SHAKEN token, as a trunk carries it. */
const SDP = [
  'v=0',
  'o=SBC 70012 70012 IN IP4 198.51.100.10',
  's=-',
  'c=IN IP4 198.51.100.10',
  't=0 0',
  'm=audio 27000 RTP/AVP 8 0',
  '',
].join('\r\n')

const TOKEN = `${base64url('{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://c.example/s"}')}.${base64url(
  '{"attest":"A","dest":{"tn":["13125550123"]},"iat":1795217976,"orig":{"tn":"14155551000"},"origid":"7"}',
)}.${'x'.repeat(86)}`

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}

/** The n-th INVITE: Call-ID, tag, branch and called number differ from call to call, the length does not. */
export function sampleInvite(n: number): Buffer {
  const id = String(n).padStart(7, '0')
  return Buffer.from(
    [
      `INVITE sip:+1312${id}@203.0.113.20;user=phone SIP/2.0`,
      `Via: SIP/2.0/UDP 198.51.100.10:5060;branch=z9hG4bK${id}`,
      'Max-Forwards: 69',
      `From: <sip:+14155551000@198.51.100.10>;tag=f${id}`,
      `To: <sip:+1312${id}@203.0.113.20>`,
      `Call-ID: ${id}-4711@198.51.100.10`,
      'CSeq: 1 INVITE',
      'Contact: <sip:198.51.100.10:5060>',
      `Identity: ${TOKEN};info=<https://c.example/s>;alg=ES256;ppt=shaken`,
      'Content-Type: application/sdp',
      `Content-Length: ${SDP.length}`,
      '',
      SDP,
    ].join('\r\n'),
    'latin1',
  )
}
