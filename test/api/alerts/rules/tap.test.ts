/** What is wrong with our own tap and collector: begins, holds the others, ends; minute by minute. */
import { describe, expect, it } from 'vitest'
import type { TapAgent } from '../../../../api/alerts/numbers.js'
import { configSchema } from '../../../../schemas/config.js'
import { type Play, played } from '../played.js'
import type { Lane } from '../week.js'

const MONDAY_S = Date.parse('2026-11-16T00:00:00Z') / 1_000
const at = (hour: number, minute = 0) => MONDAY_S + hour * 3_600 + minute * 60
const within = (s: number, fromS: number, toS: number) => s >= fromS && s < toS

const config = configSchema.parse({
  sites: ['dal', 'fra'].map((id, index) => ({ id, sbc: [`192.0.2.${index + 1}/32`] })),
  carriers: [{ id: 'alpha', peers: ['198.51.100.1/32'] }],
})
const agent = (verdict: TapAgent['verdict'], site = 'dal'): TapAgent => ({
  agent: `tap-${site}`,
  site,
  verdict,
  why: 'as told',
})
const lane = (site: string, minuteAt: Lane['minuteAt']): Lane => ({ carrier: 'alpha', site, minuteAt })
const fine: Lane['minuteAt'] = () => ({ valid: 10, bad: 0, incomplete: 0 })

const play = (changes: Partial<Play>) =>
  played({
    config,
    lanes: [lane('dal', fine)],
    numbersFromS: at(-96),
    fromS: at(9),
    toS: at(12),
    ...changes,
  })

describe('TapLossy', () => {
  it('is a ticket after five minutes, and over after fifteen without', async () => {
    const { told, notices } = await play({
      tapsAt: (s) => [agent(within(s, at(10), at(10, 20)) ? 'lossy' : 'ok')],
    })
    expect(told).toEqual(['10:05 firing TapLossy dal tap-dal', '10:34 resolved TapLossy dal tap-dal'])
    expect(notices[0]).toMatchObject({ severity: 'ticket', details: { verdict: 'lossy' } })
  })

  it('four minutes of loss, and a loss that comes and goes, tell nobody', async () => {
    const { told } = await play({ tapsAt: (s) => [agent((s / 60) % 6 < 4 ? 'lossy' : 'ok')] })
    expect(told).toEqual([])
  })
})

describe('CaptureLoss', () => {
  /** From 10:00 to 10:30 one attempt in five lacks a part. */
  const losing: Lane['minuteAt'] = (s) =>
    within(s, at(10), at(10, 30)) ? { valid: 8, bad: 8, incomplete: 2 } : { valid: 10, bad: 0, incomplete: 0 }

  it('pages when surely more than a twentieth of fifteen minutes lacks a part, and is over when it does not', async () => {
    const { told, notices } = await play({ lanes: [lane('dal', losing), lane('fra', fine)] })
    // Surely more than a twentieth of 150 are 13: seven minutes of it, held for two.
    const own = told.filter((one) => one.includes('CaptureLoss'))
    expect(own).toEqual(['10:09 firing CaptureLoss dal', '10:43 resolved CaptureLoss dal'])
    const notice = notices.find(({ rule }) => rule === 'CaptureLoss')!
    expect(notice.severity).toBe('page')
    expect(notice.annotations.summary).toMatch(
      /^dal: 18 of 150 attempts in 15 min lack a part \(12\.0 %, 95 % interval 7\.\d % to/,
    )
  })

  it('holds what rests on that site, and not what the others show', async () => {
    const { rows } = await play({ lanes: [lane('dal', losing)], toS: at(10, 25) })
    expect(rows.find(({ rule }) => rule === 'SloBurnFast')).toMatchObject({
      held: expect.stringMatching(/^the capture of dal loses too much: /),
    })
  })

  it('four lost attempts are too few, whatever their share', async () => {
    const few: Lane['minuteAt'] = (s) =>
      s === at(10) ? { valid: 1, bad: 0, incomplete: 4 } : { valid: 0, bad: 0, incomplete: 0 }
    expect((await play({ lanes: [lane('dal', few)] })).told).toEqual([])
  })
})

describe('CollectorBehind', () => {
  it('pages after a minute above two, judges nothing meanwhile, and is over two minutes after it caught up', async () => {
    // From 10:00 on every call fails, and the collector stands still until 10:20.
    const failing: Lane['minuteAt'] = (s) =>
      s >= at(10) ? { valid: 10, bad: 10, incomplete: 0 } : { valid: 10, bad: 0, incomplete: 0 }
    const { told, notices } = await play({
      lanes: [lane('dal', failing)],
      behindAtS: (s) => (within(s, at(10), at(10, 20)) ? s - at(10) : 1),
      toS: at(10, 30),
    })
    expect(told).toEqual([
      '10:04 firing CollectorBehind',
      '10:20 firing SloBurnFast alpha',
      '10:21 resolved CollectorBehind',
      '10:22 firing SloBudgetDrain alpha',
    ])
    expect(notices[0]).toMatchObject({ severity: 'page', details: { behind_s: 240 } })
    expect(notices[0]!.annotations.summary).toContain('no other alert is judged meanwhile')
  })

  it('what fires when it falls behind goes on and is not told again', async () => {
    const { told, rows } = await play({
      tapsAt: (s) => [agent(s >= at(9, 50) && s < at(10, 5) ? 'blind' : 'ok')],
      behindAtS: (s) => (s >= at(10) ? s - at(10) : 1),
      toS: at(10, 30),
    })
    expect(told).toEqual(['09:50 firing TapBlind dal tap-dal', '10:04 firing CollectorBehind'])
    expect(rows.find(({ rule }) => rule === 'TapBlind')).toMatchObject({
      state: 'firing',
      held: expect.stringMatching(/^the collector is \d+ min behind/),
    })
  })
})
