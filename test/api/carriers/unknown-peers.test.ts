import { afterAll, beforeAll, expect, it } from 'vitest'
import { readUnknownPeers } from '../../../api/carriers/unknown-peers.js'
import { Readers } from '../../../api/readers.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { attempt, TestStore } from '../support.js'

const NOON_S = 1_794_830_400
const SPAN = { fromUs: NOON_S * 1e6, toUs: (NOON_S + 3_600) * 1e6 }

let store: TestStore
let readers: Readers
beforeAll(async () => {
  store = await TestStore.open()
  readers = new Readers(store.engine.readers)
})
afterAll(() => store.close())

const unknown = (farAddress: string, more: Partial<Attempt> = {}) =>
  attempt({
    party: 'unknown',
    carrier: 'unknown',
    farAddress,
    invitedAtUs: (NOON_S + 60) * 1e6,
    ...more,
  })
const counted = async () =>
  (await readUnknownPeers(readers, SPAN)).map(({ address, attempts }) => [address, attempts])

it('are those that stand: not who has a carrier now, and who has none any more', async () => {
  expect(await counted()).toEqual([])
  const named = unknown('203.0.113.1')
  const other = unknown('203.0.113.2')
  const lost = unknown('203.0.113.3')
  await store.add([named, other, { ...lost, party: 'carrier', carrier: 'alpha' }])
  await store.add([unknown('203.0.113.4', { state: 'fragment' })])
  await store.add([unknown('203.0.113.5', { invitedAtUs: (NOON_S + 7_200) * 1e6 })])
  expect(await counted()).toEqual([
    ['203.0.113.1', 1],
    ['203.0.113.2', 1],
  ])
  await store.add([{ ...named, party: 'carrier', carrier: 'alpha' }, lost])
  expect(await counted()).toEqual([
    ['203.0.113.2', 1],
    ['203.0.113.3', 1],
  ])
})

it('are the same where they are too many to be read by their keys', async () => {
  const many = Array.from({ length: 2_100 }, (_, at) =>
    unknown(`203.0.113.${10 + (at % 2)}`, { invitedAtUs: (NOON_S + (at % 3_600)) * 1e6 }),
  )
  await store.add(many)
  await store.add(many.slice(0, 100).map((some) => ({ ...some, party: 'carrier', carrier: 'alpha' })))
  expect(await counted()).toEqual([
    ['203.0.113.10', 1_000],
    ['203.0.113.11', 1_000],
    ['203.0.113.2', 1],
    ['203.0.113.3', 1],
  ])
})
