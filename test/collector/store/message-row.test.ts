import { describe, expect, test } from 'vitest'
import { observe } from '../../../collector/enrich/observe.js'
import { encodeRows, RowBinaryWriter } from '../../../collector/store/rowbinary.js'
import { MESSAGE_COLUMNS, type MessageRow } from '../../../schemas/sip-messages.js'
import { captureFrames } from '../../support/real-capture.js'

describe('the row of a message', () => {
  test('spelled out, it is byte for byte what the list of columns gives', () => {
    const rows = captureFrames().flatMap((bytes, number): MessageRow[] => {
      const seen = observe({
        receivedAtUs: 1_795_000_000_000_000 + number,
        transport: 'udp',
        peerAddress: '127.0.0.1',
        position: 0,
        bytes,
      })
      if ('reason' in seen) return []
      const { observed, ipProtocol, raw } = seen
      return [
        {
          observed,
          ipProtocol,
          raw,
          receivedAtUs: 1_795_000_000_000_000 + number,
          storedAtS: number,
          transport: 'udp',
        },
      ]
    })
    expect(rows).toHaveLength(844)
    // Values that no capture has: a Call-ID over its column's length, a method of nobody's, absent numbers.
    const first = rows[0]!
    const message = {
      ...first.observed.message,
      callId: 'é'.repeat(600),
      method: 'FROBNICATE',
      cseqNumber: -1,
      truncated: true,
    }
    rows.push({ ...first, observed: { ...first.observed, message } })
    const writer = new RowBinaryWriter()
    for (const row of rows) writer.message(row)
    expect(writer.rows).toBe(rows.length)
    expect(Buffer.concat(writer.take()).equals(Buffer.concat(encodeRows(MESSAGE_COLUMNS, rows)))).toBe(true)
  })
})
