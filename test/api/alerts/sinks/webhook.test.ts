import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { cutText, type SlackSink, type StandardSink } from '../../../../api/alerts/sinks/sink.js'
import { slackRequest, webhookRequest } from '../../../../api/alerts/sinks/webhook.js'
import { notice, noticeOf } from '../notice.js'

const OLD = Buffer.alloc(32, 1)
const NEW = Buffer.alloc(24, 2)
const sink = (...signingKeys: Buffer[]): StandardSink => ({
  id: 'hook',
  type: 'webhook',
  template: 'standard',
  allowPrivate: false,
  url: 'https://hooks.example/x',
  urlFile: undefined,
  secretFile: '',
  signingKeys,
  repeatIntervalHours: 4,
})
const verifierOf = (key: Buffer) => new Webhook(`whsec_${key.toString('base64')}`)
const SLACK: SlackSink = {
  id: 'slack',
  type: 'webhook',
  template: 'slack',
  allowPrivate: false,
  url: 'https://hooks.slack.example/x',
  urlFile: undefined,
  secretFile: undefined,
  repeatIntervalHours: 4,
}
const slackText = (...notices: Parameters<typeof slackRequest>[1]) =>
  (JSON.parse(slackRequest(SLACK, notices).body) as { text: string }).text

describe('a standard webhook', () => {
  test('is verified by the package of Standard Webhooks, whatever it says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat({ max: 9_999 }), (summary, transition) => {
        const { body, headers } = webhookRequest(
          sink(OLD),
          notice({ annotations: { summary }, transition }),
          Date.now(),
        )
        expect(verifierOf(OLD).verify(body, { ...headers })).toBeTruthy()
        expect(headers['webhook-id']).toBe(`${notice().key}.${transition}`)
      }),
    )
  })

  test('while the secret is changed it is verified with the new one and with the old one, and with no other', () => {
    const { body, headers } = webhookRequest(sink(NEW, OLD), notice(), Date.now())
    expect(headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/)
    expect(verifierOf(NEW).verify(body, { ...headers })).toBeTruthy()
    expect(verifierOf(OLD).verify(body, { ...headers })).toBeTruthy()
    expect(() => verifierOf(Buffer.alloc(32, 3)).verify(body, { ...headers })).toThrow()
    expect(() => verifierOf(OLD).verify(`${body} `, { ...headers })).toThrow()
  })

  test('a try later has the same id and body, and a timestamp and signature of its own', () => {
    const first = webhookRequest(sink(OLD), notice(), 1_795_168_930_000)
    const later = webhookRequest(sink(OLD), notice(), 1_795_168_990_000)
    expect(later.body).toBe(first.body)
    expect(later.headers['webhook-id']).toBe(first.headers['webhook-id'])
    expect(later.headers['webhook-timestamp']).toBe('1795168990')
    expect(later.headers['webhook-signature']).not.toBe(first.headers['webhook-signature'])
  })

  test('one that came late is refused by the receiver after five minutes', () => {
    const { body, headers } = webhookRequest(sink(OLD), notice(), Date.now() - 301_000)
    expect(() => verifierOf(OLD).verify(body, { ...headers })).toThrow('too old')
  })
})

describe('the words of Slack', () => {
  test('state, numbers, cause, links', () => {
    expect(slackText(notice())).toBe(
      '*FIRING page* alpha dal: burn 20, 20 of 1,000 bad in 1 h (99.5 % promised)\n' +
        'alpha only: the other carriers of dal are fine\n' +
        '<https://trunkscope.example/attempts?carrier=alpha|attempts> · <https://runbooks.example/CarrierBurnFast.md#first-look|runbook>',
    )
    expect(slackText(notice({ status: 'resolved' }))).toContain('*resolved* alpha dal')
  })

  test('text from the wire makes no link, calls nobody, and stays on its line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (wire) => {
        const summary = `<!channel>\n<https://evil.example|x>${wire}`
        const text = slackText(notice({ annotations: { summary } }))
        expect(text).not.toMatch(/[<>\n]/)
      }),
    )
  })

  test('many alerts of a carrier make one message that Slack does not cut', () => {
    const many = Array.from({ length: 60 }, (_, index) => noticeOf(`carrier-${index}`))
    const text = slackText(...many)
    expect(text.length).toBeLessThan(5_000)
    expect(text).toMatch(/… and \d+ more$/)
  })
})

test('a text is cut between characters', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.integer({ min: 1, max: 20 }),
      (text, max) => {
        const cut = cutText(text, max)
        expect(cut.length).toBeLessThanOrEqual(max)
        expect(cut).not.toMatch(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])/)
      },
    ),
  )
})
