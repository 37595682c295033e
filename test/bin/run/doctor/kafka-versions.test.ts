import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { apiVersions, readAnswer } from '../../../../bin/run/doctor/kafka-versions.js'

/** size, correlation id 1, no error, two ranges: Produce 3–13, Fetch 4–17. */
const ANSWER = Buffer.from('00000016000000010000000000020000' + '0003000d' + '0001' + '00040011', 'hex')

describe('kafka ApiVersions', () => {
  test('an answer gives the range of each request', () => {
    expect(readAnswer(ANSWER)).toEqual(
      new Map([
        [0, { min: 3, max: 13 }],
        [1, { min: 4, max: 17 }],
      ]),
    )
  })

  test('an answer cut at any byte is waited for', () => {
    for (let length = 0; length < ANSWER.length; length++) {
      expect(readAnswer(ANSWER.subarray(0, length))).toBeUndefined()
    }
  })

  test('any bytes give ranges, a reason, or the wish for more (fuzz)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const outcome = readAnswer(Buffer.from(bytes))
        expect(outcome === undefined || outcome instanceof Map || 'reason' in outcome).toBe(true)
      }),
    )
  })

  test('what is no broker, what closes and what is silent each give a reason', async () => {
    const reasonOf = async (answer: Buffer | 'close' | 'silence') => {
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => {
          if (answer === 'close') socket.end()
          else if (answer !== 'silence') socket.write(answer)
        })
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const outcome = await apiVersions(`127.0.0.1:${(server.address() as AddressInfo).port}`, undefined, 100)
      server.close()
      return 'reason' in outcome ? outcome.reason : 'ranges'
    }
    expect(await reasonOf(ANSWER)).toBe('ranges')
    expect(await reasonOf(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))).toBe(
      'what answers there is no Kafka broker',
    )
    expect(await reasonOf('close')).toContain('closed without an answer')
    expect(await reasonOf('silence')).toBe('no answer within 0.1 s')
  })
})
