import type { ClickHouseClient } from '@clickhouse/client'
import { describe, expect, it } from 'vitest'
import { Readers } from '../../api/readers.js'

/** Answers when told to, and refuses a second statement meanwhile. */
function stubClient(): { client: ClickHouseClient; answer: () => void; statements: () => number } {
  let running: (() => void) | undefined
  let statements = 0
  const client = {
    query: () => {
      if (running !== undefined) throw new Error('two statements at once')
      statements++
      return new Promise((resolve) => {
        running = () => {
          running = undefined
          resolve({ json: async () => [{ n: statements }] })
        }
      })
    },
  }
  return {
    client: client as unknown as ClickHouseClient,
    answer: () => running?.(),
    statements: () => statements,
  }
}

describe('readers', () => {
  it('a connection runs one statement at a time; the next waits its turn', async () => {
    const stub = stubClient()
    const readers = new Readers([stub.client])
    const first = readers.select('SELECT 1')
    const second = readers.select('SELECT 2')
    await new Promise(setImmediate)
    expect(stub.statements()).toBe(1)
    stub.answer()
    expect(await first).toEqual([{ n: 1 }])
    await new Promise(setImmediate)
    expect(stub.statements()).toBe(2)
    stub.answer()
    expect(await second).toEqual([{ n: 2 }])
  })

  it('a queue that is too long refuses instead of growing', async () => {
    const readers = new Readers([stubClient().client])
    const waiting = Array.from({ length: 201 }, () => readers.select('SELECT 1'))
    await expect(readers.select('SELECT 1')).rejects.toMatchObject({ code: 'TRUNKSCOPE_API_BUSY' })
    expect(waiting).toHaveLength(201)
  })

  it('a failed statement gives its connection back', async () => {
    let isFirst = true
    const client = {
      query: async () => {
        if (!isFirst) return { json: async () => [] }
        isFirst = false
        throw new Error('broken')
      },
    } as unknown as ClickHouseClient
    const readers = new Readers([client])
    await expect(readers.select('SELECT 1')).rejects.toThrow('broken')
    expect(await readers.select('SELECT 1')).toEqual([])
  })
})
