/**
 * Every page of the route table in a real Chromium, as a reader has it: dark and light, on a desk and on a phone, by
 * keyboard. axe-core looks for what shuts people out; nothing it finds of weight is let through.
 *
 * Pages are found by asking every GET route (samples.ts): one that is added later is looked at without a line here.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { ClickHouseLogLevel, createClient } from '@clickhouse/client'
import type { AxeResults } from 'axe-core'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { App } from '../../api/deps.js'
import type { Attempt } from '../../schemas/attempt.js'
import { configSchema } from '../../schemas/config.js'
import { Chromium, type Look, type Tab } from '../support/chromium.js'
import { needs, programPath } from '../support/outside-programs.js'
import { addressesOf, routesOf, SAMPLES } from './samples.js'
import { attempt, ENDED, endedCall, HOUR, liveStatus, NOON_S, NOON_US, TestStore } from './support.js'

const test = needs('chromium')
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PHONE = 375
const LIMIT_MS = 600_000

const HOSTILE = `"><script>alert('x')</script><img src=x onerror=alert(1)>‮ ${'aVeryLongNameWithoutAnyBreak'.repeat(6)}`
const LEVELS = ['A', 'B', 'C', 'none', 'malformed'] as const
const ENDINGS: Partial<Attempt>[] = [{}, ENDED.busy, ENDED.abandoned, ENDED.preRing, ENDED.congestion]

let store: TestStore
/** By what is wrong with them, or with what they know. */
let apps: Record<'full' | 'empty' | 'held' | 'broken', App>
let urls: Record<keyof typeof apps, string>
let chromium: Chromium
let tab: Tab
let pages: Page[]

interface Page {
  of: keyof typeof apps
  path: string
}

const shown = calls()[0]!

function calls(): Attempt[] {
  const many = Array.from({ length: 260 }, (_, at) => {
    const invitedAtUs = NOON_US + at * 13e6
    return attempt({
      attemptId: `a${at.toString(16).padStart(31, '0')}`,
      callId: `call-${at}@accessible.example`,
      attestation: LEVELS[at % 5]!,
      direction: at % 3 === 0 ? 'inbound' : 'outbound',
      carrier: at % 4 === 0 ? 'beta' : 'alpha',
      ...(at % 2 === 0 ? endedCall(invitedAtUs, (at % 90) * 1_000) : { invitedAtUs }),
      ...ENDINGS[at % 9],
      ...(at % 37 === 1 ? { state: 'open' as const } : {}),
      ...(at % 41 === 1 ? { state: 'incomplete' as const } : {}),
    })
  })
  const hostile = attempt({
    attemptId: `b${'0'.repeat(31)}`,
    callId: HOSTILE,
    finalPhrase: HOSTILE,
    userAgent: HOSTILE,
    callingNumber: HOSTILE,
    calledNumber: HOSTILE,
    requestUri: HOSTILE,
    reasons: [HOSTILE],
    farAddress: HOSTILE,
    agents: [HOSTILE],
    party: 'unknown',
    carrier: 'unknown',
    invitedAtUs: NOON_US + 3_000e6,
  })
  return [...many, hostile]
}

function messagesOf({ callId }: Attempt) {
  const raw = (start: string, cseq = 'INVITE') =>
    `${start}\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: ${Buffer.from(callId, 'utf8').toString('latin1')}\r\nCSeq: 1 ${cseq}\r\n\r\n`
  const at = NOON_US + 3_000e6
  const back = { source: '198.51.100.10', destination: '192.0.2.11' }
  return [
    { callId, capturedAtUs: at, raw: raw('INVITE sip:b@y SIP/2.0') },
    { callId, capturedAtUs: at + 20_000, raw: raw('SIP/2.0 100 Trying'), ...back },
    { callId, capturedAtUs: at + 1_500_000, raw: raw('SIP/2.0 180 Ringing'), ...back },
    { callId, capturedAtUs: at + 2_000_000, raw: raw('SIP/2.0 486 Busy Here'), ...back },
    { callId, capturedAtUs: at + 2_010_000, raw: raw('ACK sip:b@y SIP/2.0', 'ACK') },
  ]
}

async function seedAlert(key: string, state: string, severity: string): Promise<void> {
  const texts = JSON.stringify({
    summary: `${HOSTILE} burns`,
    likely_cause: 'one carrier',
    sample_attempts: shown.attemptId,
  })
  await store.command(
    `INSERT INTO alert_states (alert_key, rule, severity, state, party, carrier, site, labels, annotations, details, transition,
       version, evaluated_at, since_us)
     VALUES ('${key}', 'answers', '${severity}', '${state}', 'carrier', 'alpha', 'dal', '{"carrier":"alpha","alertname":"Answers"}',
       '${texts.replace(/[\\']/g, '\\$&')}', '{"value":0.4}', 1, 1, toDateTime64(${NOON_S}, 6), ${NOON_US})`,
  )
}

beforeAll(async () => {
  const program = programPath('chromium')
  if (program === undefined) return
  store = await TestStore.open()
  const all = calls()
  await store.add([
    ...all,
    // The week before, so that there is something to compare with.
    ...all.slice(0, 120).map((one, at) =>
      attempt({
        ...one,
        attemptId: `c${at.toString(16).padStart(31, '0')}`,
        attestation: 'A',
        endMinuteS: 0,
        minuteS: one.minuteS - 604_800,
        invitedAtUs: one.invitedAtUs - 604_800e6,
      }),
    ),
  ])
  await store.addMessages([...messagesOf(all[0]!), ...messagesOf(all.at(-1)!)])
  await store.addAgentMinute({ minuteS: NOON_S + 3_000 })
  await store.addAgentMinute({
    agent: HOSTILE,
    peerAddress: HOSTILE,
    minuteS: NOON_S + 3_000,
    identitySeen: 12,
  })
  await seedAlert('alert-of-alpha', 'firing', 'page')
  await seedAlert('alert', 'resolved', 'ticket')
  const refused = [{ stage: 'capture' as const, reason: 'key_mismatch' as const, count: 14 }]
  const nothing = liveStatus({ storedMessages: 0, asOfUs: 0, lastFrame: undefined, accepted: [] })
  apps = {
    full: await store.app({ demo: true, live: () => liveStatus({ refused, kernelDrops: 3 }) }),
    empty: await store.app({
      config: configSchema.parse({}),
      live: () => nothing,
      nowMs: () => (NOON_S - 40 * 86_400) * 1_000,
    }),
    held: await store.app({
      tokens: () => [{ id: 'a', sha256: TOKEN_SHA256, role: 'viewer', carriers: ['alpha'] }],
    }),
    // A store that does not answer: nobody listens there.
    broken: await store.app({
      readers: [createClient({ url: 'http://127.0.0.1:9', log: { level: ClickHouseLogLevel.OFF } })],
    }),
  }
  urls = {} as typeof urls
  for (const [name, app] of Object.entries(apps)) {
    urls[name as keyof typeof apps] = await app.listen({ host: '127.0.0.1', port: 0 })
  }
  pages = await everyPage()
  chromium = await Chromium.start(program)
  tab = await chromium.open()
}, 120_000)

afterAll(async () => {
  if (chromium === undefined) return
  await chromium.close()
  for (const app of Object.values(apps)) await app.close()
  await store.close()
})

/** SHA-256 of "a". */
const TOKEN_SHA256 = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'
const HEADERS = { authorization: 'Bearer a' }

async function everyPage(): Promise<Page[]> {
  const found: Page[] = []
  const errors = new Set<number>()
  for (const route of routesOf(apps.full).filter((name) => name.startsWith('GET /'))) {
    for (const path of addressesOf(route, SAMPLES[route] ?? { role: undefined }, shown.attemptId)) {
      const { statusCode, headers } = await apps.full.inject({ url: path })
      if (!String(headers['content-type']).startsWith('text/html')) continue
      // One page of each error: they are all built alike.
      if (statusCode >= 400 && errors.has(statusCode)) continue
      if (statusCode >= 400) errors.add(statusCode)
      found.push({ of: 'full', path })
    }
  }
  const also = (of: Page['of'], paths: readonly string[]) => paths.map((path) => ({ of, path }))
  return [
    ...found,
    ...also('full', [`/attempts/b${'0'.repeat(31)}`, `/carriers/silent?${HOUR}`]),
    ...also('empty', [
      '/',
      '/attempts',
      '/attestation',
      '/slos',
      '/alerts',
      '/tap',
      '/scorecards',
      '/v1/scorecards?format=html',
    ]),
    ...also('held', ['/', '/tap', `/attempts?${HOUR}`, `/attempts/${shown.attemptId}`]),
    ...also('broken', ['/']),
  ]
}

async function visit({ of, path }: Page, look: Partial<Look> = {}): Promise<void> {
  await tab.send('Network.setExtraHTTPHeaders', { headers: of === 'held' ? HEADERS : {} })
  await tab.look({ width: 1_280, height: 900, theme: 'light', ...look })
  await tab.visit(urls[of] + path)
}

/** What axe finds, a line each; nothing of `minor` weight. */
async function violations(rules?: readonly string[]): Promise<string[]> {
  const only = rules === undefined ? '' : `, runOnly: ${JSON.stringify(rules)}`
  await tab.evaluate(`${AXE}; 0`)
  const { violations: found } = await tab.evaluate<AxeResults>(
    `axe.run(document, { resultTypes: ['violations']${only} })`,
  )
  return found
    .filter(({ impact }) => impact !== 'minor')
    .flatMap(({ id, impact, nodes }) =>
      nodes
        .slice(0, 5)
        .map(({ html, failureSummary }) => `${impact} ${id}: ${html.slice(0, 200)} ${failureSummary}`),
    )
}

/** What was found on all pages, by kind; a line each. */
const found: Record<'axe' | 'contrast' | 'width' | 'policy' | 'structure', string[]> = {
  axe: [],
  contrast: [],
  width: [],
  policy: [],
  structure: [],
}

/** One visit, four looks: a theme and a width are only another way to see the same page. */
async function lookAt(page: Page): Promise<void> {
  const note = (kind: keyof typeof found, lines: readonly string[]) =>
    found[kind].push(...lines.map((line) => `${page.of} ${page.path}: ${line}`))
  await visit(page)
  note('structure', await structureOf())
  for (const { rules, ...look } of LOOKS) {
    await tab.look({ height: 900, ...look })
    const width = await tab.evaluate<number>('document.documentElement.scrollWidth')
    if (width > look.width) note('width', [`${width} of ${look.width} px`])
    note(
      rules === undefined ? 'axe' : 'contrast',
      (await violations(rules)).map((line) => `${look.theme} ${look.width} px: ${line}`),
    )
  }
  if (page.path.includes('format=html')) {
    await tab.look({ width: 760, height: 900, theme: 'dark', print: true })
    note('contrast', await violations(CONTRAST))
  }
  note('policy', tab.complaints)
}

const CONTRAST = ['color-contrast'] as const
const LOOKS = [
  { width: 1_280, theme: 'light', rules: undefined },
  { width: PHONE, theme: 'dark', rules: undefined },
  { width: 1_280, theme: 'dark', rules: CONTRAST },
  { width: PHONE, theme: 'light', rules: CONTRAST },
] as const

/** What axe has no rule for, or only one of little weight. */
async function structureOf(): Promise<string[]> {
  return await tab.evaluate<string[]>(`(() => {
    const all = (selector) => [...document.querySelectorAll(selector)]
    const levels = all('h1,h2,h3,h4').map((heading) => Number(heading.tagName[1]))
    const wrong = {
      'one main': all('main').length !== 1,
      'one h1, the first heading': all('h1').length !== 1 || levels[0] !== 1,
      'headings in order': levels.some((level, at) => level > (levels[at - 1] ?? 0) + 1),
      'a caption on each table': all('table').some((table) => (table.caption?.textContent ?? '') === ''),
      'a scope on each th': all('th:not([scope])').length > 0,
      'boxes that scroll by keyboard, with a label': all('.scroll').some((box) => box.tabIndex !== 0 || !box.ariaLabel),
      'drawings with words': all('svg:not([aria-hidden])').some((svg) => svg.getAttribute('role') !== 'img' || !svg.getAttribute('aria-label')),
      'times that a program can read': all('time').some((time) => Number.isNaN(Date.parse(time.dateTime))),
    }
    return Object.keys(wrong).filter((what) => wrong[what])
  })()`)
}

describe('every page', () => {
  beforeAll(async () => {
    if (chromium === undefined) return
    for (const page of pages) await lookAt(page)
  }, LIMIT_MS)

  test('has nothing that axe finds of weight, dark and light, on a desk and on a phone', () => {
    expect(pages.length).toBeGreaterThan(25)
    expect(found.axe).toEqual([])
  })

  test('has enough contrast in each of them, and on paper', () => {
    expect(found.contrast).toEqual([])
  })

  test('never scrolls sideways', () => {
    expect(found.width).toEqual([])
  })

  test('breaks no policy of its own', () => {
    expect(found.policy).toEqual([])
  })

  test('has a landmark for its content, headings in order, tables with caption and scope, drawings with words', () => {
    expect(found.structure).toEqual([])
  })
})

const REACHABLE = `[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]')]
  .filter((element) => element.checkVisibility() && element.tabIndex >= 0)`

describe('by keyboard', () => {
  test(
    'Tab reaches everything in the order of reading, the way past the navigation first, and shows where it is',
    async () => {
      for (const path of [
        `/?${HOUR}`,
        `/attempts?${HOUR}`,
        `/attempts/${shown.attemptId}`,
        `/attestation?${HOUR}`,
        '/tap',
        '/slos',
      ]) {
        for (const width of [1_280, PHONE]) {
          await visit({ of: 'full', path }, { width })
          const all = await tab.evaluate<number>(
            `${REACHABLE}.forEach((element, at) => (element.dataset.at = at)); ${REACHABLE}.length`,
          )
          const order: (string | undefined)[] = []
          const faint: string[] = []
          for (let at = 0; at < all + 40 && order.filter((one) => one !== undefined).length < all; at++) {
            await tab.press('Tab')
            const focused = await tab.evaluate<{
              at?: string
              text: string
              outline: string
              shown: boolean
            }>(`(() => {
              const element = document.activeElement
              const style = getComputedStyle(element)
              const box = element.getBoundingClientRect()
              return { at: element.dataset.at, text: element.outerHTML.slice(0, 120), outline: style.outlineStyle === 'none' ? '' : style.outlineWidth,
                shown: box.bottom > 0 && box.top < innerHeight }
            })()`)
            order.push(focused.at)
            if (at === 0) expect(focused.text).toContain('class="skip"')
            if (
              focused.at !== undefined &&
              (focused.outline === '' || focused.outline === '0px' || !focused.shown)
            )
              faint.push(focused.text)
          }
          expect([path, width, faint]).toEqual([path, width, []])
          expect(order.filter((one) => one !== undefined)).toEqual(
            Array.from({ length: all }, (_, at) => String(at)),
          )
        }
      }
    },
    LIMIT_MS,
  )

  test('the first link leads past the navigation, and details open with Enter', async () => {
    await visit({ of: 'full', path: `/carriers/alpha?${HOUR}&peers=true` })
    await tab.press('Tab')
    await tab.press('Enter')
    expect(await tab.evaluate('document.activeElement.id')).toBe('content')
    await tab.evaluate(`document.querySelector('summary').focus()`)
    await tab.press('Enter')
    expect(await tab.evaluate(`document.querySelector('details').open`)).toBe(true)
  })

  test('the navigation says where one is, on a page and below it', async () => {
    const current = `[...document.querySelectorAll('.pages [aria-current]')].map((link) => link.getAttribute('href') + ' ' + link.ariaCurrent)`
    await visit({ of: 'full', path: '/attempts' })
    expect(await tab.evaluate(current)).toEqual(['/attempts page'])
    await visit({ of: 'full', path: `/attempts/${shown.attemptId}` })
    expect(await tab.evaluate(current)).toEqual(['/attempts true'])
    await visit({ of: 'full', path: '/carriers/alpha?last=6h' })
    expect(await tab.evaluate(current)).toEqual(['/?last=6h true'])
  })
})

describe('the page that refreshes itself', () => {
  /** The script as it is; only its clock is ours. */
  async function visitLive(): Promise<void> {
    const { identifier } = await tab.send('Page.addScriptToEvaluateOnNewDocument', {
      source: 'setInterval = (run) => { window.refreshNow = run }',
    })
    await visit({ of: 'full', path: '/' })
    await tab.send('Page.removeScriptToEvaluateOnNewDocument', { identifier })
    await tab.evaluate(`document.querySelector('main').children[1].append('old'); 0`)
  }
  const isOld = () =>
    tab.evaluate<boolean>(`document.querySelector('main').children[1].textContent.endsWith('old')`)

  test('brings what changed, and stays where it is', async () => {
    await visitLive()
    await tab.evaluate('scrollTo(0, 300); 0')
    await tab.evaluate(`document.querySelector('.pages a').focus({ preventScroll: true }); 0`)
    const before = await tab.evaluate<number>(`document.querySelector('table').getBoundingClientRect().top`)
    await tab.evaluate('refreshNow()')
    expect(await isOld()).toBe(false)
    const after = await tab.evaluate<number>(`document.querySelector('table').getBoundingClientRect().top`)
    expect(Math.abs(after - before)).toBeLessThan(1)
    expect(await tab.evaluate(`document.activeElement.closest('nav').className`)).toBe('pages')
    expect(tab.complaints).toEqual([])
  })

  test('waits while something in it has the focus, is open or is selected, and stops when told', async () => {
    await visitLive()
    for (const [begin, end] of [
      [`document.querySelector('main a').focus()`, 'document.activeElement.blur()'],
      [
        `getSelection().selectAllChildren(document.querySelector('main h2'))`,
        'getSelection().removeAllRanges()',
      ],
      [`document.querySelector('.pause').click()`, ''],
    ] as const) {
      await tab.evaluate(`${begin}; 0`)
      await tab.evaluate('refreshNow()')
      expect([begin, await isOld()]).toEqual([begin, true])
      await tab.evaluate(`${end}; 0`)
    }
    expect(await tab.evaluate(`document.querySelector('.pause').textContent`)).toBe('Refresh again')
  })
})

test('fields say what they are for, and an error names its field in words', async () => {
  await visit({ of: 'full', path: '/attempts' })
  expect(
    await tab.evaluate(
      `[...document.querySelectorAll('input:not([type=hidden]), select')].filter((field) => field.labels.length !== 1).length`,
    ),
  ).toBe(0)
  await visit({ of: 'full', path: '/attempts?final_code=abc' })
  expect(await tab.evaluate(`document.querySelector('main').textContent`)).toContain('final_code=abc')
})
