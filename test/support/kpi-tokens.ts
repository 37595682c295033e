/**
 * Identity header values for call flows: what identity=A|B|C|div|malformed stands for. Well-formed, never verifiable: the
 * signature is a constant.
 *
 * Source   RFC 8224 §4, RFC 8588 §4, RFC 8946 §3.
 */
const CERTIFICATE = 'https://cert.example.org/shaken.pem'
const SIGNATURE = `${'kpi0'.repeat(21)}AA`
const ISSUED_AT_S = 1_767_600_000

export function identityValue(kind: string, caller: string, callee: string): string {
  const parameters = (ppt: string) => `;info=<${CERTIFICATE}>;alg=ES256;ppt="${ppt}"`
  const head = (ppt: string) => base64url({ alg: 'ES256', ppt, typ: 'passport', x5u: CERTIFICATE })
  const orig = { tn: digits(caller) }
  const dest = { tn: [digits(callee)] }
  const iat = ISSUED_AT_S
  if (kind === 'div') {
    const claims = base64url({ dest, div: { tn: '12155550199' }, iat, orig })
    return `${head('div')}.${claims}.${SIGNATURE}${parameters('div')}`
  }
  const origid = '123e4567-e89b-12d3-a456-426655440000'
  const claims = base64url({ attest: kind, dest, iat, orig, origid })
  // A gateway cut the token in the middle of its claims.
  if (kind === 'malformed') return `${head('shaken')}.${claims.slice(0, 30)}${parameters('shaken')}`
  return `${head('shaken')}.${claims}.${SIGNATURE}${parameters('shaken')}`
}

function base64url(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url')
}

function digits(number: string): string {
  return number.replace(/\D/g, '')
}
