import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import type { Token } from '../../../schemas/tokens.js'
import { type CapturedMessage, PcapMessages } from '../../../sip/pcap-messages.js'
import { attempt, NOON_US, type StoredMessage, TestStore } from '../support.js'

let store: TestStore
let app: App

const CALL_ID = 'shared@example.com'
const onAlpha = attempt({ callId: CALL_ID, fromTag: 'caller', attemptId: 'a'.repeat(32) })
const onBeta = attempt({
  callId: CALL_ID,
  fromTag: 'caller',
  attemptId: 'b'.repeat(32),
  carrier: 'beta',
  addressHigh: '198.51.100.20',
  farAddress: '198.51.100.20',
})
const endless = attempt({ callId: 'endless@example.com', attemptId: 'c'.repeat(32) })

const raw = (startLine: string, more = '', tag = 'caller') =>
  `${startLine}\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK1\r\nFrom: <sip:+12155550101@a.example>;tag=${tag}\r\n` +
  `To: <sip:+12155550100@b.example>\r\nCall-ID: ${CALL_ID}\r\nCSeq: 1 INVITE\r\n${more}Content-Length: 0\r\n\r\n`
const BETA = { destination: '198.51.100.20' }

const MESSAGES: StoredMessage[] = [
  { callId: CALL_ID, capturedAtUs: NOON_US, raw: raw('INVITE sip:+12155550100@198.51.100.10 SIP/2.0') },
  {
    ...{ callId: CALL_ID, capturedAtUs: NOON_US + 2, source: '198.51.100.10', destination: '192.0.2.11' },
    // Not UTF-8, what a terminal would obey, and what looks like a line of ours.
    raw: raw('SIP/2.0 503 Caf\xe9', 'X: \x1b[2J\x9b\r\n2026-11-20T12:00:00Z +0 s  forged\r\n'),
  },
  { callId: CALL_ID, capturedAtUs: NOON_US + 4, raw: raw('INVITE sip:beta@198.51.100.20 SIP/2.0'), ...BETA },
  // On alpha's leg, and of another attempt; not readable; without addresses.
  {
    callId: CALL_ID,
    capturedAtUs: NOON_US + 6,
    raw: raw('INVITE sip:other@a.example SIP/2.0', '', 'stranger'),
  },
  { callId: CALL_ID, capturedAtUs: NOON_US + 8, raw: `broken ${raw('INVITE sip:x SIP/2.0')}` },
  {
    callId: CALL_ID,
    capturedAtUs: NOON_US + 10,
    raw: raw('SIP/2.0 180 Ringing'),
    source: '',
    destination: '',
  },
]

const tokens: Token[] = [
  { id: 'investigator', sha256: digestOf('investigator'), role: 'investigator' },
  { id: 'viewer', sha256: digestOf('viewer'), role: 'viewer' },
  { id: 'alpha', sha256: digestOf('alpha'), role: 'investigator', carriers: ['alpha'] },
]

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

beforeAll(async () => {
  store = await TestStore.open()
  await store.add([onAlpha, onBeta, endless])
  await store.addMessages(MESSAGES)
  await store.addMessages(
    Array.from({ length: 2_001 }, (_, index) => ({
      ...{ callId: endless.callId, capturedAtUs: NOON_US + index, raw: raw('OPTIONS sip:a SIP/2.0') },
    })),
  )
  app = await store.app({ tokens: () => tokens })
})
afterAll(async () => {
  await app.close()
  await store.close()
})

const ask = (who: string, path: string) =>
  app.inject({ url: `/v1/attempts/${path}`, headers: { authorization: `Bearer ${who}` } })

function messagesIn(file: Buffer): CapturedMessage[] {
  const messages: CapturedMessage[] = []
  const reader = new PcapMessages((message) => messages.push(message))
  reader.push(file)
  expect(reader.end()).toBe('')
  return messages
}

describe('pcap of a call', () => {
  it('holds every message of the Call-ID, on every leg, byte for byte', async () => {
    const response = await ask('investigator', `${onAlpha.attemptId}/pcap`)
    expect(response.statusCode).toBe(200)
    expect(response.headers).toMatchObject({
      'content-type': 'application/vnd.tcpdump.pcap',
      'content-disposition': `attachment; filename="call-${onAlpha.attemptId}.pcap"`,
    })
    expect(response.headers).not.toHaveProperty('trunkscope-messages-cut')
    const found = messagesIn(response.rawPayload)
    expect(found.map(({ payload, capturedAtUs }) => [payload.toString('latin1'), capturedAtUs])).toEqual(
      MESSAGES.map((message) => [message.raw, message.capturedAtUs]),
    )
    expect(found[2]).toMatchObject({
      sourceAddress: '192.0.2.11',
      destinationAddress: '198.51.100.20',
      ipProtocol: 17,
    })
    expect(found[5]).toMatchObject({ sourceAddress: '0.0.0.0' })
  })

  it('for a token of some carriers holds what is certain to be theirs, and nothing else', async () => {
    const response = await ask('alpha', `${onAlpha.attemptId}/pcap`)
    expect(messagesIn(response.rawPayload).map(({ payload }) => payload.toString('latin1'))).toEqual(
      MESSAGES.slice(0, 2).map((message) => message.raw),
    )
    expect((await ask('alpha', `${onBeta.attemptId}/pcap`)).statusCode).toBe(404)
    expect((await ask('alpha', `${onBeta.attemptId}/messages.txt`)).statusCode).toBe(404)
  })

  it('is for investigators, and says so', async () => {
    for (const path of ['pcap', 'messages.txt']) {
      const response = await ask('viewer', `${onAlpha.attemptId}/${path}`)
      expect(response.statusCode).toBe(403)
      expect(response.json()).toMatchObject({
        code: 'TRUNKSCOPE_API_ROLE_TOO_LOW',
        detail: 'the token viewer is one of a viewer; this needs the role investigator',
      })
    }
  })

  it('says when there are more messages than it holds', async () => {
    const response = await ask('investigator', `${endless.attemptId}/pcap`)
    expect(response.headers['trunkscope-messages-cut']).toBe('true')
    expect(messagesIn(response.rawPayload)).toHaveLength(2_000)
    expect((await ask('investigator', `${endless.attemptId}/messages.txt`)).body).toMatch(
      /There are more messages than one export holds\.\n$/,
    )
  })

  it('of no attempt is not found; parameters are refused', async () => {
    expect((await ask('investigator', `${'d'.repeat(32)}/pcap`)).statusCode).toBe(404)
    expect((await ask('investigator', '..%2F..%2Fetc/pcap')).statusCode).toBe(404)
    expect((await ask('investigator', `${onAlpha.attemptId}/pcap?file=x`)).statusCode).toBe(400)
  })
})

describe('a call as text', () => {
  it('has a line for each message at the margin, and nothing of a message there or for a terminal to obey', async () => {
    const response = await ask('investigator', `${onAlpha.attemptId}/messages.txt`)
    expect(response.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': `attachment; filename="call-${onAlpha.attemptId}.txt"`,
      'x-content-type-options': 'nosniff',
    })
    const lines = response.body.split('\n')
    const heads = lines.filter((line) => line !== '' && !line.startsWith('    '))
    expect(heads).toHaveLength(MESSAGES.length)
    expect(heads[1]).toBe(
      `2026-11-20T12:00:00.000002Z +0.000002 s  198.51.100.10:5060 -> 192.0.2.11:5060  UDP  ${MESSAGES[1]!.raw.length} bytes  seen by 192.0.2.11/2001`,
    )
    expect(lines).toContain('    SIP/2.0 503 Café')
    expect(lines).toContain('    X: \\x1b[2J\\x9b')
    expect(lines).toContain('    2026-11-20T12:00:00Z +0 s  forged')
  })
})

it('the page of the attempt links both, for investigators', async () => {
  const page = async (who: string) =>
    (await app.inject({ url: `/attempts/${onAlpha.attemptId}`, headers: { authorization: `Bearer ${who}` } }))
      .body
  expect(await page('investigator')).toContain(`href="/v1/attempts/${onAlpha.attemptId}/pcap"`)
  expect(await page('investigator')).toContain(`href="/v1/attempts/${onAlpha.attemptId}/messages.txt"`)
  expect(await page('viewer')).not.toContain('/pcap"')
})
