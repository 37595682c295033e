import { afterAll, beforeAll, expect, it } from 'vitest'
import { attempt, TestStore } from '../support.js'

let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
})
afterAll(() => store.close())

const CASES: [requestUri: string, called: string, prefix: string][] = [
  ['sip:+12155550100@198.51.100.10', '+12155550100', '+1215555'],
  ['sip:2155550100@198.51.100.10', '2155550100', '215555'],
  ['sip:12155550100@198.51.100.10', '12155550100', '1215555'],
  ['sip:+12155550100;npdi;rn=+13105550000@198.51.100.10', '+12155550100', '+1310555'],
  ['sip:+12155550100;RN=+1-310-555-0000@198.51.100.10', '+12155550100', '+1310555'],
  // What is no routing number leaves the called one; one that is too short has no prefix.
  ['sip:+12155550100;rn=-.-@198.51.100.10', '+12155550100', '+1215555'],
  ['sip:+12155550100;rn=911@198.51.100.10', '+12155550100', ''],
  ['sip:+12155550100@198.51.100.10;rn=+13105550000', '+12155550100', '+1215555'],
  ['sip:1234567@198.51.100.10', '1234567', '123'],
  ['sip:123456@198.51.100.10', '123456', ''],
  ['sip:bob@198.51.100.10', 'bob', ''],
  ['', '', ''],
]

it('the destination of an attempt is the prefix of its routing number, else of the called one', async () => {
  const rows = CASES.map(([requestUri, calledNumber]) => attempt({ requestUri, calledNumber }))
  await store.add(rows)
  const result = await store.engine.writer.query({
    query: 'SELECT lower(hex(attempt_id)) AS id, destination FROM call_attempts FINAL',
    format: 'JSONEachRow',
  })
  const found = new Map(
    (await result.json<{ id: string; destination: string }>()).map(({ id, destination }) => [
      id,
      destination,
    ]),
  )
  expect(rows.map(({ attemptId }) => found.get(attemptId))).toEqual(CASES.map(([, , prefix]) => prefix))
})
