import { afterAll, beforeAll, expect, it } from 'vitest'
import { Readers } from '../../../api/readers.js'
import type { AgentJson } from '../../../api/tap/agents.js'
import { tapMetrics, textOf } from '../../../api/tap/metrics.js'
import { TAP_METRICS } from '../../../schemas/own-metrics.js'
import { CONFIG, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'

let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
  for (let minute = 50; minute < 60; minute++) {
    await store.addAgentMinute({
      minuteS: NOON_S + minute * 60,
      frames: 60,
      sipMessages: 60,
      firstSipUs: NOON_US + minute * 60e6,
      lastSipUs: NOON_US + (minute * 60 + 59) * 1e6,
      lastSeenUs: NOON_US + (minute * 60 + 59) * 1e6,
      timedMessages: 60,
      arrivalDelayMinUs: 2_000,
    })
  }
})
afterAll(() => store.close())

const depsOf = (asOfUs = NOON_US + 3_600e6, readers = new Readers(store.engine.readers)) =>
  ({
    readers,
    config: CONFIG,
    live: () => liveStatus({ asOfUs }),
    nowUs: () => NOON_US + 3_600e6,
  }) as unknown as Parameters<typeof tapMetrics>[0]

const agent = (changes: Partial<AgentJson>): AgentJson => ({
  agent: 'a',
  peer_address: '',
  agent_id: 0,
  agent_name: '',
  site: '',
  verdict: 'ok',
  why: '',
  also: [],
  frames: 0,
  sip_messages: 0,
  keepalives: 0,
  refused: 0,
  unreadable: 0,
  truncated: 0,
  timestamps_replaced: 0,
  duplicates: 0,
  duplicate_ratio: null,
  identity_seen: 0,
  identity_cut: 0,
  identity_cut_ratio: null,
  sdp_seen: 0,
  sdp_cut: 0,
  sdp_cut_ratio: null,
  frames_per_s: 0,
  last_seen: '',
  silent_s: 0,
  last_sip: null,
  silence_limit_s: null,
  history_minutes: 0,
  skew_s: null,
  skew_spread_s: null,
  skew_messages: 0,
  lateness_s: null,
  attempts_seen_alone: 0,
  one_sided_ratio: null,
  ...changes,
})

it('a gauge for each number of an agent, in the unit of its name', async () => {
  const text = await tapMetrics(depsOf())
  const LABELS = 'agent="192.0.2.11/2001",site="dal"'
  expect(text).toContain('trunkscope_tap_agents{verdict="ok"} 1\n')
  expect(text).toContain('trunkscope_tap_agents{verdict="blind"} 0\n')
  expect(text).toContain(`trunkscope_tap_agent_verdict{${LABELS},verdict="ok"} 1\n`)
  expect(text).toContain(`trunkscope_tap_agent_silent_seconds{${LABELS}} 1\n`)
  expect(text).toContain(`trunkscope_tap_agent_frames_per_second{${LABELS}} 1\n`)
  expect(text).toContain(`trunkscope_tap_agent_skew_seconds{${LABELS}} 0.002\n`)
  expect(text).toContain(`trunkscope_tap_agent_duplicate_ratio{${LABELS}} 0\n`)
  // Nothing to measure it on: no series, not 0.
  expect(text).not.toContain('trunkscope_tap_agent_one_sided_ratio{')
  for (const { name, help } of Object.values(TAP_METRICS)) {
    if (text.includes(`# TYPE ${name} `))
      expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} gauge`)
  }
})

it('the series are bounded: agents of a site first, then those with a history; all are counted', async () => {
  const invented = Array.from({ length: 400 }, (_, n) => agent({ agent: `invented-${n}`, frames: 1e9 }))
  const known = agent({ agent: 'known', history_minutes: 60 })
  const configured = agent({ agent: 'configured', site: 'fra', verdict: 'blind' })
  const text = await textOf([...invented, known, configured], null)
  expect(text.match(/^trunkscope_tap_agent_verdict\{/gm)).toHaveLength(50)
  expect(text).toContain('agent="known"')
  expect(text).toContain('agent="configured",site="fra",verdict="blind"} 1')
  expect(text).toContain('trunkscope_tap_agents{verdict="ok"} 401')
})

it('names from the wire are one printable line', async () => {
  const text = await textOf([agent({ agent: `a"b\\c\nd\u202ee${'x'.repeat(500)}` })], 0.25)
  expect(text).toContain('agent="a\\"b\\\\c?d?ex')
  expect(text.split('\n').every((line) => line.length < 250)).toBe(true)
  expect(text).toContain('trunkscope_tap_kernel_drop_ratio 0.25')
})

it('says nothing before the first frame, and while the store cannot be read', async () => {
  expect(await tapMetrics(depsOf(0))).toBe('')
  const broken = { select: () => Promise.reject(new Error('down')) } as unknown as Readers
  expect(await tapMetrics(depsOf(undefined, broken))).toBe('')
})
