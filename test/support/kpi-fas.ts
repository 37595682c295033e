/** The parts of the FAS score in a play of call flows: by the rules over the attempts, and as the api reads them from the store. */
import type { ClickHouseClient } from '@clickhouse/client'
import { routingOf } from '../../api/attempts/routing.js'
import { type FasQuery, readAnswers } from '../../api/early-media/fas.js'
import { fasScores, type PrefixAnswers } from '../../api/early-media/fas-score.js'
import { Readers } from '../../api/readers.js'
import { recordAnomalies } from '../../evidence/early-media/record-rules.js'
import type { Attempt } from '../../schemas/attempt.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { LOOPBACK } from '../../schemas/tokens.js'

/** Codes of the parts that hold, by carrier: of any of its prefixes. */
export type ScoresOf = ReadonlyMap<string, ReadonlySet<string>>

export function scoresByRules(attempts: ReadonlyMap<string, Attempt>, config: TrunkscopeConfig): ScoresOf {
  const groups = new Map<string, Attempt[]>()
  for (const attempt of attempts.values()) {
    const { state, party, direction, carrier } = attempt
    if (state !== 'closed' || party !== 'carrier' || direction !== 'outbound') continue
    const key = `${carrier}\n${prefixOf(attempt)}`
    groups.set(key, [...(groups.get(key) ?? []), attempt])
  }
  const counts = [...groups].map(([key, own]) => {
    const [carrier = '', prefix = ''] = key.split('\n')
    return answersOf(carrier, prefix, own, config)
  })
  return partsOf(counts, config)
}

export async function scoresOfStore(
  client: ClickHouseClient,
  config: TrunkscopeConfig,
  span: Pick<FasQuery, 'fromUs' | 'toUs'>,
): Promise<ScoresOf> {
  const deps = { readers: new Readers([client]), config, principal: LOOPBACK } as Parameters<
    typeof readAnswers
  >[0]
  return partsOf(await readAnswers(deps, span), config)
}

/** How what the api says differs, a sentence a difference. */
export function scoreProblems(expected: ScoresOf, got: ScoresOf): string[] {
  const text = (scores: ScoresOf, carrier: string) =>
    [...(scores.get(carrier) ?? [])].sort().join(' ') || 'none'
  return [...new Set([...expected.keys(), ...got.keys()])].flatMap((carrier) => {
    const [wanted, found] = [text(expected, carrier), text(got, carrier)]
    return wanted === found ? [] : [`the score of ${carrier} has ${found}, by the rules ${wanted}`]
  })
}

function partsOf(counts: readonly PrefixAnswers[], { thresholds }: TrunkscopeConfig): ScoresOf {
  const found = new Map<string, Set<string>>()
  for (const { carrier, parts } of fasScores(counts, thresholds.fas).prefixes) {
    const own = found.get(carrier) ?? new Set()
    for (const { code, status } of parts) if (status === 'holds') own.add(code)
    found.set(carrier, own)
  }
  return found
}

/** Seven digits, and never the last four. */
function prefixOf({ requestUri, calledNumber }: Attempt): string {
  const number = routingOf(requestUri, '').portability.rn || calledNumber
  if (!/^\+?[0-9]{7,}$/.test(number)) return ''
  return number.slice(0, Math.min(number.length - 4, number.startsWith('+') ? 8 : 7))
}

function answersOf(
  carrier: string,
  prefix: string,
  own: readonly Attempt[],
  { thresholds }: TrunkscopeConfig,
): PrefixAnswers {
  const answers = own.filter(
    ({ answeredAtUs, cancelClass }) => answeredAtUs > 0 && cancelClass !== 'CANCEL_RACE_200',
  )
  const times = answers
    .filter(({ invitedAtUs, answeredAtUs }) => invitedAtUs > 0 && answeredAtUs >= invitedAtUs)
    .map(({ invitedAtUs, answeredAtUs }) => (answeredAtUs - invitedAtUs) / 1_000)
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length
  const squares = times.reduce((sum, time) => sum + (time - mean) ** 2, 0)
  const durations = answers.flatMap(({ durationMs }) => (durationMs === null ? [] : [durationMs]))
  const having = (code: string) =>
    answers.filter((one) => recordAnomalies(one, thresholds).some((found) => found.code === code)).length
  return {
    carrier,
    prefix,
    attempts: own.filter(({ disposition }) => disposition !== 'REDIRECT').length,
    answered: own.filter(({ disposition }) => disposition === 'ANSWERED').length,
    answers: answers.length,
    timed: times.length,
    timeMeanMs: mean,
    timeDeviationMs: Math.sqrt(squares / (times.length - 1)),
    lasted: durations.length,
    durationSumMs: durations.reduce((sum, duration) => sum + duration, 0),
    byes: answers.filter(({ byeFrom }) => byeFrom !== '').length,
    calleeByes: answers.filter(({ byeFrom }) => byeFrom === 'callee').length,
    noProgress: having('FAS_NO_PROGRESS'),
    earlyAnswer: having('FAS_EARLY_ANSWER'),
  }
}
