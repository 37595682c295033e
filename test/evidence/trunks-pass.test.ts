import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { attributeLeg, compileNetwork } from '../../collector/enrich/carrier.js'
import { EvidenceJob } from '../../evidence/job.js'
import type { Context } from '../../evidence/pass.js'
import { trunkHoursPass } from '../../evidence/trunk-hours.js'
import { trunksPass } from '../../evidence/trunks-pass.js'
import { configSchema } from '../../schemas/config.js'
import { attempt, ENDED, endedCall, NOON_S, NOON_US, type StoredMessage, TestStore } from '../api/support.js'
import { rowsOf } from '../support/engine.js'

const CONFIG = configSchema.parse({
  sites: [{ id: 'dal', sbc: ['192.0.2.11/32'], agents: [2001] }],
  carriers: [
    { id: 'alpha', peers: ['198.51.100.10/32'] },
    { id: 'beta', peers: [{ cidr: '198.51.100.20/32', direction: 'inbound' }] },
    { id: 'gamma', peers: [{ cidr: '198.51.100.30/32', port: 5060 }] },
  ],
})
const SBC = '192.0.2.11'
const ALPHA = '198.51.100.10'

let store: TestStore
let version = 0n
beforeAll(async () => {
  store = await TestStore.open()
})
afterAll(() => store.close())
beforeEach(async () => {
  for (const table of [
    'trunk_minutes',
    'call_attempts',
    'sip_messages',
    'agents_minute',
    'trunk_hours',
    'kpi_minute',
  ])
    await store.command(`TRUNCATE TABLE ${table}`)
})

const pass = trunksPass((config) => {
  const network = compileNetwork(config)
  return (ends) => attributeLeg(network, ends)
})
async function run(minuteS = NOON_S, isHeld = true) {
  const context: Context = {
    client: store.engine.writer,
    config: CONFIG,
    version: () => ++version,
    announce: async () => {},
    isHeld: async () => isHeld,
    log: () => {},
  }
  return pass.run({ fromS: minuteS, toS: minuteS + 60, minutesS: [minuteS] }, context)
}
const heard = (atS: number) =>
  store.addAgentMinute({ minuteS: NOON_S + Math.floor(atS / 60) * 60, lastSipUs: NOON_US + atS * 1e6 })

let pings = 0
interface Ping {
  status?: number
  far?: string
  from?: 'us' | 'them'
  via?: string
  agent?: string
  callId?: string
}
/** An OPTIONS and what answers it. */
function ping(
  atS: number,
  { status, far = ALPHA, from = 'us', via, agent, callId }: Ping = {},
): StoredMessage[] {
  pings++
  const [source, destination] = from === 'us' ? [SBC, far] : [far, SBC]
  const id = callId ?? `ping-${pings}@${source}`
  const lines = [
    via ?? `Via: SIP/2.0/UDP ${source};rport;branch=z9hG4bK${pings}`,
    `From: <sip:ping@${source}>;tag=p${pings}`,
    `To: <sip:${destination}>`,
    `Call-ID: ${id}`,
    'Content-Length: 0',
    `CSeq: ${pings} OPTIONS`,
    '',
    '',
  ]
  const message = (line: string, atUs: number, ends: [string, string]): StoredMessage => ({
    callId: id,
    capturedAtUs: atUs,
    raw: [line, ...lines].join('\r\n'),
    source: ends[0],
    destination: ends[1],
    ...(agent === undefined ? {} : { agent }),
  })
  const atUs = NOON_US + atS * 1e6
  const request = message(`OPTIONS sip:${destination} SIP/2.0`, atUs, [source, destination])
  if (status === undefined) return [request]
  return [request, message(`SIP/2.0 ${status} Whatever`, atUs + 30_000, [destination, source])]
}

const standing = () =>
  rowsOf<Record<string, unknown>>(
    store.engine.readers[0]!,
    `SELECT toUInt32(minute) AS minute_s, carrier, site, far_address, far_port, options_answered, options_503, options_unanswered,
       options_pending, options_in, calls_out, calls_in, calls_responded, calls_503, calls_unanswered, unanswered_after,
       last_options_status FROM trunk_minutes FINAL ORDER BY minute, carrier, far_address`,
  )

describe('the pass of trunks', () => {
  test('counts OPTIONS with their answers by trunk, and finds the carrier of a peer of one direction too', async () => {
    await store.addMessages([
      ...ping(1, { status: 200 }),
      ...ping(2, { status: 503 }),
      ...ping(3),
      ...ping(4, { status: 200, far: '198.51.100.20' }),
      ...ping(5, { status: 200, far: '198.51.100.20', from: 'them' }),
      ...ping(6, { status: 404, far: '198.51.100.30' }),
      // A scanner, of nobody's we know.
      ...ping(7, { status: 200, far: '203.0.113.66', from: 'them' }),
    ])
    await heard(50)
    expect(await run()).toEqual({ rows: 3, changedMinutesS: [NOON_S] })
    expect(await standing()).toMatchObject([
      {
        carrier: 'alpha',
        site: 'dal',
        far_address: ALPHA,
        far_port: 0,
        options_answered: 1,
        options_503: 1,
        options_unanswered: 1,
        unanswered_after: 1,
        last_options_status: 0,
      },
      { carrier: 'beta', site: 'dal', far_address: '198.51.100.20', options_answered: 1, options_in: 1 },
      {
        carrier: 'gamma',
        far_address: '198.51.100.30',
        far_port: 5060,
        options_answered: 1,
        last_options_status: 404,
      },
    ])
    expect(await run()).toEqual({ rows: 0, changedMinutesS: [] })
  })

  test('requests of one Call-ID are told apart by CSeq and branch; short and folded forms of Via are read', async () => {
    const callId = 'ever-the-same@sbc'
    await store.addMessages([
      ...ping(1, {
        status: 200,
        callId,
        via: 'v: SIP/2.0/UDP 192.0.2.11 ; branch = z9hG4bKx, SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKy',
      }),
      ...ping(2, { callId }),
      ...ping(3, { status: 200, callId, via: 'Via: SIP/2.0/TCP 192.0.2.11' }),
    ])
    await heard(59)
    await run()
    expect(await standing()).toMatchObject([
      { options_answered: 2, options_unanswered: 1, unanswered_after: 0 },
    ])
  })

  test('two agents that saw the same exchange give one', async () => {
    const [request, response] = ping(1, { status: 200 })
    const again = [request!, response!].map((one) => ({
      ...one,
      capturedAtUs: one.capturedAtUs + 900,
      agent: '192.0.2.99/7',
    }))
    await store.addMessages([request!, response!, ...again])
    await run()
    expect(await standing()).toMatchObject([{ options_answered: 1, options_pending: 0 }])
  })

  test('an OPTIONS that nobody could answer yet is looked at again, and answers of the next minute reach back', async () => {
    await store.addMessages([...ping(10), ...ping(59.99, { status: 200 })])
    await heard(11)
    await run()
    expect(await standing()).toMatchObject([{ options_pending: 1, options_answered: 1 }])
    // Ten minutes on; the first minute is no neighbour of what changed.
    await heard(600)
    await store.addMessages(ping(600, { status: 200 }))
    await run(NOON_S + 600)
    expect(await standing()).toMatchObject([
      { minute_s: NOON_S, options_pending: 0, options_unanswered: 1, options_answered: 1 },
      { minute_s: NOON_S + 600, options_answered: 1 },
    ])
  })

  test('an answer that arrives long after takes the count back', async () => {
    const [request, response] = ping(10, { status: 200 })
    await store.addMessages([request!])
    await heard(120)
    await run()
    expect(await standing()).toMatchObject([{ options_unanswered: 1 }])
    await store.addMessages([response!])
    await run()
    expect(await standing()).toMatchObject([{ options_unanswered: 0, options_answered: 1 }])
  })

  test('calls are signs of life too; those without any response are none', async () => {
    const silence = {
      finalAtUs: 0,
      answeredAtUs: 0,
      finalCode: 0,
      disposition: 'TIMEOUT',
      first100AtUs: 0,
      first18xAtUs: 0,
      first180AtUs: 0,
      firstResponseMs: null,
    } as const
    await store.add([
      attempt(),
      attempt({ ...ENDED.congestion }),
      attempt({ invitedAtUs: NOON_US + 30e6, ...silence }),
      attempt({ invitedAtUs: NOON_US + 20e6, direction: 'inbound', farPort: 40_000 }),
      attempt({ invitedAtUs: NOON_US + 10e6, ...silence }),
      attempt({ party: 'customer', carrier: '', customer: 'someone' }),
    ])
    await run()
    expect(await standing()).toMatchObject([
      {
        carrier: 'alpha',
        far_port: 0,
        calls_out: 4,
        calls_in: 1,
        calls_responded: 2,
        calls_503: 1,
        calls_unanswered: 2,
        unanswered_after: 1,
      },
    ])
  })

  test('minutes whose messages are gone keep what was seen of them; a trunk without calls any more ends', async () => {
    await store.addMessages(ping(1, { status: 200 }))
    await run()
    await store.command('TRUNCATE TABLE sip_messages')
    expect((await run()).rows).toBe(0)
    expect(await standing()).toHaveLength(1)
    await store.command('TRUNCATE TABLE trunk_minutes')
    await store.add([attempt()])
    await run()
    await store.command('TRUNCATE TABLE call_attempts')
    expect((await run()).rows).toBe(1)
    expect(await standing()).toEqual([])
  })

  test('what a process writes whose lease is gone does not stand', async () => {
    await store.addMessages(ping(1, { status: 200 }))
    await run(NOON_S, false)
    expect(await standing()).toEqual([])
  })

  test('the job of evidence/ runs both passes where minutes have changed, and once', async () => {
    await store.addMessages(ping(1, { status: 200 }))
    await store.add([attempt({ ...endedCall(NOON_US + 2e6, 5_000) })])
    let nowMs = 0
    const job = new EvidenceJob({
      client: store.engine.writer,
      config: () => CONFIG,
      log: () => {},
      passes: [pass, trunkHoursPass],
      nowMs: () => nowMs,
      leaseMs: 0,
    })
    await job.round()
    expect(await standing()).toEqual([]) // The minute may still fill.
    nowMs = 600_000
    await job.round()
    expect(await standing()).toMatchObject([{ options_answered: 1, calls_out: 1 }])
    expect(job.status.rows.get('trunk_hours')).toBe(4)
    nowMs = 1_200_000
    await job.round()
    expect(job.status.rows.get('trunks')).toBe(1)
    expect(job.status.minutesWaiting).toBe(0)
    await job.stop()
  })
})
