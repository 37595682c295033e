/**
 * Hostile calls through the real store, then every question of samples.ts, in every format, as every role (issue 6, "What it
 * must show" 4). Everything that comes from SIP and HEP carries something: markup, formulas of spreadsheets, line ends for
 * headers and logs, commands of terminals, names of files.
 */
import { createHash } from 'node:crypto'
import { Writable } from 'node:stream'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NumberDigests } from '../../api/audit/number-digests.js'
import { AuditTrail } from '../../api/audit/trail.js'
import type { App } from '../../api/deps.js'
import { configSchema } from '../../schemas/config.js'
import type { Token } from '../../schemas/tokens.js'
import { framesOfCall, type SipCall, storeFrames } from '../support/sip-calls.js'
import { addressesOf, routesOf, SAMPLES, unfolded } from './samples.js'
import { NOON_S, NOON_US, TestStore } from './support.js'

const NUMBER = '+12155550177'
const OTHERS_NUMBER = '+496995550211'
/** Stands in every text of the other carrier's calls. */
const OTHERS_MARK = 'zetamark'

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' autofocus onfocus=alert(1) x='",
  '</title></svg><iframe src=//evil.example>',
  'javascript:alert(1)',
  '=cmd|"/c calc"!A1',
  '@SUM(1+1)*cmd',
  '+1-2',
  '-2+3+cmd',
  '\t=1+1',
  '%0d%0aSet-Cookie: evil=1',
  '\x1b[31m\x1b]0;title\x07',
  'nul\x00and\x08bs',
  Buffer.from('bidi\u202egnp.exe', 'utf8').toString('latin1'),
  'latin\xff\xfe\xc3',
  '../../../etc/passwd',
  '..\\..\\boot.ini"; filename="x.exe',
  `${'long'.repeat(400)}`,
  '{{7*7}}$\u007b7*7}<!--',
  ']]><![CDATA[',
]

const call = (at: number, evil: string, changes: Partial<SipCall> = {}): SipCall => {
  const quoted = evil.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  const id = `${at}-${evil}@x`.replaceAll(/[\s\x00]/g, '_').slice(0, 200)
  return {
    callId: id,
    startUs: NOON_US + at * 30e6,
    called: NUMBER,
    calling: NUMBER,
    from: `"${quoted}" <sip:${NUMBER}@sbc.example>`,
    to: `"${quoted}" <sip:${encodeURIComponent(Buffer.from(evil, 'latin1').toString('latin1').slice(0, 60))}@carrier.example>`,
    requestUri: `sip:${NUMBER};x=${evil.replaceAll(/[\s\x00-\x20]/g, '_').slice(0, 100)}@198.51.100.10`,
    fromTag: `t${at}${evil.replaceAll(/[\s;,"<>\x00-\x20]/g, '_').slice(0, 40)}`,
    userAgent: evil,
    reason: `SIP;cause=486;text="${quoted}", ${evil.slice(0, 100)}`,
    phrase: evil,
    final: at % 2 === 0 ? 486 : 200,
    more: [
      `Identity: ${evil};info=<https://evil.example/${evil}>;ppt="${quoted}"`,
      `P-Asserted-Identity: "${quoted}" <tel:${NUMBER}>`,
      `Subject: ${evil}`,
      `Contact: <sip:${evil}@x>`,
    ],
    sdp: `v=0\r\no=${evil} 1 1 IN IP4 192.0.2.1\r\ns=${evil}\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 ${evil}\r\na=rtpmap:0 ${evil}/8000\r\n`,
    agentName: evil.slice(0, 100),
    correlationId: evil,
    ...changes,
  }
}

const CONFIG = configSchema.parse({
  sites: [{ id: 'dal', sbc: ['192.0.2.11/32'], agents: [2001] }],
  carriers: [
    { id: 'alpha', name: 'Alpha', peers: ['198.51.100.10/32'] },
    { id: 'beta', name: `Beta ${OTHERS_MARK}`, peers: ['198.51.100.20/32'] },
  ],
  slos: [{ id: 'carrier-availability', objective: 0.995, each: 'carrier' }],
})
const CALLS = HOSTILE.map((evil, at) => call(at, evil))
const OTHERS = HOSTILE.map((evil, at) =>
  call(at, `${OTHERS_MARK}${evil}`, {
    called: OTHERS_NUMBER,
    calling: OTHERS_NUMBER,
    requestUri: `sip:${OTHERS_NUMBER}@198.51.100.20`,
    destination: '198.51.100.20',
    agentName: '',
    correlationId: '',
  }),
)

/** An admin sees what an investigator does (seen.test.ts); one finds the attempts to ask for. */
const WHO = ['all-viewer', 'all-investigator', 'alpha-viewer', 'alpha-investigator']
const ADMIN = 'all-admin'
const tokens: Token[] = [...WHO, ADMIN].map((id) => ({
  id,
  sha256: createHash('sha256').update(`secret-of-${id}`).digest('hex'),
  role: id.split('-')[1] as Token['role'],
  ...(id.startsWith('alpha') ? { carriers: ['alpha'] } : {}),
}))

interface Answer {
  question: string
  status: number
  type: string
  headers: Record<string, unknown>
  body: string
}

let store: TestStore
let app: App
const logged: string[] = []
const stored: string[] = []
const answers = new Map<string, Answer[]>()

async function ask(who: string, method: string, url: string, form?: string): Promise<Answer> {
  const response = await app.inject({
    method: method as 'GET',
    url,
    headers: {
      authorization: `Bearer secret-of-${who}`,
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(form === undefined ? {} : { payload: form }),
  })
  return {
    question: `${who} ${method} ${url}`,
    status: response.statusCode,
    type: String(response.headers['content-type'] ?? ''),
    headers: response.headers,
    body: response.rawPayload.toString('latin1'),
  }
}

/** Each question once; those about an attempt for each hostile one. */
async function askAll(who: string, ids: readonly string[]): Promise<Answer[]> {
  const all: Answer[] = []
  for (const route of routesOf(app)) {
    const sample = SAMPLES[route]
    if (sample === undefined) continue
    // What differs by role differs in every attempt alike.
    const about = who === 'all-investigator' && route.includes('/attempts/:id') ? ids : ids.slice(0, 1)
    // What is not about calls is asked by who sees most and by who sees least; seen.test.ts asks it as everybody.
    const isAboutCalls = /\/attempts|\/carriers\/:id|\/v1\/(audit|refused)|\/audit/.test(route)
    if (!isAboutCalls && who !== 'all-investigator' && who !== 'alpha-viewer') continue
    const urls = new Set(about.flatMap((id) => addressesOf(route, sample, id)))
    for (const url of urls) all.push(await ask(who, route.split(' ')[0]!, url, sample.form))
  }
  return all
}

beforeAll(async () => {
  store = await TestStore.open()
  await storeFrames(store.engine, [...CALLS, ...OTHERS].flatMap(framesOfCall), CONFIG, (_, sentence) =>
    stored.push(sentence),
  )
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      logged.push(String(chunk))
      done()
    },
  })
  app = await store.app({
    config: CONFIG,
    tokens: () => tokens,
    audit: new AuditTrail({ client: store.engine.writer, digests: new NumberDigests(['k'.repeat(64)]) }),
    log: { level: 'trace', stream },
    nowMs: () => (NOON_S + 3_600) * 1_000 - 20_000,
  })
  const found = await ask(
    ADMIN,
    'GET',
    '/v1/attempts?from=2026-11-20T12:00:00Z&to=2026-11-20T13:00:00Z&carrier=alpha&limit=500',
  )
  const ids = (JSON.parse(found.body) as { attempts: { attempt_id: string }[] }).attempts.map(
    (one) => one.attempt_id,
  )
  expect(ids.length).toBeGreaterThan(HOSTILE.length - 4)
  for (const who of WHO) answers.set(who, await askAll(who, ids))
}, 300_000)
afterAll(async () => {
  await app.close()
  await store.close()
})

const every = () => [...answers.values()].flat()
const ofType = (part: RegExp) => every().filter(({ type }) => part.test(type))
/** The first few that fail, with the place. */
const failing = (found: readonly Answer[], wrong: (answer: Answer) => string | undefined) =>
  found
    .flatMap((answer) => {
      const why = wrong(answer)
      return why === undefined ? [] : [`${answer.question}: ${why}`]
    })
    .slice(0, 5)

const TAG =
  /<(?:!doctype html|\/[a-z][a-z0-9]*\s*|[a-z][a-z0-9]*(?:\s+[a-z][a-z0-9:-]*(?:="[^"<]*")?)*\s*\/?)>/giy
const TAGS_NOT_OURS =
  /^<\/?(iframe|object|embed|base|img|foreignobject|animate|set|use|image|link(?! )|meta(?! ))/i

/** Walks the markup: what is no text must be a whole tag with quoted attributes, and none that runs anything. */
function wrongMarkup(body: string): string | undefined {
  const plain = body.replace(/<style>[^<]*<\/style>/g, '')
  for (let at = plain.indexOf('<'); at >= 0; at = plain.indexOf('<', TAG.lastIndex)) {
    TAG.lastIndex = at
    const tag = TAG.exec(plain)?.[0]
    const here = plain.slice(at, at + 80)
    if (tag === undefined) return `no tag of ours: ${here}`
    if (TAGS_NOT_OURS.test(tag)) return `a tag that is none of ours: ${here}`
    if (/^<script/i.test(tag) && tag !== '<script src="/page.js" defer>') return `a script: ${here}`
    if (/\son[a-z]+=/i.test(tag)) return `a handler: ${here}`
    if (/\s(?:href|src|action|xlink:href)="\s*(?:javascript|vbscript|data:text)/i.test(tag))
      return `runs: ${here}`
    TAG.lastIndex = at + tag.length
  }
  return undefined
}

describe('what comes from SIP', () => {
  it('was stored and is asked for in every format', () => {
    const types = new Set(
      every()
        .filter(({ status }) => status === 200)
        .map(({ type }) => type.split(';')[0]),
    )
    for (const type of [
      'text/html',
      'image/svg+xml',
      'application/json',
      'text/csv',
      'text/plain',
      'application/vnd.tcpdump.pcap',
    ])
      expect([...types]).toContain(type)
    expect(
      failing(every(), ({ status }) => (status >= 500 && status !== 501 ? String(status) : undefined)),
    ).toEqual([])
  })

  it('is there: nothing below is true because nothing was answered', () => {
    const text = (who: string, part: RegExp) =>
      answers
        .get(who)!
        .filter(({ type }) => part.test(type))
        .map(({ body }) => body)
        .join('\n')
    expect(text('all-investigator', /html/)).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(text('all-viewer', /html/)).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(text('all-investigator', /svg/)).toMatch(/&lt;|script/)
    expect(text('all-investigator', /json/)).toContain('<script>alert(1)</script>')
    expect(text('all-investigator', /pcap/)).toContain('\x1b[31m')
    expect(text('all-investigator', /text\/plain/)).toContain('\\x1b[31m')
    expect(text('all-investigator', /json|html/)).toContain(OTHERS_MARK)
    expect(text('all-investigator', /json/)).toContain(NUMBER)
  })

  it('never becomes markup in a page or a drawing', () => {
    expect(wrongMarkup('<p>a</p><script>x</script>')).toMatch(/a script/)
    expect(wrongMarkup('<a href="javascript:x">')).toMatch(/runs/)
    expect(wrongMarkup('<b title=x>')).toMatch(/no tag/)
    const pages = ofType(/html|svg/)
    expect(pages.length).toBeGreaterThan(100)
    expect(failing(pages, ({ body }) => wrongMarkup(body))).toEqual([])
  })

  it('puts no control characters and no turned text into what a person reads', () => {
    const read = ofType(/html|svg|csv|text\/plain/).filter(({ question }) => !question.includes('/metrics'))
    expect(
      failing(read, ({ body, type }) => {
        const text = Buffer.from(body, 'latin1').toString('utf8')
        const found = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\u202a-\u202e\u2066-\u2069]/.exec(text)
        return found === null
          ? undefined
          : `${type} at ${JSON.stringify(text.slice(Math.max(0, found.index - 30), found.index + 10))}`
      }),
    ).toEqual([])
  })

  it('begins no formula in a cell of a CSV', () => {
    const tables = ofType(/csv/).filter(({ status }) => status === 200)
    expect(tables.length).toBeGreaterThan(0)
    expect(
      failing(tables, ({ body }) => {
        const cells = (parse(body, { relax_column_count: true, bom: true }) as string[][]).flat()
        return cells.find((cell) => /^[=+\-@\t\r]/.test(cell) && !/^-?\d+(\.\d+)?(e-?\d+)?$/.test(cell))
      }),
    ).toEqual([])
  })

  it('stands in no header: names of files are letters and digits, values are one line of ASCII', () => {
    expect(
      failing(every(), ({ headers }) => {
        for (const [name, value] of Object.entries(headers)) {
          const text = String(value)
          if (!/^[a-z0-9-]+$/.test(name) || !/^[\x20-\x7e]*$/.test(text))
            return `${name}: ${JSON.stringify(text)}`
          if (/evil|zetamark|set-cookie/i.test(`${name}${text}`)) return `${name}: ${text}`
          if (
            name === 'content-disposition' &&
            !/^(attachment|inline); filename="[A-Za-z0-9][A-Za-z0-9._-]*"$/.test(text)
          )
            return `${name}: ${text}`
        }
        return undefined
      }),
    ).toEqual([])
  })

  it('is JSON where JSON is said', () => {
    expect(
      failing(ofType(/json/), ({ body }) => {
        try {
          JSON.parse(body)
          return undefined
        } catch {
          return body.slice(0, 80)
        }
      }),
    ).toEqual([])
  })
})

describe('who may not', () => {
  it.each(['all-viewer', 'alpha-viewer'])('%s gets no number in any format, however it is written', (who) => {
    const digits = [NUMBER, OTHERS_NUMBER].map((number) => number.slice(-9))
    expect(
      failing(answers.get(who)!, ({ body, headers }) => {
        const text = unfolded(`${body}\n${JSON.stringify(headers)}`)
        const plain = text.replace(/[\s().+/_-]|%2[0-9A-Fa-f]/g, '')
        return digits.find((one) => text.includes(one) || plain.includes(one))
      }),
    ).toEqual([])
  })

  it.each(['alpha-viewer', 'alpha-investigator'])(
    '%s gets nothing of another carrier in any format',
    (who) => {
      expect(
        failing(
          answers.get(who)!,
          ({ body, headers }) =>
            new RegExp(`${OTHERS_MARK}|198\\.51\\.100\\.20|beta|6995550211`, 'i').exec(
              unfolded(`${body}\n${JSON.stringify(headers)}`),
            )?.[0],
        ),
      ).toEqual([])
    },
  )
})

describe('logs', () => {
  it('at every level a line is one line of JSON, without a number, a token or a text from the wire', () => {
    expect(logged.length).toBeGreaterThan(every().length)
    const wrong = logged.filter((line) => {
      JSON.parse(line)
      return (
        line.indexOf('\n') !== line.length - 1 ||
        /[\x00-\x09\x0b-\x1f\x7f]/.test(line) ||
        /5550177|5550211|5550100|secret|evil|zetamark|authorization|<script/i.test(unfolded(line))
      )
    })
    expect(wrong.slice(0, 3)).toEqual([])
  })

  it('of an error that quotes a statement only the masked text is written', async () => {
    const before = logged.length
    app.log.error({ err: new Error(`near '${NUMBER}': sip:alice@example.com\r\n\x1b[31m`) }, 'failed')
    const line = logged.slice(before).join('')
    expect(line).not.toMatch(/5550177|alice|\x1b|\r/)
    expect(line.trimEnd()).not.toContain('\n')
  })

  it('the store says nothing about a call', () => {
    expect(stored.filter((sentence) => /555|evil|script|zetamark/.test(sentence))).toEqual([])
  })
})
