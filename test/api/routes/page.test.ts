import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../../../api/deps.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, ENDED, HOUR, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'

let store: TestStore
let app: App

const HOSTILE = `"><script>alert('x')</script><img src=x onerror=alert(1)>\u202e`
const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

const hostile = attempt({
  callId: `${HOSTILE}@example.com`,
  fromTag: 'caller',
  finalPhrase: HOSTILE,
  userAgent: HOSTILE,
  callingNumber: HOSTILE,
  requestUri: HOSTILE,
  reasons: [HOSTILE],
  cancelReason: HOSTILE,
  agents: [HOSTILE],
  clockAgent: HOSTILE,
  farAddress: HOSTILE,
  party: 'unknown',
  carrier: 'unknown',
  invitedAtUs: NOON_US + 3_000e6,
  identities: [
    {
      form: 'full',
      ppt: HOSTILE,
      attest: HOSTILE,
      orig: HOSTILE,
      dest: [HOSTILE],
      iatS: 1,
      x5u: `javascript:${HOSTILE}`,
      origId: HOSTILE,
      tokenHash: '',
      div: '',
      problem: '',
    },
  ],
})

beforeAll(async () => {
  store = await TestStore.open()
  const rows = Array.from({ length: 240 }, (_, index) =>
    attempt({
      invitedAtUs: NOON_US + index * 15e6,
      // Bad in the last quarter of the hour.
      ...(index >= 180 && index % 2 === 0 ? ENDED.preRing : {}),
    }),
  )
  await store.add([...rows, attempt({ carrier: 'beta', ...ENDED.busy, invitedAtUs: NOON_US }), hostile])
  await store.addMessages([
    {
      callId: hostile.callId,
      capturedAtUs: NOON_US + 3_000e6,
      raw: `INVITE sip:${latin1(HOSTILE)} SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nFrom: "${latin1(HOSTILE)}" <sip:a@x>;tag=caller\r\nTo: <sip:b@y>\r\nCall-ID: ${latin1(HOSTILE)}@example.com\r\nCSeq: 1 INVITE\r\nX-Escape: \x1b[31m\x00\r\n\r\n`,
    },
  ])
  await store.addAgentMinute({ agent: HOSTILE, peerAddress: HOSTILE, minuteS: NOON_S + 3_000 })
  app = await store.app({
    demo: true,
    live: () =>
      liveStatus({
        problem: HOSTILE,
        lastFrame: { atUs: NOON_US, peerAddress: HOSTILE },
        refused: [{ stage: 'capture', reason: 'key_mismatch', count: 14 }],
      }),
  })
})
afterAll(async () => {
  await app.close()
  await store.close()
})

async function pageOf(url: string, from: App = app): Promise<string> {
  const response = await from.inject({ url })
  expect([url, response.statusCode]).toEqual([url, 200])
  expect(response.headers['content-type']).toBe('text/html; charset=utf-8')
  return response.body
}

/** A page as a reader without a browser sees it: no markup but ours, every tag closed. */
function expectSound(page: string): void {
  expect(page).not.toMatch(/<script(?! src="\/page\.js" defer>)/)
  expect(page).not.toMatch(/<img/)
  expect(page).not.toMatch(/href="(?!\/|#|data:,|\?)/)
  expect(page).not.toContain('undefined')
  expect(page).not.toContain('NaN')
  expect(page).not.toContain('[object')
  expect(page).not.toContain('\u202e')
  const open: string[] = []
  const VOID = ['meta', 'link', 'br', 'input', 'img']
  for (const [, close, name, rest] of page
    .replace(/<!doctype html>/, '')
    .matchAll(/<(\/?)([a-z][a-z0-9]*)((?:"[^"]*"|[^">])*)>/g)) {
    expect(rest!.replace(/"[^"]*"/g, '""')).not.toMatch(/\s(on\w+|style)=/)
    if (close === '/') expect(open.pop()).toBe(name)
    else if (!VOID.includes(name!) && !rest!.endsWith('/')) open.push(name!)
  }
  expect(open).toEqual([])
}

const EVERY = [
  `/?${HOUR}`,
  '/',
  '/?last=15m',
  '/?last=24h',
  `/carriers/alpha?${HOUR}`,
  `/carriers/unknown?${HOUR}`,
  '/carriers/silent',
  `/attempts?${HOUR}`,
  `/attempts?call_id=${encodeURIComponent(hostile.callId)}`,
  `/attempts/${hostile.attemptId}`,
]

describe('the pages', () => {
  it.each(EVERY)('%s is sound, whatever came from the wire', async (url) => {
    expectSound(await pageOf(url))
  })

  it('texts from the wire are shown, as text', async () => {
    const page = await pageOf(`/attempts/${hostile.attemptId}`)
    expect(page).toContain('&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;')
    expect(page).toContain('[U+202E]')
    expect(page).toContain('␛[31m␀')
    expect(await pageOf('/')).toContain('Beta &lt;b&gt;Networks&lt;/b&gt;')
  })

  it('the overview shows every carrier with its numbers and their doubt', async () => {
    const page = await pageOf(`/?${HOUR}`)
    expect(page).toContain('demo data')
    expect(page).toContain('Alpha Telecom')
    expect(page).toContain('no traffic')
    expect(page).toContain('95\u202f% Wilson intervals')
    expect(page).toMatch(/30 of 240; 95\u202f% interval 8\.9\u202f% to 17\.3\u202f%/)
    // One attempt of beta: a number with a wide interval, marked; a quantile that says so instead of a number.
    expect(page).toContain('low confidence')
    expect(page).toContain('insufficient data: 1 measurement')
    expect(page).toContain('<svg class="spark"')
  })

  it('says what got worse, and against what', async () => {
    const page = await pageOf(`/?${HOUR}`)
    expect(page).toContain('Got worse')
    expect(page).toMatch(/pre-ring 487 <b>50\.0\u202f%<\/b> <small>from 0\u202f%/)
    expect(page).toContain('last 15 min against its own 45 min before')
  })

  it('a carrier has its definitions, charts, endings and latest attempts', async () => {
    const page = await pageOf(`/carriers/alpha?${HOUR}`)
    expect(page).toContain('metrics.md §4')
    expect(page.match(/<figure class="chart">/g)).toHaveLength(6)
    expect(page).toContain('/attempts?carrier=alpha&amp;disposition=PRE_RING_CANCEL&amp;from=')
    expect(page.match(/href="\/attempts\/[0-9a-f]{32}"/g)).toHaveLength(20)
  })

  it('unknown peers come with lines to copy', async () => {
    expect(await pageOf(`/carriers/unknown?${HOUR}`)).toContain('Unknown peers')
  })

  it('a carrier that nobody knows is 404, as a page', async () => {
    const response = await app.inject({ url: '/carriers/%3Cb%3E' })
    expect(response.statusCode).toBe(404)
    expect(response.headers['content-type']).toContain('text/html')
    expect(response.body).not.toContain('<b>&')
    expectSound(response.body)
  })

  it('a wrong range is a page that says what to write', async () => {
    const response = await app.inject({ url: '/?from=yesterday' })
    expect(response.statusCode).toBe(400)
    expect(response.body).toContain('RFC 3339')
    expect((await app.inject({ url: '/?last=2h' })).body).toContain('15m, 1h, 6h, 24h')
  })

  it('style and script are their own files', async () => {
    const style = await app.inject({ url: '/style.css' })
    expect(style.headers['content-type']).toContain('text/css')
    expect(style.body).toContain('prefers-color-scheme')
    const script = await app.inject({ url: '/page.js' })
    expect(script.headers['content-type']).toContain('text/javascript')
    expect(script.body).not.toContain('innerHTML')
  })

  it('takes few statements', async () => {
    let statements = 0
    const counted = store.engine.readers.map(
      (client) =>
        new Proxy(client, {
          get: (target, name) => {
            if (name === 'query') statements++
            const value = Reflect.get(target, name)
            return typeof value === 'function' ? value.bind(target) : value
          },
        }),
    )
    const other = await store.app({ readers: counted })
    for (const [url, most] of [
      [`/?${HOUR}`, 11],
      [`/carriers/alpha?${HOUR}`, 5],
      [`/attempts/${hostile.attemptId}`, 7],
      [`/attempts?${HOUR}`, 3],
    ] as const) {
      statements = 0
      await pageOf(url, other)
      expect(statements).toBeLessThanOrEqual(most)
    }
    await other.close()
  })
})

describe('before there are calls', () => {
  const nothing = { ...liveStatus(), asOfUs: 0, storedMessages: 0, accepted: [], nowMs: undefined }
  const empty = configSchema.parse({})

  it('says what is known', async () => {
    const other = await store.app({
      config: empty,
      nowMs: () => (NOON_S + 86_400 * 30) * 1_000,
      live: () => ({
        ...nothing,
        lastFrame: { atUs: (NOON_S + 86_400 * 30 - 12) * 1e6, peerAddress: '10.0.0.5' },
        refused: [
          { stage: 'capture', reason: 'key_mismatch', count: 14 },
          { stage: 'decode', reason: 'keepalive', count: 3 },
        ],
      }),
    })
    const page = await pageOf('/', other)
    expectSound(page)
    expect(page).toContain(
      'No calls yet: last HEP 12\u202fs ago from 10.0.0.5, 0 messages decoded and stored, 14 rejected (agent key).',
    )
    expect(page).toContain('modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:9060")')
    expect(page).toContain('heplify -i any -m SIP -hs 127.0.0.1:9060')
    await other.close()
  })

  it('says that nothing arrived, and where to send it', async () => {
    const other = await store.app({
      config: empty,
      nowMs: () => (NOON_S + 86_400 * 30) * 1_000,
      live: () => ({
        ...nothing,
        lastFrame: undefined,
        listening: { hepUdp: '0.0.0.0:9062', hepTcp: '', http: '' },
      }),
    })
    const page = await pageOf('/', other)
    expectSound(page)
    expect(page).toContain('Nothing arrived on the HEP port so far')
    expect(page).toContain('sip:ADDRESS_OF_THIS_HOST:9062')
    await other.close()
  })

  it('with calls stored, but none in the range, points to a longer one', async () => {
    const other = await store.app({ nowMs: () => (NOON_S + 86_400 * 2) * 1_000 })
    const page = await pageOf('/', other)
    expect(page).toContain('No calls in the last hour')
    expect(page).toContain('href="/?last=24h"')
    await other.close()
  })
})
