// tidy: long because one engine answers every question about a pack
/** Dispute packs over a real store: the zip is opened, its sums are checked, its numbers are counted again by hand. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { App } from '../../../api/deps.js'
import { ApiError } from '../../../api/errors.js'
import { wilsonInterval } from '../../../api/kpi/interval.js'
import type { PackScope } from '../../../api/packs/attempt-filter.js'
import { failureClasses } from '../../../api/packs/classes.js'
import { listFailed, sampleFailed } from '../../../api/packs/failed-attempts.js'
import { IdentityTable } from '../../../api/packs/identity-table.js'
import { readSampleCalls } from '../../../api/packs/sample-calls.js'
import { Readers } from '../../../api/readers.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema } from '../../../schemas/config.js'
import type { IdentityCheck } from '../../../schemas/identity-checks.js'
import type { Token } from '../../../schemas/tokens.js'
import { CHECK } from '../attestation/identity-rows.js'
import { attempt, CONFIG, ENDED, endedCall, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'

const EVIL = {
  callId: "=cmd|'/c calc'!A0/../../.ssh/\"<script>alert(1)</script>@x",
  agent: 'Mozilla\r\nX: <img src=x onerror=alert(1)>',
  phrase: '=HYPERLINK("http://evil.example","x")\u202e</title><script>1</script>',
}
const config = configSchema.parse({
  ...CONFIG,
  carriers: CONFIG.carriers.map((carrier) =>
    carrier.id === 'alpha'
      ? {
          ...carrier,
          targets: { ner: 0.95, pdd_p95_s: 6 },
          spcs: ['709J'],
          credits: [
            { target: 'ner', below: 0.95, percent: 5 },
            { target: 'ner', below: 0.5, percent: 10 },
          ],
        }
      : carrier,
  ),
})

// Each of these is some twenty statements.
vi.setConfig({ testTimeout: 60_000 })

let store: TestStore
let app: App
const folder = mkdtempSync(join(tmpdir(), 'trunkscope-pack-'))
const all: Attempt[] = []
/** After everything that is stored below; the machine's own clock stamps the rows. */
const nowMs = () => Math.max(Date.now(), (NOON_S + 7_200) * 1_000) + waitedMs
/** Tests that need a later moment do not wait for it. */
let waitedMs = 0
const tokens: Token[] = ['viewer', 'investigator'].flatMap((role) =>
  [undefined, ['alpha'], ['beta']].map((carriers) => ({
    id: `${carriers?.[0] ?? 'all'}-${role}`,
    sha256: createHash('sha256')
      .update(`${carriers?.[0] ?? 'all'}-${role}`)
      .digest('hex'),
    role: role as Token['role'],
    ...(carriers === undefined ? {} : { carriers }),
  })),
)

/** Ids as they are: SHA-256. */
const idOf = (at: number | string) => createHash('sha256').update(String(at)).digest('hex').slice(0, 32)

function call(at: number, changes: Partial<Attempt> = {}): Attempt {
  return attempt({
    attemptId: idOf(at),
    callId: `call${at}@example.com`,
    fromTag: `tag-${at}`,
    invitedAtUs: NOON_US + at * 7e6,
    site: at % 3 === 0 ? 'fra' : 'dal',
    ...(at % 4 === 0 ? ENDED.preRing : at % 4 === 1 ? ENDED.congestion : {}),
    ...changes,
  })
}

function sip(first: string, { callId, fromTag }: Attempt, cseq: string, more = ''): string {
  return `${first}\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK${fromTag}\r\nFrom: <sip:+12155550101@example.com>;tag=${fromTag}\r\nTo: <sip:+12155550100@example.com>\r\nCall-ID: ${callId}\r\nCSeq: ${cseq}\r\n${more}Content-Length: 0\r\n\r\n`
}

const US = '192.0.2.11'
const THEM = '198.51.100.10'

async function addCalls(calls: readonly Attempt[]): Promise<void> {
  await store.add(calls)
  await store.addMessages(
    calls.flatMap((one) => {
      const there = { callId: one.callId, source: US, destination: THEM }
      const back = { callId: one.callId, source: THEM, destination: US }
      const at = one.invitedAtUs
      const final = `${one.finalCode} ${one.finalPhrase}`
      const agent = one.userAgent === EVIL.agent ? `User-Agent: ${EVIL.agent}\r\n` : ''
      return [
        {
          ...there,
          capturedAtUs: at,
          raw: sip('INVITE sip:+12155550100@198.51.100.10 SIP/2.0', one, '1 INVITE', agent),
        },
        { ...back, capturedAtUs: at + 20_000, raw: sip('SIP/2.0 100 Trying', one, '1 INVITE') },
        { ...back, capturedAtUs: at + 2_000_000, raw: sip(`SIP/2.0 ${final}`, one, '1 INVITE') },
        {
          ...there,
          capturedAtUs: at + 2_010_000,
          raw: sip('ACK sip:+12155550100@198.51.100.10 SIP/2.0', one, '1 ACK'),
        },
      ]
    }),
  )
}

/** A row of an evidence pass, stamped with the second in which it is stored. */
async function addFound(
  table: 'identity_checks' | 'attempt_anomalies' | 'attempt_verdicts',
  { attemptId, minuteS, direction, site, carrier, party }: Attempt,
  values: Record<string, unknown>,
  atS = Math.floor(Date.now() / 1_000),
): Promise<void> {
  const id = table === 'attempt_verdicts' ? { attempt_id: `unhex('${attemptId}')` } : {}
  const row: Record<string, unknown> = {
    minute: minuteS,
    version: 1,
    is_deleted: 0,
    party,
    carrier,
    ...(table === 'attempt_verdicts' ? {} : { attempt_hex: attemptId, site, direction }),
    [table === 'identity_checks' ? 'checked_at' : 'judged_at']: atS,
    ...values,
  }
  const names = [...Object.keys(id), ...Object.keys(row)]
  const texts = [...Object.values(id), ...Object.values(row).map(sqlOf)]
  await store.command(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${texts.join(', ')})`)
}

function sqlOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sqlOf).join(', ')}]`
  if (typeof value !== 'string') return String(value)
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function addToken(one: Attempt, changes: Partial<IdentityCheck>, position = 0, atS?: number): Promise<void> {
  const { party: _, carrier: __, site: ___, direction: ____, ...check } = { ...CHECK, ...changes }
  const token = { token_hex: idOf(`${one.attemptId} ${position}`), position, ...check }
  return addFound('identity_checks', one, token, atS)
}

const EVIL_SIGNER = '=HYPERLINK("http://evil.example","x")'

async function addEvidence(): Promise<void> {
  await addToken(all[4]!, {
    signature: 'invalid',
    signature_reason: 'signature_mismatch',
    verified: 'failed',
    findings: ['orig_mismatch'],
    orig_match: 'mismatch',
  })
  await addToken(all[5]!, {
    certificate_subject: EVIL_SIGNER,
    signer_id: EVIL_SIGNER,
    spc: '=1+1',
    x5u: 'https://x.example/<script>alert(1)</script>',
    verified: 'failed',
    findings: ['certificate_expired', 'iat_stale'],
    iat_delta_ms: 90_000,
  })
  await addToken(
    all[5]!,
    {
      signature: 'not_checked',
      signature_reason: 'truncated',
      verified: 'not_checked',
      spc: '',
      iat_delta_ms: null,
    },
    1,
  )
  // Answered, and inbound: in the sums of the window, in no table of failures.
  await addToken(all[6]!, {})
  await addFound('attempt_anomalies', all[5]!, {
    prefix: '+1215555',
    basis: 'messages',
    codes: ['EM_ANNOUNCE_FAIL', 'NOT_YET_KNOWN'],
    severities: ['warn', 'warn'],
    evidence: '[]',
  })
  await addFound('attempt_verdicts', all[8]!, {
    bus_partition: 0,
    pass: 'cancels',
    of_disposition: 'PRE_RING_CANCEL',
    of_cancel_class: 'PRE_RING_CANCEL',
    of_rang: false,
    disposition: 'PRE_RING_CANCEL',
    sli: 'bad',
    ner_numerator: 0,
    ner_denominator: 1,
    cancel_class: 'ROUTE_ADVANCE',
    verdict_rule: 'route_advanced',
    evidence: JSON.stringify({
      attemptId: idOf('other'),
      carrier: 'beta',
      party: 'carrier',
      event: 'invite',
      disposition: '',
      laterMs: 200,
      link: 'numbers',
    }),
  })
  await store.command(
    `INSERT INTO anomaly_minutes (minute, judged_at) VALUES (${all[5]!.minuteS}, ${Math.floor(Date.now() / 1_000)})`,
  )
}

beforeAll(async () => {
  store = await TestStore.open()
  all.push(...Array.from({ length: 160 }, (_, at) => call(at)))
  all.push(
    call(200, { state: 'open', finalCode: 0, disposition: '', sli: '' }),
    call(201, { state: 'incomplete', finalCode: 0, disposition: '', sli: '' }),
    call(202, { ...ENDED.preRing, cancelClass: 'ELSEWHERE', disposition: 'ELSEWHERE', sli: 'excluded' }),
    call(204, {
      ...ENDED.congestion,
      callId: EVIL.callId,
      userAgent: EVIL.agent,
      finalPhrase: EVIL.phrase,
    }),
    call(208, { ...endedCall(NOON_US + 208 * 7e6, 3_000) }),
    call(212, { ...ENDED.preRing, direction: 'inbound' }),
  )
  Object.assign(all[6]!, { direction: 'inbound' })
  await addCalls(all)
  await addEvidence()
  // The customer's leg and another carrier's under the Call-ID of one that failed, and a whole failure of the other.
  const shared = all[4]!
  await store.add([
    call(300, {
      carrier: 'beta',
      farAddress: '198.51.100.20',
      addressHigh: '198.51.100.20',
      ...ENDED.congestion,
    }),
  ])
  await store.addMessages(
    ['198.51.100.20', '203.0.113.77'].map((other) => ({
      callId: shared.callId,
      capturedAtUs: shared.invitedAtUs + 5,
      raw: sip('INVITE sip:zeta@other.example SIP/2.0', shared, '1 INVITE'),
      source: US,
      destination: other,
    })),
  )
  await store.addAgentMinute({ minuteS: NOON_S })
  app = await newApp()
}, 60_000)
afterAll(async () => {
  await app.close()
  await store.close()
  rmSync(folder, { recursive: true })
})

const newApp = () =>
  store.app({ config, nowMs, live: () => liveStatus({ asOfUs: nowMs() * 1_000 }), tokens: () => tokens })

const WINDOW = 'from=2026-11-20T12:00:00Z&to=2026-11-20T12:30:00Z'
const CLASSES = 'class=no_ring_487,5xx'

async function ask(query: string, who = 'all-investigator', carrier = 'alpha') {
  return app.inject({
    url: `/v1/carriers/${carrier}/dispute-pack?${query}`,
    headers: { authorization: `Bearer ${who}` },
  })
}

interface Opened {
  bytes: Buffer
  name: string
  /** Without the folder. */
  files: Record<string, Buffer>
  text: (name: string) => string
  manifest: { repeat: string; attempts: Record<string, unknown>; calls: Record<string, unknown> } & Record<
    string,
    unknown
  >
}

async function packOf(query: string, who?: string, carrier?: string): Promise<Opened> {
  const response = await ask(query, who, carrier)
  expect([response.statusCode, response.statusCode === 200 ? '' : response.body]).toEqual([200, ''])
  expect(response.headers['content-type']).toBe('application/zip')
  const name = /^attachment; filename="([A-Za-z0-9_-]+)\.zip"$/.exec(
    String(response.headers['content-disposition']),
  )![1]!
  const bytes = response.rawPayload
  const entries = Object.entries(unzipSync(bytes))
  expect(entries.filter(([path]) => !path.startsWith(`${name}/`))).toEqual([])
  const files = Object.fromEntries(
    entries.map(([path, body]) => [path.slice(name.length + 1), Buffer.from(body)]),
  )
  const text = (file: string) => files[file]!.toString('utf8')
  return { bytes, name, files, text, manifest: JSON.parse(text('manifest.json')) }
}

const rowsOf = (text: string) => parse(text, { columns: true }) as Record<string, string>[]
const inWindow = ({ invitedAtUs, carrier }: Attempt) => carrier === 'alpha' && invitedAtUs < NOON_US + 1_800e6
const isFailed = (one: Attempt) =>
  one.state === 'closed' &&
  ((one.finalCode === 487 && !one.rang && one.cancelClass !== 'ELSEWHERE') ||
    (one.finalCode >= 500 && one.finalCode < 600))

describe('a dispute pack', () => {
  it('opens, and every file has the SHA-256 that the manifest and SHA256SUMS give it', async () => {
    const { bytes, files, manifest, text, name } = await packOf(`${WINDOW}&${CLASSES}`)
    const listed = manifest.files as { name: string; bytes: number; sha256: string }[]
    const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex')
    for (const file of listed) {
      expect([file.name, files[file.name]!.length, sha256(files[file.name]!)]).toEqual([
        file.name,
        file.bytes,
        file.sha256,
      ])
    }
    const sums = text('SHA256SUMS').trim().split('\n')
    expect(sums.map((line) => line.split('  ')[1]).sort()).toEqual(
      Object.keys(files)
        .filter((file) => file !== 'SHA256SUMS')
        .sort(),
    )
    const zip = join(folder, 'pack.zip')
    writeFileSync(zip, bytes)
    if (existsSync('/usr/bin/unzip')) {
      expect(execFileSync('unzip', ['-t', zip], { encoding: 'utf8' })).toContain('No errors detected')
      execFileSync('unzip', ['-q', zip, '-d', folder])
      const checked = execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], {
        cwd: join(folder, name),
        encoding: 'utf8',
      })
      expect(checked).toBe('')
    }
    expect(manifest.trunkscope_version).toMatch(/^\d+\.\d+\.\d+/)
  })

  it('its table and its counts are what somebody else counts from the attempts', async () => {
    const { text, manifest } = await packOf(`${WINDOW}&${CLASSES}`)
    const seen = all.filter(inWindow)
    const ended = seen.filter(({ state }) => state === 'closed')
    const failed = ended.filter(isFailed)
    expect(failed.length).toBeGreaterThan(50)
    expect(manifest.attempts).toMatchObject({
      seen: seen.length,
      ended: ended.length,
      failed: failed.length,
      open: 1,
      incomplete: 1,
      listed: failed.length,
    })
    const table = rowsOf(text('attempts.csv'))
    expect(table.map((row) => row.attempt_id).sort()).toEqual(failed.map(({ attemptId }) => attemptId).sort())
    expect(table.find((row) => row.attempt_id === idOf(4))).toMatchObject({
      final_code: '487',
      rang: 'no',
      called_number: `'+12155550100`,
      classes: 'no_ring_487',
      site: 'dal',
    })
    const counts = rowsOf(text('counts.csv'))
    const of = (section: string, key: string) => {
      const row = counts.find((one) => one.section === section && one.key === key)
      return [Number(row?.attempts), Number(row?.failures)]
    }
    const counted = (test: (one: Attempt) => boolean) => [
      ended.filter(test).length,
      failed.filter(test).length,
    ]
    expect(of('total', '')).toEqual(counted(() => true))
    expect(of('site', 'fra')).toEqual(counted(({ site }) => site === 'fra'))
    expect(of('final_code', '503')).toEqual(counted(({ finalCode }) => finalCode === 503))
    expect(of('day', '2026-11-20')).toEqual(counted(() => true))
    expect(of('hour', '2026-11-20T12:00:00Z')).toEqual(counted(() => true))
    expect(of('class', '5xx')[1]).toBe(failed.filter(({ finalCode }) => finalCode === 503).length)
    expect(of('prefix', `'+1215555`)).toEqual(counted(() => true))
    const total = counts.find(({ section }) => section === 'total')!
    const [low, high] = wilsonInterval(failed.length, ended.length)!
    expect([Number(total.low), Number(total.high)]).toEqual([low, high])
    const ner = rowsOf(text('scorecard.csv')).find(({ id }) => id === 'ner')!
    expect(Number(ner.numerator)).toBe(ended.filter(({ nerNumerator }) => nerNumerator === 1).length)
    expect(JSON.parse(text('credit.json'))).toMatchObject({ certain_percent: 5, point_estimate_percent: 10 })
  })

  it('shows the calls with the smallest ids, in the order of their INVITEs, with ladder and messages', async () => {
    const { files, text, manifest } = await packOf(`${WINDOW}&${CLASSES}&calls=6`)
    const wanted = all
      .filter((one) => inWindow(one) && isFailed(one))
      .sort((a, b) => (a.attemptId < b.attemptId ? -1 : 1))
      .slice(0, 6)
      .sort((a, b) => a.invitedAtUs - b.invitedAtUs)
    const drawings = Object.keys(files).filter((file) => file.endsWith('.svg'))
    expect(drawings).toEqual(wanted.map(({ attemptId }, at) => `calls/000${at + 1}-${attemptId}.svg`))
    expect(manifest.calls).toMatchObject({ given: 6, without_messages: 0, cut: 0 })
    const words = text(drawings[0]!.replace('.svg', '.txt'))
    expect(words).toContain(`Call-ID ${wanted[0]!.callId}`)
    expect(words).toContain('    INVITE sip:+12155550100@198.51.100.10 SIP/2.0')
    expect(words).toMatch(/ {2}disposition: /)
    expect(text(drawings[0]!)).toContain('Alpha Telecom')
  })

  it('tshark finds the same Call-IDs and codes in its pcap', async () => {
    if (!existsSync('/usr/bin/tshark')) return
    const { files, text } = await packOf(`${WINDOW}&${CLASSES}&calls=1000`)
    const pcap = join(folder, 'calls.pcap')
    writeFileSync(pcap, files['calls.pcap']!)
    const fields = ['-e', 'sip.Call-ID', '-e', 'sip.Status-Code']
    const out = execFileSync('tshark', ['-r', pcap, '-Y', 'sip', '-T', 'fields', ...fields], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const found = out
      .trim()
      .split('\n')
      .map((line) => line.split('\t'))
    const failed = all.filter((one) => inWindow(one) && isFailed(one))
    expect(found.length).toBe(failed.length * 4)
    expect([...new Set(found.map(([id]) => id))].sort()).toEqual(failed.map(({ callId }) => callId).sort())
    const finals = found.flatMap(([id, code]) => (Number(code) >= 300 ? [`${id} ${code}`] : [])).sort()
    expect(finals).toEqual(failed.map(({ callId, finalCode }) => `${callId} ${finalCode}`).sort())
    expect(rowsOf(text('attempts.csv')).length).toBe(failed.length)
  }, 60_000)

  it('holds the leg of this carrier only, whoever asks', async () => {
    const pack = await packOf(`${WINDOW}&${CLASSES}&calls=1000`)
    for (const [name, body] of Object.entries(pack.files)) {
      expect([name, /zeta|198\.51\.100\.20|203\.0\.113\.77|beta/.test(body.toString('latin1'))]).toEqual([
        name,
        false,
      ])
    }
  })
})

describe('the same request', () => {
  it('gives the same bytes: again, after a merge, and after a restart of the api', async () => {
    const first = await packOf(`${WINDOW}&${CLASSES}&calls=30`)
    await store.command('OPTIMIZE TABLE call_attempts FINAL')
    await store.command('OPTIMIZE TABLE sip_messages FINAL')
    const ask = first.manifest.repeat.split('?')[1]!
    const zone = process.env.TZ
    process.env.TZ = 'Pacific/Kiritimati'
    await app.close()
    app = await newApp()
    const second = await packOf(ask)
    process.env.TZ = zone
    expect(second.name).toBe(first.name)
    expect(
      Object.keys(second.files).filter((file) => !second.files[file]!.equals(first.files[file]!)),
    ).toEqual([])
    expect(second.bytes.equals(first.bytes)).toBe(true)
    expect((await packOf(decodeURIComponent(ask).replace('5xx', '5XX'))).bytes.equals(first.bytes)).toBe(true)
  })

  it('differs from one of a moment later in what says when, and in nothing else', async () => {
    const first = await packOf(`${WINDOW}&${CLASSES}`)
    const asOf = String((first.manifest.request as { as_of: string }).as_of)
    const later = `${new Date(Date.parse(asOf) + 1_000).toISOString().slice(0, 19)}Z`
    waitedMs += 2_000
    const second = await packOf(`${WINDOW}&${CLASSES}&as_of=${later}`)
    waitedMs = 0
    const differing = Object.keys(first.files).filter(
      (name) => !second.files[name]?.equals(first.files[name]!),
    )
    expect(Object.keys(second.files)).toEqual(Object.keys(first.files))
    expect(differing).toEqual(['README.txt', 'report.html', 'manifest.json', 'SHA256SUMS'])
    for (const name of ['README.txt', 'report.html'])
      expect(second.text(name).replaceAll(later, asOf)).toBe(first.text(name))
    expect({ ...second.manifest, files: [], request: {}, repeat: '' }).toEqual({
      ...first.manifest,
      files: [],
      request: {},
      repeat: '',
    })
  })

  it('is refused when an attempt was stored since, with the moment that can be asked for', async () => {
    const before = await packOf(`${WINDOW}&class=blocked&calls=0`, 'all-investigator', 'silent')
    expect(before.text('README.txt')).toContain('No attempt of this carrier was seen')
    const asked = before.manifest.repeat.split('?')[1]!
    const late = call(400, { carrier: 'silent', invitedAtUs: NOON_US + 60e6, ...ENDED.congestion })
    // Rows are stamped in whole seconds: the next one has to begin.
    const begun = Date.parse((before.manifest.request as { as_of: string }).as_of)
    await expect.poll(() => Date.now() >= begun + 1_000, { timeout: 3_000 }).toBe(true)
    await store.add([late])
    const response = await ask(asked, 'all-investigator', 'silent')
    expect([response.statusCode, response.json().code]).toEqual([409, 'TRUNKSCOPE_API_PACK_CHANGED'])
    const [, moment] = /write as_of=(\S+) or later/.exec(response.json().detail)!
    const again = await packOf(`${WINDOW}&class=5xx&calls=0&as_of=${moment}`, 'all-investigator', 'silent')
    expect(again.manifest.attempts).toMatchObject({ seen: 1, failed: 1 })
    expect(again.manifest.attempts.attempts_digest).not.toBe(before.manifest.attempts.attempts_digest)
  })

  it('is refused when what was found about its attempts has changed since, table by table', async () => {
    const late = call(401, { carrier: 'silent', invitedAtUs: NOON_US + 90e6, ...ENDED.congestion })
    await store.add([late])
    const anomaly = { prefix: '', basis: 'record', codes: [], severities: [], evidence: '[]' }
    const changes: [string, (atS: number) => Promise<void>][] = [
      ['identity_checks', (atS) => addToken(late, {}, 0, atS)],
      ['attempt_anomalies', (atS) => addFound('attempt_anomalies', late, anomaly, atS)],
      [
        'anomaly_minutes',
        (atS) =>
          store.command(`INSERT INTO anomaly_minutes (minute, judged_at) VALUES (${late.minuteS}, ${atS})`),
      ],
      ['recompute_jobs', (atS) => addRecompute(late.minuteS, late.minuteS + 60, atS)],
    ]
    // Of another day: whenever it was, it changed nothing here.
    await addRecompute(late.minuteS - 86_400, late.minuteS - 82_800, 4_000_000_000)
    const digest = ({ manifest }: Opened) => (manifest.evidence as Record<string, unknown>).evidence_digest
    let before = await packOf(`${WINDOW}&class=5xx&calls=0`, 'all-investigator', 'silent')
    for (const [table, change] of changes) {
      const { as_of } = before.manifest.request as { as_of: string }
      await change(Date.parse(as_of) / 1_000 + 1)
      waitedMs += 3_000
      const response = await ask(before.manifest.repeat.split('?')[1]!, 'all-investigator', 'silent')
      expect([table, response.statusCode, response.json().code]).toEqual([
        table,
        409,
        'TRUNKSCOPE_API_PACK_CHANGED',
      ])
      const after = await packOf(`${WINDOW}&class=5xx&calls=0`, 'all-investigator', 'silent')
      // That a minute was looked at, or computed again, says nothing of an attempt.
      const isSame = table === 'anomaly_minutes' || table === 'recompute_jobs'
      expect([table, digest(after) === digest(before)]).toEqual([table, isSame])
      before = after
    }
    waitedMs = 0
    // These are of all carriers, and by the clock of the other tests still to come.
    await store.command('TRUNCATE TABLE recompute_jobs')
    await store.command(
      'ALTER TABLE anomaly_minutes DELETE WHERE judged_at > now() SETTINGS mutations_sync = 2',
    )
  })
})

function addRecompute(fromS: number, toS: number, doneS: number): Promise<void> {
  return store.command(
    `INSERT INTO recompute_jobs (job_id, version, state, asked_from, asked_to, rules, config_hash, owner, started_at, progress, updated_at)
     VALUES ('${fromS}', 1, 'done', ${fromS}, ${toS}, 'r', 'c', 'o', ${fromS}, '{}', toDateTime64(${doneS}, 3))`,
  )
}

describe('what evidence says', () => {
  let pack: Opened
  beforeAll(async () => {
    pack = await packOf(`${WINDOW}&${CLASSES}&calls=1000`)
  })

  it('of tokens: a row each, with what is claimed, signed and verified apart', async () => {
    const { text } = pack
    const rows = rowsOf(text('identity.csv'))
    expect(rows.map((row) => [row.attempt_id, row.position])).toEqual([
      [idOf(4), '0'],
      [idOf(5), '0'],
      [idOf(5), '1'],
    ])
    expect(rows[0]).toMatchObject({
      claimed_level: 'A',
      claimed_orig: '14155551000',
      signed: 'invalid',
      signed_reason: 'signature_mismatch',
      verified: 'failed',
      orig_match: 'mismatch',
      iat_is_fresh: 'yes',
      signer_spc: '709J',
      truncated: 'no',
      certificate_sha256: CHECK.certificate_sha256,
    })
    expect(rows[0]!.signed_because).toContain('does not fit the bytes')
    expect(rows[1]).toMatchObject({
      signed: 'valid',
      verified: 'failed',
      findings: 'certificate_expired iat_stale',
      iat_is_fresh: 'no',
      certificate_subject: `'${EVIL_SIGNER}`,
      signer_spc: `'=1+1`,
      certificate_not_after: new Date(CHECK.certificate_not_after * 1_000).toISOString(),
    })
    expect(rows[2]).toMatchObject({
      signed: 'not_checked',
      truncated: 'yes',
      verified: 'not_checked',
      iat_is_fresh: '',
    })
    const words = text(`calls/${callNumber(text('SHA256SUMS'), idOf(5))}-${idOf(5)}.txt`)
    expect(words).toContain('verified failed (certificate_expired, iat_stale)')
  })

  it('in sums of the window, by direction, and as the numbers of the scorecard over it', async () => {
    const { text } = pack
    const { of_the_window, of_listed_attempts, ...attempts } = JSON.parse(text('identity.json'))
    expect(of_listed_attempts).toMatchObject({
      rows: 3,
      left: 0,
      tokens: 3,
      signed: { valid: 1, invalid: 1, not_checked: 1 },
      reasons: { signature_mismatch: 1, truncated: 1 },
    })
    expect(of_the_window.map((one: Record<string, unknown>) => [one.direction, one.tokens])).toEqual([
      ['inbound', 1],
      ['outbound', 3],
    ])
    // Nobody looked at the others, and the pack says so.
    expect(attempts).toEqual({
      attempts_looked_at: 3,
      attempts_carrying_one: all.filter((one) => inWindow(one) && one.attestation === 'A').length,
    })
    const numbers = rowsOf(text('scorecard.csv'))
    expect(numbers.find(({ id }) => id === 'signature_valid_rate')).toMatchObject({
      value: '1',
      denominator: '1',
    })
    expect(numbers.find(({ id }) => id === 'signer_outside_rate')).toMatchObject({ value: '0' })
    expect(text('README.txt')).toContain('outbound: 3 tokens; claimed A 3, B 0, C 0')
    expect(text('report.html')).toContain('certificate expired 1')
    for (const word of ['signature_mismatch: the signature does not fit', 'signer_outside_rate, version 1'])
      expect(text('formulas.txt')).toContain(word)
  })

  it('of other legs, early media and blame, in the table of attempts; who the others are is not told', async () => {
    const { text } = pack
    const rows = new Map(rowsOf(text('attempts.csv')).map((row) => [row.attempt_id!, row]))
    expect(rows.get(idOf(8))).toMatchObject({
      cancel_class: 'ROUTE_ADVANCE',
      cancel_blame: 'carrier',
      verdict: 'route_advanced',
      leg_alone_cancel_class: 'PRE_RING_CANCEL',
      suspicions_by: 'messages',
    })
    expect(rows.get(idOf(8))!.verdict_because).toMatch(/another carrier got the INVITE 0\.200 s after/)
    expect(rows.get(idOf(212))).toMatchObject({
      cancel_blame: 'us',
      verdict: '',
      suspicions_by: 'not_looked_at',
    })
    expect(rows.get(idOf(5))).toMatchObject({
      cancel_blame: '',
      suspicions: 'EM_ANNOUNCE_FAIL',
      suspicions_by: 'messages',
      identity_tokens: '2',
    })
    expect(rows.get(idOf(4))).toMatchObject({ suspicions: '', suspicions_by: 'messages' })
    const counts = rowsOf(text('counts.csv')).filter(({ section }) => section === 'cancel_class')
    expect(counts.map(({ key }) => key).sort()).toEqual(['ELSEWHERE', 'PRE_RING_CANCEL', 'ROUTE_ADVANCE'])
    // The page of a call says why in the same words.
    const words = text(`calls/${callNumber(text('SHA256SUMS'), idOf(8))}-${idOf(8)}.txt`)
    expect(words).toMatch(/cancel class: ROUTE_ADVANCE\. the route was advanced: another carrier/)
    expect(text('formulas.txt')).toContain('EM_ANNOUNCE_FAIL, version 1')
  })
})

/** The number of a sample call in its file names. */
const callNumber = (sums: string, id: string) => new RegExp(`calls/(\\d{4})-${id}`).exec(sums)![1]

describe('the caps', () => {
  const scope: PackScope = {
    request: {
      carrier: 'alpha',
      fromS: NOON_S,
      toS: NOON_S + 1_800,
      classes: ['no_ring_487', '5xx'],
      asOfS: undefined,
      calls: 40,
    },
    classes: failureClasses().filter(({ id }) => ['no_ring_487', '5xx'].includes(id)),
  }
  const breath = async () => {}

  it('a table that is full holds the first attempts by minute and id, and their tokens only', async () => {
    const readers = new Readers(store.engine.readers)
    const whole = await listFailed({ readers, config }, scope, breath)
    const { parts, listed, identity } = await listFailed({ readers, config }, scope, breath, 7)
    const ids = (texts: readonly string[]) => rowsOf(texts.join('')).map((row) => row.attempt_id!)
    expect(listed).toBe(7)
    expect(ids(parts)).toEqual(ids(whole.parts).slice(0, 7))
    expect(ids(identity.parts).every((id) => ids(parts).includes(id))).toBe(true)
    expect(whole.listed).toBeGreaterThan(7)
  })

  it('tokens that do not fit are counted, by rows and by bytes', () => {
    const evidence = { verdict: null, suspicions: [], suspicionsBy: 'messages' as const, isCut: false }
    const token = {
      position: 0,
      depth: 0,
      form: 'full' as const,
      claimed: { ppt: '', attest: '', orig: '', dest: [], div: '', orig_id: '', iat_s: 0, raw_claims: '' },
      signed: {
        signature: 'valid' as const,
        reason: '',
        x5u: '',
        signer_id: '',
        spc: '',
        certificate_sha256: '',
        certificate_subject: 'x'.repeat(10_000),
        certificate_not_after: null,
      },
      verified: {
        verdict: 'passed' as const,
        findings: [],
        orig_match: 'match' as const,
        dest_match: 'match' as const,
        chain: 'none' as const,
        iat_delta_ms: null,
      },
      verstat: '',
      attestation_info: '',
      origination_id: '',
      stir_reasons: [],
      checked_at: '',
    }
    const one = {
      attempt: { attempt_id: idOf(1), invited_at_us: NOON_US, minute: '', direction: 'inbound' },
      evidence: { ...evidence, tokens: [token, token, token] },
    }
    const counted = (max: { rows: number; bytes: number }) => {
      const table = new IdentityTable({ carrier: 'alpha', config }, max)
      table.add([one])
      expect(rowsOf(table.parts.join(''))).toHaveLength(table.counts.rows)
      return [table.counts.rows, table.counts.left, table.counts.tokens]
    }
    expect(counted({ rows: 2, bytes: 1e6 })).toEqual([2, 1, 3])
    expect(counted({ rows: 10, bytes: 1_000 })).toEqual([2, 1, 3])
  })

  it('messages beyond what a pack holds give an error that says how many calls fit', async () => {
    const readers = new Readers(store.engine.readers)
    const sample = await sampleFailed(readers, scope)
    const { calls } = await readSampleCalls(readers, sample, breath)
    const sizes = calls.map(({ messages }) => messages.reduce((sum, { payload }) => sum + payload.length, 0))
    const bytesMax = sizes.slice(0, 20).reduce((sum, size) => sum + size, 0)
    const error = await readSampleCalls(readers, sample, breath, bytesMax).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ApiError)
    // Nine tenths of those that fitted: other calls may be longer.
    expect(error).toMatchObject({
      code: 'TRUNKSCOPE_API_PACK_TOO_LARGE',
      message: expect.stringMatching(/messages of 40 calls are more than .* write calls=18 or fewer/),
    })
    expect((await readSampleCalls(readers, sample.slice(0, 20), breath, bytesMax)).calls).toHaveLength(20)
  })
})

describe('who may have one', () => {
  it('an investigator; a viewer may not, because texts of messages are in it', async () => {
    const response = await ask(`${WINDOW}&${CLASSES}`, 'all-viewer')
    expect([response.statusCode, response.json().code]).toEqual([403, 'TRUNKSCOPE_API_ROLE_TOO_LOW'])
  })

  it('a token of this carrier: the same but for the tap; one of another learns nothing', async () => {
    const whole = await packOf(`${WINDOW}&${CLASSES}&calls=40`)
    const own = await packOf(`${WINDOW}&${CLASSES}&calls=40`, 'alpha-investigator')
    const differing = Object.keys(whole.files).filter((name) => !whole.files[name]!.equals(own.files[name]!))
    expect(
      differing.filter(
        (name) => !['README.txt', 'report.html', 'tap.csv', 'manifest.json', 'SHA256SUMS'].includes(name),
      ),
    ).toEqual([])
    expect(whole.text('tap.csv')).toContain('192.0.2.11/2001')
    expect(own.text('tap.csv').trim().split('\n')).toHaveLength(1)
    const response = await ask(`${WINDOW}&${CLASSES}`, 'beta-investigator')
    expect([response.statusCode, response.json().code]).toEqual([404, 'TRUNKSCOPE_API_NO_SUCH_CARRIER'])
  })
})

describe('the pages', () => {
  it('lead to the pack of the range that is shown, for who may have it', async () => {
    const page = async (url: string, who: string) =>
      (await app.inject({ url, headers: { authorization: `Bearer ${who}` } })).body
    const href = `/v1/carriers/alpha/dispute-pack?from=2026-11-20T12:00:00Z&amp;to=2026-11-20T12:30:00Z&amp;class=bad`
    for (const url of [`/carriers/alpha?${WINDOW}`, `/attempts?carrier=alpha&${WINDOW}`]) {
      expect([url, (await page(url, 'all-investigator')).includes(href)]).toEqual([url, true])
      expect([url, (await page(url, 'all-viewer')).includes('dispute-pack')]).toEqual([url, false])
    }
    expect(await page(`/attempts?${WINDOW}`, 'all-investigator')).not.toContain('dispute-pack')
  })
})

describe('calls of others', () => {
  it('change no byte of a pack for a token of this carrier', async () => {
    const before = await packOf(`${WINDOW}&${CLASSES}`, 'alpha-investigator')
    const other = { carrier: 'beta', farAddress: '198.51.100.20', addressHigh: '198.51.100.20' }
    // One of them was alpha's under a configuration of before, and is not any more.
    await store.add([call(500, { carrier: 'alpha' })])
    await store.add(
      [call(500, other), call(501, { ...other, ...ENDED.congestion, callId: all[4]!.callId })],
      2,
    )
    const after = await packOf(before.manifest.repeat.split('?')[1]!, 'alpha-investigator')
    expect(after.bytes.equals(before.bytes)).toBe(true)
  })
})

describe('what comes from the wire', () => {
  it('is text in every file: no formula, no markup, no line of ours, no file name', async () => {
    const { files, text } = await packOf(`${WINDOW}&${CLASSES}&calls=1000`)
    for (const name of Object.keys(files))
      expect(name).toMatch(/^(calls\/\d{4}-[0-9a-f]{32}|[A-Za-z0-9-]+)(\.[a-z]+)?$/)
    const row = rowsOf(text('attempts.csv')).find(({ attempt_id }) => attempt_id === idOf(204))!
    expect(row.call_id).toBe(`'${EVIL.callId}`)
    expect(row.final_phrase).toMatch(/^'=HYPERLINK/)
    expect(row.final_phrase).not.toContain('\u202e')
    const file = Object.keys(files).find((name) => name.endsWith(`${idOf(204)}.svg`))!
    for (const name of Object.keys(files).filter((each) => each.endsWith('.csv')))
      for (const row of parse(text(name)) as string[][])
        for (const cell of row) expect([name, /^[=+@\t\r]|^-(?!\d)/.test(cell)]).toEqual([name, false])
    for (const markup of [text(file), text('report.html')])
      expect(markup).not.toMatch(/<script|<img|onerror=alert\(1\)>/)
    const words = text(file.replace('.svg', '.txt'))
    expect(words).not.toMatch(/[\u202e\r\x1b]/)
    expect(words.split('\n').filter((line) => /^X: /.test(line))).toEqual([])
  })
})

describe('what cannot be made', () => {
  const bad: [string, number, RegExp][] = [
    [CLASSES, 400, /from is missing; a pack is about a window that is over: write for example from=/],
    [`from=2026-11-20T12:00:00Z&${CLASSES}`, 400, /to is missing/],
    [WINDOW, 400, /class is missing; write what failed, for example class=no_ring_487,5xx/],
    [`${WINDOW}&class=no_ring`, 400, /no failure class; did you mean no_ring_487/],
    [`${WINDOW}&class=answered`, 400, /no failure class/],
    [`${WINDOW}&${CLASSES}&calls=1001`, 400, /whole number from 0 to 1000/],
    [`from=2026-11-20T12:00:01Z&to=2026-11-20T12:30:00Z&${CLASSES}`, 400, /within a minute; write from=/],
    [`${WINDOW}&${CLASSES}&as_of=2126-01-01T00:00:00Z`, 400, /after the year 2105|in the future/],
    [
      `${WINDOW}&${CLASSES}&as_of=2026-11-20T12:10:00Z`,
      400,
      /window that is over: write to=2026-11-20T12:10:00Z/,
    ],
    [`from=2026-01-01T00:00:00Z&to=2026-11-01T00:00:00Z&${CLASSES}`, 400, /longest one answered is 92 days/],
    [`${WINDOW}&${CLASSES}&colour=red`, 400, /takes from, to, class, as_of, calls/],
  ]
  it.each(bad)('%s says what to write instead', async (query, status, words) => {
    const response = await ask(query)
    expect([response.statusCode, response.json().detail]).toEqual([status, expect.stringMatching(words)])
  })

  it('a carrier that nobody knows is told so; unknown is no carrier', async () => {
    for (const id of ['alpa', 'unknown', '%2e%2e%2f', '=1']) {
      const response = await ask(`${WINDOW}&${CLASSES}`, 'all-investigator', id)
      expect([id, response.statusCode, response.json().code]).toEqual([
        id,
        404,
        'TRUNKSCOPE_API_NO_SUCH_CARRIER',
      ])
    }
  })
})
