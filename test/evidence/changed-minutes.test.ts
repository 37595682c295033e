import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChangedMinutes } from '../../evidence/changed-minutes.js'
import { TestStore } from '../api/support.js'

let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
}, 60_000)
afterAll(() => store.close())

/** A row of the minute `ago` minutes before now, by the clock of the store. */
const heard = (ago: number, messages: number) =>
  store.command(`INSERT INTO agents_minute (bus_partition, minute, agent, counted_until, sip_messages)
    SELECT 0, toStartOfMinute(now()) - ${60 * ago}, 'agent', ${messages}, ${messages}`)

test('a minute in which messages came and no attempt changed is given once, and again when more came; an old one is not', async () => {
  await heard(3, 5)
  await heard(60, 5)
  const changed = new ChangedMinutes(0)
  const taken = async () => (await changed.take(store.engine.writer)).length
  expect(await taken()).toBe(1)
  expect(await taken()).toBe(0)
  await heard(3, 6)
  expect(await taken()).toBe(1)
  expect(changed.untilS).toBe(0)
})
