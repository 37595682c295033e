import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kpiQueryOf } from '../../../api/kpi/query.js'
import { readKpiGroups } from '../../../api/kpi/series.js'
import { anyAttempts, countOf } from '../../../api/kpi/sums.js'
import { Readers } from '../../../api/readers.js'
import { attempt, CONFIG, NOON, NOON_US, ONE, TestStore } from '../support.js'

let store: TestStore
let readers: Readers
const read = (parameters: Record<string, string>) =>
  readKpiGroups(readers, CONFIG, kpiQueryOf({ from: NOON, to: ONE, ...parameters }, CONFIG, NOON_US))

beforeAll(async () => {
  store = await TestStore.open()
  readers = new Readers(store.engine.readers)
  await store.add([
    attempt({ carrier: 'former', invitedAtUs: NOON_US }),
    attempt({ carrier: 'beta', invitedAtUs: NOON_US }),
    attempt({ carrier: 'unknown', party: 'unknown', site: '', invitedAtUs: NOON_US }),
  ])
})
afterAll(() => store.close())

describe('groups of sums', () => {
  it('stand in the order of the configuration, then by name, unknown last', async () => {
    const groups = await read({})
    expect(groups.map(({ by }) => by.carrier)).toEqual(['alpha', 'beta', 'silent', 'former', 'unknown'])
  })

  it('a site that nothing tells is unknown, in answers and in filters', async () => {
    const groups = await read({ group_by: 'site' })
    expect(groups.map(({ by }) => by.site)).toEqual(['dal', 'unknown'])
    const [only] = await read({ group_by: 'carrier', site: 'unknown', carrier: 'unknown' })
    expect(countOf(only!.total, 'attempts')).toBe(1)
  })

  it('a carrier that moved to another leaves no group of zeros behind', async () => {
    const moving = attempt({ carrier: 'short-lived', invitedAtUs: NOON_US + 600e6 })
    await store.add([moving])
    expect((await read({})).map(({ by }) => by.carrier)).toContain('short-lived')
    await store.add([{ ...moving, carrier: 'beta' }], 2)
    const groups = await read({})
    expect(groups.map(({ by }) => by.carrier)).not.toContain('short-lived')
    expect(countOf(groups.find(({ by }) => by.carrier === 'beta')!.total, 'attempts')).toBe(2)
  })

  it('many questions at once share the connections', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => read({ group_by: '' })))
    for (const [group] of answers) expect(anyAttempts(group!.total)).toBe(4)
  })

  it('too many values for one answer are refused before they are made', async () => {
    await expect(
      read({ from: '2026-11-13T12:00:00Z', step: '60', group_by: 'carrier' }),
    ).rejects.toMatchObject({ code: 'TRUNKSCOPE_API_TOO_MANY_POINTS' })
    const groups = await read({ from: '2026-11-13T12:00:00Z', step: '60', kpi: 'ner', carrier: 'beta' })
    expect(groups[0]!.steps).toHaveLength(7 * 1_440 + 60)
  })
})
