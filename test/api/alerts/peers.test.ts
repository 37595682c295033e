/** What begins to fire about a carrier is set beside the others, once, and never at the cost of the alert. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AlertNumbers, SampleAsk, Window } from '../../../api/alerts/numbers.js'
import { readPeersOf } from '../../../api/alerts/peers.js'
import type { PrefixNer } from '../../../api/peers/verdict.js'
import { configSchema } from '../../../schemas/config.js'
import { played } from './played.js'
import type { Lane } from './week.js'

const DAY_S = Date.parse('2026-11-18T00:00:00Z') / 1_000
const at = (hour: number, minute = 0) => DAY_S + hour * 3_600 + minute * 60

const CONFIG = configSchema.parse({
  sites: [{ id: 'dal', sbc: ['192.0.2.1/32'] }],
  carriers: ['alpha', 'beta'].map((id, index) => ({ id, peers: [`198.51.100.${index + 1}/32`] })),
  alerts: {
    burn: false,
    carrier_silent: false,
    rules: [
      { id: 'level', kpi: 'ner', below: 0.9, window_minutes: 15 },
      { id: 'of-site', kpi: 'ner', below: 0.9, window_minutes: 15, each: 'site' },
    ],
  },
})

/** Ten calls a minute; of alpha's half fail from 10:00 to 10:30. */
const LANES: Lane[] = ['alpha', 'beta'].map((carrier) => ({
  carrier,
  site: 'dal',
  minuteAt: (s) => ({
    valid: 10,
    bad: carrier === 'alpha' && s >= at(10) && s < at(10, 30) ? 5 : 0,
    incomplete: 0,
  }),
}))

const ner = (carrier: string, numerator: number): PrefixNer => ({
  carrier,
  prefix: '+4969955',
  numerator,
  denominator: 100,
})
const ALPHA_IS_BAD = [ner('alpha', 50), ner('beta', 97)]

const play = (peers: AlertNumbers['peers']) =>
  played({
    config: CONFIG,
    lanes: LANES,
    numbersFromS: at(0),
    fromS: at(9, 30),
    toS: at(11, 30),
    evidence: { peers },
  })

describe('an alert about a carrier', () => {
  it('says whether it is the carrier, as it was when it began, in the field and behind the likely cause', async () => {
    const asked: { window: Window; sites: readonly string[] | undefined }[] = []
    const { notices } = await play(async (window, sites) => {
      asked.push({ window, sites })
      return ALPHA_IS_BAD
    })
    const ofAlpha = notices.filter(({ rule }) => rule === 'level')
    expect(ofAlpha.map(({ status }) => status)).toEqual(['firing', 'resolved'])
    const sentence = 'to the same destinations alpha has 50.0 % NER, the other carriers 97.0 %: it is alpha'
    for (const { annotations } of ofAlpha) {
      expect(annotations).toMatchObject({ peers: 'carrier', peers_sentence: sentence })
    }
    expect(ofAlpha[0]!.annotations.likely_cause).toBe(
      `alpha only: the other carriers of dal are fine; ${sentence}`,
    )
    // Forty minutes of evaluations later it stands there once, behind the cause of that moment.
    expect(ofAlpha[1]!.annotations.likely_cause!.split(sentence)).toHaveLength(2)
    // Asked once, and not for the alert about the site.
    const toS = ofAlpha[0]!.startsAtUs / 1e6 - 12
    expect(asked).toEqual([{ window: { fromS: toS - 900, toS }, sites: undefined }])
    const ofSite = notices.filter(({ rule }) => rule === 'of-site')
    expect(ofSite).toHaveLength(2)
    expect(ofSite.every(({ annotations }) => annotations.peers === undefined)).toBe(true)
  })

  it('goes out at the same minute when the peers cannot be read', async () => {
    const read = await play(async () => ALPHA_IS_BAD)
    const unread = await play(async () => {
      throw new Error('gone')
    })
    expect(unread.told).toEqual(read.told)
    expect(unread.notices[0]!.annotations).not.toHaveProperty('peers')
    expect(unread.notices.find(({ rule }) => rule === 'level')!.annotations.likely_cause).toBe(
      'alpha only: the other carriers of dal are fine',
    )
  })
})

describe('what is asked', () => {
  const ask = (key: string, changes: Partial<SampleAsk> = {}): SampleAsk => ({
    key,
    kpi: 'ner',
    part: 'denominator',
    carrier: 'alpha',
    site: undefined,
    carriers: undefined,
    sites: undefined,
    window: { fromS: at(9), toS: at(10) },
    ...changes,
  })
  const asking = () => {
    const asked: string[] = []
    const peers: AlertNumbers['peers'] = async ({ fromS, toS }, sites) => {
      asked.push([(toS - fromS) / 3_600, ...(sites ?? [])].join(' '))
      return ALPHA_IS_BAD
    }
    return { asked, peers }
  }
  afterEach(() => {
    vi.useRealTimers()
  })

  it('one statement answers for all carriers of a window and its sites; of a long window the last six hours', async () => {
    const { asked, peers } = asking()
    const { verdicts, problem } = await readPeersOf({ peers }, [
      ask('a'),
      ask('b', { carrier: 'beta', kpi: 'availability' }),
      ask('at dal', { site: 'dal', sites: ['dal', 'fra'] }),
      ask('long', { window: { fromS: at(-62), toS: at(10) } }),
      ask('slow', { window: { fromS: at(4), toS: at(10) } }),
    ])
    expect(asked).toEqual(['1', '1 dal', '6'])
    expect([...verdicts].map(([key, { verdict }]) => `${key}: ${verdict}`)).toEqual([
      'a: carrier',
      'b: both_fine',
      'at dal: carrier',
      'long: carrier',
      'slow: carrier',
    ])
    expect(problem).toBe('')
  })

  it('delays, lengths of calls, calls that do not come, who is unknown and what is no carrier are not compared', async () => {
    const { asked, peers } = asking()
    const none = [
      ...['pdd_p95', 'acd', 'progress', 'attempts', 'attestation_a_rate'].map((kpi) => ask(kpi, { kpi })),
      ask('unknown', { carrier: 'unknown' }),
      ask('all', { carrier: undefined, site: 'dal' }),
    ]
    expect((await readPeersOf({ peers }, none)).verdicts.size).toBe(0)
    expect(asked).toEqual([])
  })

  it('four statements are asked at most', async () => {
    const { asked, peers } = asking()
    const sites = ['a', 'b', 'c', 'd', 'e']
    const { verdicts } = await readPeersOf(
      { peers },
      sites.map((site) => ask(site, { site })),
    )
    expect(asked).toEqual(['1 a', '1 b', '1 c', '1 d'])
    expect(verdicts.has('e')).toBe(false)
  })

  it('a store that fails, or hangs, costs what it did not answer, five seconds at most, and a sentence', async () => {
    const two = [ask('a'), ask('b', { site: 'dal' }), ask('c', { site: 'fra' })]
    const failing = await readPeersOf(
      {
        peers: async (_, sites) => {
          if (sites !== undefined) throw new Error('gone\nfor good')
          return ALPHA_IS_BAD
        },
      },
      two,
    )
    expect([...failing.verdicts.keys()]).toEqual(['a'])
    expect(failing.problem).toBe('gone')

    vi.useFakeTimers()
    let answer = (_: readonly PrefixNer[]) => {}
    let statements = 0
    const reading = readPeersOf(
      {
        peers: async (_, sites) => {
          statements++
          if (sites === undefined) return ALPHA_IS_BAD
          return new Promise((resolve) => {
            answer = resolve
          })
        },
      },
      two,
    )
    await vi.advanceTimersByTimeAsync(5_000)
    const late = await reading
    expect([...late.verdicts.keys()]).toEqual(['a'])
    expect(late.problem).toBe('no answer within 5 s')
    // What comes after that is not listened to, and nothing more is asked.
    answer(ALPHA_IS_BAD)
    await vi.advanceTimersByTimeAsync(0)
    expect([...late.verdicts.keys()]).toEqual(['a'])
    expect(statements).toBe(2)
    expect(vi.getTimerCount()).toBe(0)
  })
})
