import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import { attempt, get, NOON_US, TestStore } from '../support.js'

let store: TestStore
let app: App

interface List {
  attempts: { attempt_id: string; called_number: string; calling_number: string }[]
  next_cursor: string | null
  detail?: string
}

const DAY = 'from=2026-11-19T13:00:00Z&to=2026-11-20T13:00:00Z'
const list = async (query: string) => (await get<List>(app, `/v1/attempts?${query}`)).body
const idsOf = ({ attempts }: List) => attempts.map(({ attempt_id }) => attempt_id)

/** Over a day, so that several slices of time are needed. */
const spread = Array.from({ length: 48 }, (_, index) =>
  attempt({
    carrier: 'alpha',
    invitedAtUs: NOON_US - Math.floor((index * 22 * 3_600e6) / 48),
    calledNumber: `+1215555${String(1_000 + index)}`,
    dialledNumber: `+1215555${String(1_000 + index)}`,
    callingNumber: index % 8 === 0 ? '+442071838750' : '1188',
    fromNumber: index % 8 === 0 ? '+442071838750' : '1188',
    ...(index % 16 === 0 ? { finalCode: 503, disposition: 'CONGESTION' } : {}),
  }),
)

beforeAll(async () => {
  store = await TestStore.open()
  await store.add(spread)
  app = await store.app()
})
afterAll(async () => {
  await app.close()
  await store.close()
})

async function allPages(query: string, between: () => Promise<void> = async () => {}): Promise<string[]> {
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: List = await list(`${query}${cursor === '' ? '' : `&cursor=${cursor}`}`)
    seen.push(...idsOf(page))
    cursor = page.next_cursor
    await between()
  }
  return seen
}

describe('search by number', () => {
  it.each([
    ['number=%2B12155551003', 1],
    ['number=12155551003', 1],
    ['number=0012155551003', 1],
    ['number=%2B1%20(215)%20555-1003', 1],
    ['called=*5551003', 1],
    ['called=*1003', 1],
    ['called=*555100', 0],
    ['number=*838750', 6],
    ['calling=%2B442071838750', 6],
    ['called=%2B442071838750', 0],
    ['calling=1188', 42],
    ['calling=%2B442071838750&final_code=503', 3],
    ['calling=%2B442071838750&called=*5551008', 1],
  ])('%s finds %i', async (query, count) => {
    expect((await list(`${DAY}&${query}&limit=500`)).attempts).toHaveLength(count)
  })

  it.each(['number=*12', 'number=', 'called=bob', 'number=%27%20OR%201%3D1', `called=${'1'.repeat(65)}`])(
    '%s is no number',
    async (query) => {
      const { status, body } = await get<List>(app, `/v1/attempts?${query}`)
      expect(status).toBe(400)
      expect(body.detail).toContain('*0100')
    },
  )

  it('a number that a row had once is not found under it', async () => {
    const changed = attempt({ invitedAtUs: NOON_US + 60e6, calledNumber: '+33155667788', dialledNumber: '' })
    await store.add([changed])
    expect((await list('number=%2B33155667788')).attempts).toHaveLength(1)
    await store.add([{ ...changed, calledNumber: '+33155667799' }], 2)
    expect((await list('number=%2B33155667788')).attempts).toHaveLength(0)
    expect((await list('number=%2B33155667799')).attempts).toHaveLength(1)
  })
})

describe('search by routing', () => {
  const PORTED = 'sip:+12155551212;npdi;rn=+1-702-555-0000@gw;user=phone'
  const GROUP = 'sip:+12155551313;TGRP=TG-7;trunk-context=+1-630@isp.example.net;user=phone'

  beforeAll(async () => {
    const routed = (requestUri: string) => attempt({ carrier: 'routed', requestUri })
    await store.add([
      routed(PORTED),
      routed('sip:2155551414;rn=3f00;rn-context=+33@gw'),
      routed('tel:+12155551515;rn=+17025550000'),
      routed('sip:+12155551616@gw;rn=+17025550000'), // Behind the host it means nothing.
      routed(GROUP),
      routed('sip:+12155551313;tgrp=TG-7@isp.example.net'), // Without its context it is no group.
      routed('sip:+12155551717;tgrp=TG-8;trunk-context=example.com@gw'),
    ])
  })

  it.each([
    ['rn=%2B17025550000', 2],
    ['rn=0017025550000', 2],
    ['rn=1%20(702)%20555-0000', 2],
    ['rn=%2B17025550001', 0],
    ['rn=3F00', 1],
    ['tgrp=TG-7', 1],
    ['tgrp=tg-7,tg-8', 2],
    ['tgrp=TG-7&rn=%2B17025550000', 0],
    ['tgrp=TG', 0],
  ])('%s finds %i', async (query, count) => {
    expect((await list(query)).attempts).toHaveLength(count)
  })

  it('what is no routing number is said so, and a cursor is of its own filters', async () => {
    const { status, body } = await get<List>(app, '/v1/attempts?rn=alice')
    expect([status, body.detail]).toEqual([400, expect.stringContaining('rn=%2B12155550000')])
    const { next_cursor } = await list('tgrp=tg-7,tg-8&limit=1')
    expect((await get<List>(app, `/v1/attempts?tgrp=TG-8&limit=1&cursor=${next_cursor}`)).status).toBe(400)
    expect((await list(`tgrp=tg-7,tg-8&limit=1&cursor=${next_cursor}`)).attempts).toHaveLength(1)
  })
})

describe('paging', () => {
  it('gives each attempt once while others are stored and some are written again (property)', async () => {
    let round = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 20 * 3_600 }), { minLength: 1, maxLength: 16 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.integer({ min: 0, max: 15 }), { maxLength: 8 }),
        async (ages, limit, rewritten) => {
          const carrier = `page-${++round}`
          const rows = ages.map((ageS) => attempt({ carrier, invitedAtUs: NOON_US - ageS * 1e6 }))
          await store.add(rows)
          const ids = new Set(rows.map(({ attemptId }) => attemptId))
          let version = 1
          const again = [...rewritten]
          const seen = await allPages(`${DAY}&carrier=${carrier}&limit=${limit}`, async () => {
            const row = rows[(again.pop() ?? 0) % rows.length]!
            await store.add([{ ...row, finalPhrase: 'written again' }], ++version)
            // Newer than all of them: behind the last page each would make another page.
            await store.add([attempt({ carrier, invitedAtUs: NOON_US - version })])
          })
          expect(new Set(seen).size).toBe(seen.length)
          expect(seen.filter((id) => ids.has(id)).toSorted()).toEqual([...ids].toSorted())
        },
      ),
      { numRuns: 4 },
    )
  }, 60_000)

  it('keeps the range of its first page, whatever the clock says by then', async () => {
    let nowMs = NOON_US / 1_000 + 1_000
    const moving = await store.app({ nowMs: () => nowMs })
    const first = (await get<List>(moving, '/v1/attempts?carrier=alpha&limit=1')).body
    nowMs += 3_600_000
    const next = (await get<List>(moving, `/v1/attempts?carrier=alpha&limit=1&cursor=${first.next_cursor}`))
      .body
    expect(next.attempts).toHaveLength(1)
    expect(idsOf(next)).not.toEqual(idsOf(first))
    await moving.close()
  })

  it('a cursor is refused with other filters, and so is one that was changed', async () => {
    const { next_cursor } = await list(`${DAY}&carrier=alpha&limit=1`)
    for (const query of [
      `${DAY}&carrier=beta&cursor=${next_cursor}`,
      `${DAY}&carrier=alpha&final_code=200&cursor=${next_cursor}`,
      `call_id=x&cursor=${next_cursor}`,
      `${DAY}&carrier=alpha&cursor=${next_cursor!.slice(2)}`,
      `${DAY}&carrier=alpha&cursor=${'A'.repeat(5_000)}`,
    ]) {
      const { status, body } = await get<{ code: string }>(app, `/v1/attempts?${query}`)
      expect([status, body.code]).toEqual([400, 'TRUNKSCOPE_API_BAD_CURSOR'])
    }
  })
})
