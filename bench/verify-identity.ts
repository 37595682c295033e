/**
 * Signatures of Identity tokens: new ones (each token another, so that nothing is remembered) through the thread that checks
 * them, and asked again. Wall time of one thread, and CPU time of the whole process: tokens a second on one core.
 *
 * Run      npx tsc && node dist/bench/verify-identity.js
 */
import { generateKeyPairSync, sign } from 'node:crypto'
import { SignatureVerifier } from '../evidence/identity/verification-worker.js'
import { type CallSignalling, verifyTokens } from '../evidence/identity/verify-token.js'
import { median } from './measure.js'

const RUNS = 5
const TOKENS = 4_000

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
const X5U = 'https://cert.example.org/shaken.pem'
const HEADER = encoded({ alg: 'ES256', ppt: 'shaken', typ: 'passport', x5u: X5U })
const CALL: CallSignalling = {
  invitedAtUs: 1_795_217_980e6,
  requestUri: 'sip:+13125550123@198.51.100.10',
  from: '<sip:+14155551000@192.0.2.11>;tag=1',
  to: '<sip:+13125550123@198.51.100.10>',
  assertedIdentities: ['<sip:+14155551000@192.0.2.11>'],
  date: '',
  isCut: false,
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function tokenOf(number: number): string {
  const claims = {
    attest: 'A',
    dest: { tn: ['13125550123'] },
    iat: 1_795_217_976,
    orig: { tn: '14155551000' },
    origid: `11111111-2222-4333-8444-${String(number).padStart(12, '0')}`,
  }
  const signed = `${HEADER}.${encoded(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')};info=<${X5U}>;alg=ES256;ppt=shaken`
}

const found = {
  trust: { fromMs: 0, toMs: 8e15 },
  certificate: {
    key,
    sha256: '',
    commonName: '',
    authority: { spcs: ['709J'], ranges: [], numbers: [] },
    notBeforeMs: 0,
    notAfterMs: 8e15,
    maySign: true,
    certificate: undefined as never,
    others: [],
  },
}

const verifier = new SignatureVerifier()
const checks = { certificateOf: () => found, verify: verifier.verify }
let made = 0

async function run(tokens: readonly string[]): Promise<{ wall: number; cpu: number }> {
  const before = process.cpuUsage()
  const startMs = performance.now()
  let passed = 0
  for (let at = 0; at < tokens.length; at += 1_000) {
    const some = tokens.slice(at, at + 1_000)
    const verdicts = await Promise.all(some.map((token) => verifyTokens([token], CALL, checks)))
    passed += verdicts.filter(([verdict]) => verdict?.verified === 'passed').length
  }
  if (passed !== tokens.length) throw new Error(`${tokens.length - passed} tokens were not verified`)
  const { user, system } = process.cpuUsage(before)
  return {
    wall: (tokens.length * 1_000) / (performance.now() - startMs),
    cpu: (tokens.length * 1e6) / (user + system),
  }
}

await run([tokenOf(made++)]) // The thread starts.
const fresh: { wall: number; cpu: number }[] = []
const again: { wall: number; cpu: number }[] = []
for (let round = 0; round < RUNS; round++) {
  const tokens = Array.from({ length: TOKENS }, () => tokenOf(made++))
  fresh.push(await run(tokens))
  again.push(await run(tokens))
}
await verifier.close()

for (const [what, runs] of [
  ['new tokens', fresh],
  ['asked again', again],
] as const) {
  const wall = Math.round(median(runs.map((one) => one.wall)))
  const cpu = Math.round(median(runs.map((one) => one.cpu)))
  console.log(
    `${what}: ${wall} tokens/s of wall time with one thread, ${cpu} tokens/s a core (CPU time of all threads)`,
  )
}
