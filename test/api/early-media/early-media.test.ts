/** The routes over a real store: every number against a count by hand of the same attempts. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../api/deps.js'
import type { EarlyMediaAnswer } from '../../../api/early-media/early-media.js'
import type { FasAnswer } from '../../../api/early-media/fas.js'
import { fasScores, type PrefixAnswers } from '../../../api/early-media/fas-score.js'
import type { Suspicions } from '../../../api/early-media/suspicions.js'
import { SeededRandom } from '../../../bin/demo/seeded-random.js'
import { recordAnomalies } from '../../../evidence/early-media/record-rules.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { judgeStored } from '../../support/kpi-evidence.js'
import { attempt, CONFIG, ENDED, get, HOUR, NOON_US, TestStore } from '../support.js'

const token = (id: string, carriers?: string[]) => ({
  id,
  sha256: createHash('sha256').update(id).digest('hex'),
  role: 'viewer' as const,
  ...(carriers === undefined ? {} : { carriers }),
})

let store: TestStore
let app: App
let held: App
let rows: Attempt[]

/** An hour of two carriers on two prefixes; beta on +1215 answers like a machine. */
function traffic(): Attempt[] {
  const random = new SeededRandom('early media')
  return Array.from({ length: 900 }, (_, at): Attempt => {
    const invitedAtUs = NOON_US + at * 4_000_000 - (at >= 880 ? 20 * 86_400e6 : 0)
    const carrier = at % 2 === 0 ? 'alpha' : 'beta'
    const calledNumber = `${at % 4 < 2 ? '+1215555' : '+1303555'}${String(at % 10_000).padStart(4, '0')}`
    const isMachine = carrier === 'beta' && calledNumber.startsWith('+1215')
    const more = { carrier, calledNumber, dialledNumber: calledNumber, invitedAtUs }
    if (!isMachine && random.fraction() < 0.4) {
      const sdp = random.fraction() < 0.5 ? invitedAtUs + 500_000 : 0
      return attempt({ ...ENDED.busy, ...more, firstSdp18xAtUs: sdp, finalAtUs: invitedAtUs + 4e6 })
    }
    const rings = random.fraction() < 0.7
    const answerMs = isMachine ? 1_200 + random.fraction() * 10 : 1_000 + random.fraction() * 20_000
    const answeredAtUs = invitedAtUs + Math.round(answerMs * 1_000)
    const durationMs = isMachine ? 3_000 : Math.round(random.fraction() * 100_000)
    const hasSdp = rings && random.fraction() < 0.5
    return attempt({
      ...more,
      rang: rings,
      first18xAtUs: rings ? invitedAtUs + 400_000 : 0,
      first180AtUs: rings && !hasSdp ? invitedAtUs + 400_000 : 0,
      firstSdp18xAtUs: hasSdp ? invitedAtUs + 400_000 : 0,
      pddMs: rings ? 400 : answerMs,
      answeredAtUs,
      finalAtUs: answeredAtUs,
      byeAtUs: answeredAtUs + durationMs * 1_000,
      durationMs,
      byeFrom: isMachine || random.fraction() < 0.5 ? 'caller' : 'callee',
      cancelClass: at % 97 === 0 ? 'CANCEL_RACE_200' : '',
    })
  })
}

beforeAll(async () => {
  store = await TestStore.open()
  rows = traffic()
  await store.add(rows)
  await judgeStored(store.engine.writer, CONFIG)
  // Came after the pass looked.
  await store.add([attempt({ invitedAtUs: NOON_US + 3_590e6 - 86_400e6 })])
  app = await store.app()
  held = await store.app({ tokens: () => [token('all'), token('of-alpha', ['alpha'])] })
}, 120_000)
afterAll(async () => {
  await app.close()
  await held.close()
  await store.close()
})

const isNow = ({ invitedAtUs }: Attempt) => invitedAtUs >= NOON_US && invitedAtUs < NOON_US + 3_600e6
const ask = async <Body>(url: string, id?: string): Promise<Body> => {
  if (id === undefined) {
    const { status, body } = await get<Body>(app, url)
    expect(status, JSON.stringify(body)).toBe(200)
    return body
  }
  const response = await held.inject({ url, headers: { authorization: `Bearer ${id}` } })
  expect(response.statusCode, response.body).toBe(200)
  return response.json() as Body
}
const codesOf = (one: Attempt) => recordAnomalies(one, CONFIG.thresholds).map(({ code }) => code as string)

describe('/v1/early-media', () => {
  test('counts each code over the attempts that it could have been about, as a count by hand does', async () => {
    const { groups, attempts, not_looked_at } = await ask<EarlyMediaAnswer>(`/v1/early-media?${HOUR}`)
    expect({ attempts, not_looked_at }).toEqual({ attempts: rows.filter(isNow).length, not_looked_at: 0 })
    const bases: Record<string, (one: Attempt) => boolean> = {
      EM_183_NO_180: (one) => one.firstSdp18xAtUs > 0 && one.answeredAtUs > 0,
      EM_ANNOUNCE_FAIL: (one) => one.firstSdp18xAtUs > 0,
      FAS_NO_PROGRESS: (one) => one.answeredAtUs > 0 && one.cancelClass === '',
      FAS_EARLY_ANSWER: (one) => one.answeredAtUs > 0 && one.cancelClass === '',
    }
    for (const carrier of ['alpha', 'beta']) {
      for (const [code, isOfBase] of Object.entries(bases)) {
        const own = rows.filter((one) => isNow(one) && one.carrier === carrier)
        const count = own.filter((one) => codesOf(one).includes(code)).length
        const found = groups.find(({ by }) => by.carrier === carrier && by.code === code)
        const of = own.filter(isOfBase).length
        expect([carrier, code, found?.count, found?.of]).toEqual([carrier, code, count, of])
        expect(found?.interval?.[0]).toBeLessThanOrEqual(count / of)
      }
    }
  })

  test('without code it counts attempts with any of them, and by prefix where it is asked', async () => {
    const all = await ask<EarlyMediaAnswer>(`/v1/early-media?${HOUR}&group_by=`)
    const any = rows.filter((one) => isNow(one) && codesOf(one).length > 0).length
    expect(all.groups.map(({ by, count }) => [by, count])).toEqual([[{}, any]])
    const { groups } = await ask<EarlyMediaAnswer>(
      `/v1/early-media?${HOUR}&group_by=prefix&code=FAS_EARLY_ANSWER`,
    )
    for (const prefix of ['+1215555', '+1303555']) {
      const count = rows.filter(
        (one) =>
          isNow(one) && one.calledNumber.startsWith(prefix) && codesOf(one).includes('FAS_EARLY_ANSWER'),
      ).length
      expect(groups.find(({ by }) => by.prefix === prefix)?.count).toBe(count)
    }
  })

  test('compares with the four weeks before, and says when these are too few', async () => {
    const { groups, before } = await ask<EarlyMediaAnswer>(`/v1/early-media?${HOUR}&code=EM_183_NO_180`)
    expect(before).toEqual({ from: '2026-10-23T12:00:00Z', to: '2026-11-20T12:00:00Z' })
    const earlier = rows.filter(
      (one) => !isNow(one) && one.carrier === 'alpha' && codesOf(one).includes('EM_183_NO_180'),
    )
    const alpha = groups.find(({ by }) => by.carrier === 'alpha')
    expect(alpha).toMatchObject({ before: { count: earlier.length }, change: 'no_test' })
  })

  test('rules over messages are of attempts whose messages were stored', async () => {
    const { groups } = await ask<EarlyMediaAnswer>(
      `/v1/early-media?${HOUR}&code=EM_BLACKHOLE,EM_183_NO_180&group_by=carrier,code`,
    )
    // None of the messages is.
    expect(groups.some(({ by }) => by.code === 'EM_BLACKHOLE')).toBe(false)
    const { rules } = await ask<EarlyMediaAnswer>(`/v1/early-media?${HOUR}&code=EM_LONG`)
    expect(rules).toMatchObject([
      { code: 'EM_LONG', reads: 'record', condition: expect.stringContaining('60000 ms (info)') },
    ])
  })

  test('attempts that the pass has not looked at are in no share', async () => {
    await store.command('CREATE TABLE IF NOT EXISTS looks_before AS anomaly_minutes')
    await store.command('INSERT INTO looks_before SELECT * FROM anomaly_minutes')
    await store.command('TRUNCATE TABLE anomaly_minutes')
    const answer = await ask<EarlyMediaAnswer>(`/v1/early-media?${HOUR}&group_by=`)
    expect(answer.not_looked_at).toBe(answer.attempts)
    expect(answer.groups).toMatchObject([{ of: 0, share: null }])
    await store.command('INSERT INTO anomaly_minutes SELECT * FROM looks_before')
    await store.command('DROP TABLE looks_before')
  })

  test('an unknown code is answered with those that there are', async () => {
    const { status, body } = await get<{ detail: string }>(app, '/v1/early-media?code=EM_SHORT')
    expect(status).toBe(400)
    expect(body.detail).toContain('EM_LONG')
  })
})

/** The same counts as the statement, by a loop. */
function byHand(all: readonly Attempt[]): PrefixAnswers[] {
  const keys = new Set(all.map((one) => `${one.carrier} ${one.calledNumber.slice(0, 8)}`))
  return [...keys].sort().map((key) => {
    const [carrier = '', prefix = ''] = key.split(' ')
    const own = all.filter((one) => one.carrier === carrier && one.calledNumber.startsWith(prefix))
    const answers = own.filter((one) => one.answeredAtUs > 0 && one.cancelClass !== 'CANCEL_RACE_200')
    const times = answers.map((one) => (one.answeredAtUs - one.invitedAtUs) / 1_000)
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length
    const has = (code: string) => answers.filter((one) => codesOf(one).includes(code)).length
    return {
      carrier,
      prefix,
      attempts: own.length,
      answered: own.filter(({ disposition }) => disposition === 'ANSWERED').length,
      answers: answers.length,
      timed: times.length,
      timeMeanMs: mean,
      timeDeviationMs: Math.sqrt(
        times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (times.length - 1),
      ),
      lasted: answers.length,
      durationSumMs: answers.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0),
      byes: answers.filter(({ byeFrom }) => byeFrom !== '').length,
      calleeByes: answers.filter(({ byeFrom }) => byeFrom === 'callee').length,
      noProgress: has('FAS_NO_PROGRESS'),
      earlyAnswer: has('FAS_EARLY_ANSWER'),
    }
  })
}

describe('/v1/fas', () => {
  test('scores as a count by hand of the same attempts does, rule by rule', async () => {
    const { groups, carriers, note } = await ask<FasAnswer>(`/v1/fas?${HOUR}`)
    const expected = fasScores(byHand(rows.filter(isNow)), CONFIG.thresholds.fas)
    expect(groups).toEqual(
      expected.prefixes.map(({ isFlagged, parts, ...group }) => ({
        ...group,
        is_flagged: isFlagged,
        parts: parts.map((part) => ({ ...part, why: part.why() })),
      })),
    )
    expect(groups[0]).toMatchObject({ carrier: 'beta', prefix: '+1215555', is_flagged: true })
    expect(groups[0]!.score).toBeGreaterThanOrEqual(80)
    expect(carriers.map(({ carrier, is_flagged }) => [carrier, is_flagged])).toEqual([
      ['alpha', false],
      ['beta', true],
    ])
    expect(note).toContain('signalling only')
  })

  test('a window by default of seven days, and one carrier where it is asked for, compared with all', async () => {
    const { from, groups } = await ask<FasAnswer>('/v1/fas?carrier=beta')
    expect(from).toBe('2026-11-13T13:00:00Z')
    expect(new Set(groups.map(({ carrier }) => carrier))).toEqual(new Set(['beta']))
    expect(groups[0]?.parts[0]?.status).toBe('holds')
  })

  test('who may see one carrier is compared with nobody, and learns nothing of the others', async () => {
    const answer = await ask<FasAnswer>(`/v1/fas?${HOUR}`, 'of-alpha')
    expect(JSON.stringify(answer)).not.toContain('beta')
    expect(answer.groups.map(({ parts }) => parts[0]?.status)).toEqual(['not_measured', 'not_measured'])
    const media = await ask<EarlyMediaAnswer>(`/v1/early-media?${HOUR}`, 'of-alpha')
    expect(JSON.stringify(media)).not.toContain('beta')
    expect(media.groups.length).toBeGreaterThan(1)
  })
})

describe('suspicions of one attempt', () => {
  test('stand in its answer and on its page, with their sentence and messages', async () => {
    const one = rows.find((row) => isNow(row) && codesOf(row).includes('EM_183_NO_180'))!
    const { suspicions } = await ask<{ suspicions: Suspicions }>(`/v1/attempts/${one.attemptId}`)
    expect(suspicions).toMatchObject({ looked_at: true, has_messages: false })
    const found = suspicions.list.find(({ code }) => code === 'EM_183_NO_180')
    expect(found?.messages).toMatchObject([
      { what: '18x with SDP', at_us: one.firstSdp18xAtUs },
      { what: '200', at_us: one.finalAtUs },
    ])
    const page = await app.inject({ url: `/attempts/${one.attemptId}` })
    expect(page.body).toContain('Suspicions')
    expect(page.body).toContain('no 180 was seen')
  })

  test('none where nothing is suspected, and another carrier’s are not seen', async () => {
    const sound = rows.find((row) => isNow(row) && row.carrier === 'alpha' && codesOf(row).length === 0)!
    const { suspicions } = await ask<{ suspicions: Suspicions }>(
      `/v1/attempts/${sound.attemptId}`,
      'of-alpha',
    )
    expect(suspicions.list).toEqual([])
    const others = rows.find((row) => row.carrier === 'beta')!
    const answer = await held.inject({
      url: `/v1/attempts/${others.attemptId}`,
      headers: { authorization: 'Bearer of-alpha' },
    })
    expect(answer.statusCode).toBe(404)
  })
})

describe('the page', () => {
  test('shows scores with what adds to them, suspicions with their change, and the rules', async () => {
    const { body, statusCode } = await app.inject({ url: `/early-media?${HOUR}` })
    expect(statusCode).toBe(200)
    for (const text of [
      'flagged',
      'FAS_FLAT_TTA, 20 points',
      'Answered without 180',
      'From signalling only',
      'EM_PRACK_MISSING',
    ])
      expect(body).toContain(text)
    // Names are text.
    expect(body).not.toContain('<b>Networks</b>')
  })

  test('says so where there was nothing', async () => {
    const { body } = await app.inject({
      url: '/early-media?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z',
    })
    expect(body).toContain('No outbound attempt was seen')
  })
})
