/**
 * The data set of the search bench: attempts of one day or more, made by SQL, with their rollups and thirteen weeks of hours
 * and days before them.
 *
 * 50 carriers of sizes that differ by a factor of three, 4 sites, 2 directions; called numbers over 4,000 prefixes, calling
 * ones of 200,000 customers; facts as long as real ones, because the length of a row decides how many are in a granule. The
 * last ten minutes are written twice more, as a store does while calls are open, and are not merged.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { sumDue } from '../collector/store/hours.js'
import { recomputeMinutes } from '../collector/store/minutes.js'
import type { TrunkscopeConfig } from '../schemas/config.js'
import { ROLLUP_COLUMNS } from '../schemas/kpi-rollup.js'
import { keptOf } from '../schemas/retention.js'
import { CARRIERS, SITES } from './answering.js'

const DAY_S = 86_400
const WEEKS_BEFORE = 13
/** Of minutes before the day only the hour of the same time: windows of objectives begin there. */
const DAYS_WITH_AN_HOUR = 30
/** Attempts a statement: bounds its memory. */
const FILL_ROWS = 500_000
const REWRITTEN_S = 600

export interface AttemptsAsked {
  attempts: number
  hours: number
  /** Where they end, not included: a whole minute. */
  nowS: number
}

/** Makes what is not there yet, so that one that was stopped goes on. Returns the minute at which the attempts end. */
export async function fill(
  client: ClickHouseClient,
  asked: AttemptsAsked,
  retention: TrunkscopeConfig['retention'],
  say: (line: string) => void,
): Promise<number> {
  const run = (query: string) => client.command({ query })
  let startedMs = performance.now()
  const done = (what: string) => {
    say(`${what} in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`)
    startedMs = performance.now()
  }
  const stored = await numberOf(client, 'SELECT count() AS value FROM call_attempts')
  if (stored < asked.attempts) {
    for (let at = stored - (stored % FILL_ROWS); at < asked.attempts; at += FILL_ROWS) {
      await run(attemptsSql(asked, at, Math.min(asked.attempts, at + FILL_ROWS)))
    }
    await run('OPTIMIZE TABLE call_attempts')
    done('attempts')
  }
  const nowS = await numberOf(client, 'SELECT toUInt32(max(minute)) + 60 AS value FROM call_attempts')
  const fromS = await numberOf(client, 'SELECT toUInt32(min(minute)) AS value FROM call_attempts')
  if ((await numberOf(client, 'SELECT count() AS value FROM kpi_hour')) === 0) {
    const minutes = Array.from({ length: (nowS - fromS) / 60 + 120 }, (_, index) => fromS + index * 60)
    await recomputeMinutes(client, [0], minutes, 1n)
    const moment = { asOfUs: nowS * 1e6, nowS }
    for (let version = 2n, due = -1; due !== 0; version++) {
      due = await sumDue(client, [0], moment, keptOf(retention), version)
    }
    done('minutes, hours and days')
  }
  const firstDayS = await numberOf(client, 'SELECT toUInt32(min(day)) AS value FROM kpi_day')
  if (firstDayS > fromS - WEEKS_BEFORE * 6 * DAY_S) {
    await copyToWeeksBefore(run, fromS)
    done(`${WEEKS_BEFORE} weeks before`)
  }
  if ((await numberOf(client, 'SELECT max(version) AS value FROM call_attempts')) === 1) {
    for (const salt of [1, 2]) {
      await run(`INSERT INTO call_attempts (* EXCEPT (version, stored_at), version, stored_at)
        SELECT * EXCEPT (version, stored_at), version + 1 AS version, now() AS stored_at FROM call_attempts FINAL
        WHERE minute >= toDateTime(${nowS - REWRITTEN_S}, 'UTC') AND sipHash64(attempt_id, ${salt}) % 2 = 0`)
    }
    done('the last ten minutes again')
  }
  return nowS
}

export async function numberOf(client: ClickHouseClient, query: string): Promise<number> {
  const result = await client.query({ query, format: 'JSONEachRow' })
  const [row] = await result.json<{ value: string | number }>()
  return Number(row?.value ?? 0)
}

/** The day's hours, and its sum, on every day of thirteen weeks before; an hour of minutes on those of the last month. */
async function copyToWeeksBefore(run: (query: string) => Promise<unknown>, fromS: number): Promise<void> {
  const sums = ROLLUP_COLUMNS.map(({ name }) => name).join(', ')
  const keys = 'bus_partition, party, carrier, site, direction'
  const days = WEEKS_BEFORE * 7
  // The first whole hours of the data, a day long.
  const firstS = Math.ceil(fromS / 3_600) * 3_600
  const within = (column: string, lengthS: number) =>
    `${column} >= toDateTime(${firstS}, 'UTC') AND ${column} < toDateTime(${firstS + lengthS}, 'UTC')`
  await run(`INSERT INTO kpi_minute (minute, ${keys}, version, computed_at, ${sums})
    SELECT minute - toIntervalDay(day) AS copied, ${keys}, 1, now(), ${sums}
    FROM kpi_minute FINAL ARRAY JOIN range(1, ${DAYS_WITH_AN_HOUR + 1}) AS day WHERE ${within('minute', 3_600)}`)
  await run(`INSERT INTO kpi_hour (hour, ${keys}, version, computed_at, ${sums})
    SELECT toStartOfHour(minute) - toIntervalDay(day) AS copied, ${keys}, 1, now(),
      ${ROLLUP_COLUMNS.map(({ name, sum }) => `${sum} AS ${name}_sum`).join(', ')}
    FROM kpi_minute FINAL ARRAY JOIN range(1, ${days + 1}) AS day WHERE ${within('minute', DAY_S)}
    GROUP BY copied, ${keys}`)
  await run(`INSERT INTO kpi_day (day, ${keys}, version, computed_at, ${sums})
    SELECT toStartOfDay(hour) AS day, ${keys}, 1, now(),
      ${ROLLUP_COLUMNS.map(({ name, sum }) => `${sum} AS ${name}_sum`).join(', ')}
    FROM kpi_hour FINAL WHERE hour < toDateTime(${firstS - (firstS % DAY_S)}, 'UTC') GROUP BY day, ${keys}`)
  for (const [grain, time] of [
    ['hour', 'hour'],
    ['day', 'day'],
  ]) {
    await run(`INSERT INTO rollup_freshness SELECT DISTINCT '${grain}', ${time}, bus_partition, 500, 600
      FROM kpi_${grain} WHERE ${time} < toDateTime(${firstS - (firstS % DAY_S)}, 'UTC')`)
  }
}

/** Delays are log-normal with a carrier's own median. */
function attemptsSql({ attempts, hours, nowS }: AttemptsAsked, from: number, to: number): string {
  const random = (salt: number) => `(cityHash64(number, ${salt}) % 1000000 / 1000000.)`
  const gauss = `sqrt(-2 * log(greatest(1e-6, ${random(5)}))) * cos(2 * pi() * ${random(6)})`
  const fromS = nowS - hours * 3_600
  return `
INSERT INTO call_attempts (minute, attempt_id, version, is_deleted, bus_partition, stored_at, end_minute, state, party,
  carrier, site, direction, attribution_rule, call_id, from_tag, address_low, address_high, sbc_address, far_address, far_port,
  clock_agent, invited_at_us, first_100_at_us, first_18x_at_us, first_180_at_us, answered_at_us, final_at_us, bye_at_us, tries,
  early_dialogs, pdd_ms, pdd_bucket, ring_delay_ms, first_response_ms, duration_ms, final_code, final_phrase, disposition,
  sli, ner_numerator, ner_denominator, cancel_class, rang, invited, bye_from, attestation, identities, called_number,
  dialled_number, calling_number, from_number, request_uri, user_agent, to_tags, agents, facts)
WITH
  ${fromS} * 1000000 + toUInt64(number * ${(hours * 3_600 * 1e6) / attempts}) AS at_us,
  ${random(1)} AS fate,
  multiIf(fate < 0.62, 'ANSWERED', fate < 0.74, 'BUSY', fate < 0.9, 'NO_ANSWER', fate < 0.95, 'INVALID_NUMBER',
    fate < 0.98, 'CONGESTION', 'PRE_RING_CANCEL') AS ended,
  toUInt8(least(${CARRIERS - 1}, ${CARRIERS} * pow(${random(2)}, 1.3))) AS carrier_number,
  1 + cityHash64(number, 3) % ${SITES.length} AS site_number,
  if(ended IN ('INVALID_NUMBER', 'CONGESTION', 'PRE_RING_CANCEL'), NULL,
    round(exp(log(900 + carrier_number * 30) + 0.55 * ${gauss}), 3)) AS delay_ms,
  ended = 'ANSWERED' AS is_answered,
  if(is_answered, round(1000 - 180000 * log(greatest(1e-6, ${random(7)}))), NULL) AS talked_ms,
  if(delay_ms IS NULL, 0, at_us + toUInt64(ifNull(delay_ms, 0) * 1000)) AS rang_us,
  if(is_answered, at_us + 8000000, 0) AS answered_us,
  if(talked_ms IS NULL, 0, at_us + 8000000 + toUInt64(ifNull(talked_ms, 0) * 1000)) AS ended_us,
  '+1' || toString(2000000 + toUInt32(2000 * pow(${random(11)}, 2)) * 3571 % 7999999) AS prefix,
  substring(prefix, 1, 8) || leftPad(toString(cityHash64(number, 12) % 10000), 4, '0') AS called,
  '+1' || toString(2120000000 + cityHash64(cityHash64(number, 13) % 200000) % 7000000000) AS calling,
  '192.0.2.' || toString(site_number) AS sbc, '198.51.100.' || toString(carrier_number + 1) AS far,
  transform(ended, ['ANSWERED', 'BUSY', 'NO_ANSWER', 'INVALID_NUMBER', 'CONGESTION'], [200, 486, 487, 404, 503], 487) AS code,
  lower(hex(cityHash64(number, 14))) AS tag
SELECT
  toDateTime(intDiv(at_us, 60000000) * 60, 'UTC'), unhex(hex(cityHash64(number)) || hex(sipHash64(number))), 1, 0, 0, now(),
  toDateTime(intDiv(ended_us, 60000000) * 60, 'UTC'), 'closed', 'carrier',
  'carrier-' || leftPad(toString(carrier_number + 1), 2, '0'), ['${SITES.join("', '")}'][site_number],
  ['inbound', 'outbound'][1 + cityHash64(number, 4) % 2], 'sbc_peer', hex(cityHash64(number, 8)) || '@' || sbc, tag, sbc, far,
  sbc, far, 5060, sbc || '/' || toString(2000 + site_number), at_us, at_us + 20000, rang_us, rang_us, answered_us,
  at_us + 8000000, ended_us, 1, 1, delay_ms,
  if(delay_ms IS NULL, 0, toUInt16(least(512, ceil(log(greatest(1, ifNull(delay_ms, 1))) / log(1.03) - 1e-9)))),
  delay_ms, 20, talked_ms, code, 'Phrase', ended, if(ended = 'CONGESTION', 'bad', 'good'),
  ended IN ('ANSWERED', 'BUSY', 'NO_ANSWER'), ended != 'INVALID_NUMBER',
  transform(ended, ['NO_ANSWER', 'PRE_RING_CANCEL'], ['CALLER_ABANDON_RING', 'PRE_RING_CANCEL'], ''),
  ended IN ('ANSWERED', 'BUSY', 'NO_ANSWER'), true, if(is_answered, 'callee', ''),
  ['A', 'A', 'A', 'B', 'C', 'none'][1 + cityHash64(number, 10) % 6], '[]', called, called, calling,
  if(cityHash64(number, 15) % 10 = 0, 'anonymous', calling),
  'sip:' || called || if(cityHash64(number, 16) % 10 = 0, ';npdi;rn=+1' || substring(prefix, 3, 6) || '0000', '') || '@' || far || ';user=phone',
  'sbc/7.2', [lower(hex(cityHash64(number, 17)))], [sbc || '/' || toString(2000 + site_number)],
  concat('{"tries":[{"cseq":1,"branch":"z9hG4bK', tag, '","reinvite":false,"invite":{"atUs":', toString(at_us), ',"agent":"', sbc,
    '","from":"', calling, '","to":"', called, '","pai":"', calling, '","ruri":"sip:', called, '@', far, '"},"views":[{"agent":"', sbc,
    '","invites":[', toString(at_us), '],"first100":', toString(at_us + 20000), ',"first18x":', toString(rang_us), ',"first180":',
    toString(rang_us), '}],"finals":[{"code":', toString(code), ',"at":', toString(at_us + 8000000),
    ',"agent":"', sbc, '","tag":"', tag, '"}],"cancelReasons":[],"earlyTags":["', tag, '"]}],"byes":[],"acks":[]}')
FROM numbers(${from}, ${to - from})`
}
