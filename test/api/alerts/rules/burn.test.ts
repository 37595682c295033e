/** One outage pages once: of the two pages of an objective the slower one waits. */
import { describe, expect, it } from 'vitest'
import { configSchema } from '../../../../schemas/config.js'
import { played } from '../played.js'
import type { Lane } from '../week.js'

const MONDAY_S = Date.parse('2026-11-16T00:00:00Z') / 1_000
const at = (hour: number, minute = 0) => MONDAY_S + hour * 3_600 + minute * 60
const config = configSchema.parse({
  sites: [{ id: 'dal', sbc: ['192.0.2.1/32'] }],
  carriers: [{ id: 'alpha', peers: ['198.51.100.1/32'] }],
})

/** Of twenty calls a minute so many fail. */
const play = (badAt: (s: number) => number, toS = at(16)) => {
  const lane: Lane = {
    carrier: 'alpha',
    site: 'dal',
    minuteAt: (s) => ({ valid: 20, bad: badAt(s), incomplete: 0 }),
  }
  return played({ config, lanes: [lane], numbersFromS: at(-96), fromS: at(9), toS })
}
const pages = (told: readonly string[]) => told.filter((one) => !one.includes('SloBudgetDrain'))

describe('SloBurnFast and SloBurnSlow', () => {
  // Of the last five minutes one that failed is 20 %: over at 11:05, believed after five more minutes without.
  it('an outage of an hour pages once, and its end is told once', async () => {
    const { told } = await play((s) => (s >= at(10) && s < at(11) ? 20 : 0))
    expect(pages(told)).toEqual(['10:05 firing SloBurnFast alpha', '11:09 resolved SloBurnFast alpha'])
  })

  it('the slower one waits with the reason', async () => {
    const { rows } = await play((s) => (s >= at(10) ? 20 : 0), at(10, 45))
    expect(rows.find(({ rule }) => rule === 'SloBurnSlow')).toMatchObject({
      state: 'pending',
      held: 'SloBurnFast of the same labels tells it',
    })
  })

  it('an outage that becomes a slow burn pages again when the half hour after it alone burns', async () => {
    // One call in twenty goes on failing: ten times too fast, not fourteen.
    const { told } = await play((s) => (s < at(10) ? 0 : s < at(11) ? 20 : 1))
    expect(pages(told)).toEqual([
      '10:05 firing SloBurnFast alpha',
      '11:09 resolved SloBurnFast alpha',
      '11:39 firing SloBurnSlow alpha',
    ])
  })

  it('a slow burn that was told goes on while it becomes fast', async () => {
    const { told, rows } = await play((s) => (s < at(10) ? 0 : s < at(14) ? 1 : 20), at(15))
    expect(pages(told).map((one) => one.slice(6))).toEqual([
      'firing SloBurnSlow alpha',
      'firing SloBurnFast alpha',
    ])
    expect(rows.find(({ rule }) => rule === 'SloBurnSlow')).toMatchObject({ state: 'firing', held: '' })
  })
})
