import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import type { AgentJson } from '../../../api/tap/agents.js'
import type { AgentMinute } from '../../../collector/store/agents.js'
import { attempt, get, liveStatus, NOON_S, TestStore } from '../support.js'

const ONE_S = NOON_S + 3_600
const WEEK_S = 7 * 86_400

let store: TestStore
let app: App
/** Now it is 13:00, or as many seconds later. */
let passedS = 0
let listeningSinceS = NOON_S - 86_400
beforeAll(async () => {
  store = await TestStore.open()
})
afterAll(() => store.close())
beforeEach(async () => {
  await app?.close()
  await store.command('TRUNCATE TABLE agents_minute')
  await store.command('TRUNCATE TABLE call_attempts')
  passedS = 0
  listeningSinceS = NOON_S - 86_400
  app = await store.app({
    live: () => liveStatus({ asOfUs: (ONE_S + passedS) * 1e6, startedAtUs: listeningSinceS * 1e6 }),
    nowMs: () => (ONE_S + passedS + 1) * 1_000,
  })
  return () => app.close()
})

/** Minutes of an agent that is busy from the first to the last second, up to before `toS`. */
async function talks(agent: string, toS: number, minutes: number, changes: Partial<AgentMinute> = {}) {
  for (let minuteS = toS - minutes * 60; minuteS < toS; minuteS += 60) {
    await store.addAgentMinute({
      minuteS,
      agent,
      frames: 60,
      sipMessages: 60,
      keepalives: 0,
      firstSipUs: minuteS * 1e6,
      lastSipUs: (minuteS + 59) * 1e6,
      lastSeenUs: (minuteS + 59) * 1e6,
      timedMessages: 60,
      arrivalDelayMinUs: 900,
      ...changes,
    })
  }
}

async function agents(query = ''): Promise<Record<string, AgentJson>> {
  const { body } = await get<{ agents: AgentJson[] }>(app, `/v1/agents${query}`)
  return Object.fromEntries(body.agents.map((agent) => [agent.agent, agent]))
}

describe('agents', () => {
  it('one that talks is ok, one that stopped is blind after two minutes, one without a history is quiet', async () => {
    await talks('talks', ONE_S, 10)
    await talks('stopped', ONE_S - 180, 10)
    await talks('was-here', ONE_S - 180, 2)
    expect(await agents()).toMatchObject({
      talks: { verdict: 'ok', why: '', frames: 600, silent_s: 1, history_minutes: 10, skew_s: 0.0009 },
      stopped: {
        verdict: 'blind',
        silent_s: 181,
        silence_limit_s: 120,
        last_sip: '2026-11-20T12:56:59.000000Z',
      },
      'was-here': { verdict: 'quiet', silence_limit_s: null },
    })
  })

  it('days later it is blind still, with the history of the hour before its silence, and then it is forgotten', async () => {
    await talks('stopped', ONE_S, 10)
    passedS = 7 * 86_400 - 7_200
    expect(await agents()).toMatchObject({ stopped: { verdict: 'blind', history_minutes: 10, frames: 0 } })
    passedS = 8 * 86_400 + 60
    expect(await agents()).toEqual({})
  })

  it('one that is silent every week at this time is quiet; one that talked a week ago is blind', async () => {
    for (const agent of ['rests', 'works']) {
      await talks(agent, ONE_S - 7_200, 5)
      await talks(agent, ONE_S - WEEK_S - 86_400, 1)
    }
    await talks('works', ONE_S - WEEK_S + 300, 3)
    await talks('new', ONE_S - 7_200, 5)
    expect(await agents()).toMatchObject({
      rests: { verdict: 'quiet', why: expect.stringContaining('a week ago') },
      works: { verdict: 'blind' },
      new: { verdict: 'blind' },
    })
  })

  it('keep-alives keep an agent from being blind, and its SIP is missing', async () => {
    await talks('alive', ONE_S - 600, 10)
    await talks('alive', ONE_S, 10, {
      sipMessages: 0,
      keepalives: 60,
      firstSipUs: 0,
      lastSipUs: 0,
      timedMessages: 0,
    })
    expect(await agents()).toMatchObject({ alive: { verdict: 'no_sip', history_minutes: 10 } })
  })

  it('a collector that has just started makes nobody blind', async () => {
    await talks('stopped', ONE_S - 3_600, 10)
    listeningSinceS = ONE_S - 60
    expect(await agents()).toMatchObject({ stopped: { verdict: 'unknown' } })
    passedS = 61
    expect(await agents()).toMatchObject({ stopped: { verdict: 'blind' } })
  })

  it('rows of several bus partitions are one minute: counts sum, the smallest delay and the last time stand', async () => {
    await talks('spread', ONE_S, 5, { duplicates: 3, identitySeen: 10, sdpSeen: 20, sdpCut: 1 })
    await store.command(
      `INSERT INTO agents_minute SELECT * REPLACE (7 AS bus_partition, -2500000 AS arrival_delay_min_us,
         minute + INTERVAL 1 SECOND AS last_seen) FROM agents_minute FINAL`,
    )
    const { spread } = await agents()
    expect(spread).toMatchObject({
      frames: 600,
      frames_per_s: 0.169, // The range is an hour and ends with the minute that runs, of which nothing has passed.
      duplicates: 30,
      duplicate_ratio: 0.05,
      identity_cut_ratio: 0,
      sdp_cut_ratio: 0.05,
      last_seen: '2026-11-20T12:59:59.000000Z',
      skew_s: -2.5,
      skew_messages: 600,
      verdict: 'lossy',
    })
    expect(spread!.also).toMatchObject([{ verdict: 'skewed' }])
  })

  it('a row that was replaced counts once', async () => {
    await talks('again', ONE_S, 3)
    await store.command(
      'INSERT INTO agents_minute SELECT * REPLACE (9 AS counted_until, 70 AS frames) FROM agents_minute',
    )
    expect(await agents()).toMatchObject({ again: { frames: 210 } })
  })

  it('rows of before the health columns: the last frame stands for the last SIP message', async () => {
    await store.command(
      `INSERT INTO agents_minute (bus_partition, minute, agent, counted_until, frames, sip_messages, last_seen)
       SELECT 0, toDateTime(${ONE_S - 900} + number * 60), 'old', 1, 5, 5, toDateTime64(${ONE_S - 900} + number * 60 + 30, 6)
       FROM numbers(10)`,
    )
    expect(await agents()).toMatchObject({
      old: { verdict: 'blind', history_minutes: 10, skew_s: null, identity_cut_ratio: null },
    })
  })

  it('the verdict is that of now, whatever the range', async () => {
    await talks('talks', ONE_S, 10)
    const query = '?from=2026-11-19T00:00:00Z&to=2026-11-20T00:00:00Z'
    expect(await agents(query)).toMatchObject({ talks: { verdict: 'ok', frames: 0, frames_per_s: 0 } })
  })

  it('those that ask within five seconds of as_of share a look', async () => {
    await agents()
    await talks('talks', ONE_S, 10)
    passedS = 4
    expect((await agents()).talks).toMatchObject({ frames: 600, history_minutes: 0 })
    passedS = 5
    expect((await agents()).talks).toMatchObject({ frames: 600, history_minutes: 10, silent_s: 6 })
  })

  it('without agents the list is empty', async () => {
    expect(await agents()).toEqual({})
  })
})

describe('one-sided calls', () => {
  const AT_US = (ONE_S - 1_200) * 1e6
  const saw = (agent: string, changes: Parameters<typeof attempt>[0] = {}) =>
    attempt({ invitedAtUs: AT_US, agents: [agent], clockAgent: agent, ...changes })
  const NOTHING_HEARD = {
    first100AtUs: 0,
    first18xAtUs: 0,
    finalAtUs: 0,
    answeredAtUs: 0,
    firstResponseMs: null,
  }
  const responsesOnly = { state: 'incomplete', invited: false } as const

  it('responses without any request, and an INVITE with an ACK and no response: these are certain', async () => {
    const many = (count: number, changes: Parameters<typeof attempt>[0]) =>
      Array.from({ length: count }, () => saw('tap', changes))
    await store.add([
      ...many(10, {}),
      ...many(3, responsesOnly),
      ...many(2, { ...NOTHING_HEARD, ackedAtUs: AT_US + 1e6 }),
      // The far side is dead, the request was a CANCEL, the call is young, or it is not settled: none of these.
      ...many(4, NOTHING_HEARD),
      ...many(1, { ...responsesOnly, cancelledAtUs: AT_US }),
      ...many(7, { ...responsesOnly, invitedAtUs: (ONE_S - 240) * 1e6 }),
      ...many(7, { ...responsesOnly, state: 'open' }),
      ...many(7, { ...responsesOnly, invitedAtUs: (ONE_S - 2_160) * 1e6 }),
      ...many(7, { ...responsesOnly, agents: ['tap', 'other'] }),
    ])
    await talks('tap', ONE_S, 5)
    expect(await agents()).toMatchObject({
      tap: {
        attempts_seen_alone: 20,
        one_sided_ratio: 0.25,
        verdict: 'lossy',
        why: 'one direction is missing in 25.0 % of 20 attempts',
      },
    })
  })

  it('is asked once a minute, however often the page is', async () => {
    await talks('tap', ONE_S, 5)
    await agents()
    await store.add([saw('tap')])
    expect(await agents()).toMatchObject({ tap: { attempts_seen_alone: 0 } })
    passedS = 60
    expect(await agents()).toMatchObject({ tap: { attempts_seen_alone: 1 } })
  })
})

describe('names from the wire', () => {
  it('any text is a name', async () => {
    const names = ["'); DROP TABLE agents_minute --", '\\\'"\n\t{agents:Array(String)}', '\u202e', '']
    for (const name of names) await talks(name, ONE_S - 600, 3)
    expect(
      Object.values(await agents())
        .map(({ agent, verdict }) => [agent, verdict])
        .sort(),
    ).toEqual(names.map((name) => [name, 'blind']).sort())
  })
})
