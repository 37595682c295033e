/**
 * The api's way to the store: a few connections, one statement at a time each, and a bounded queue before them. What a
 * principal may not see never leaves the store: each statement is held to its carriers here, and nowhere else.
 *
 * How      ClickHouse adds a condition to every read of a table that `additional_table_filters` names, in subqueries, joins
 *          and unions too, and after FINAL: a row that was another carrier's once and is not now does not come back.
 *          A table that knows no carriers is empty for who may see some only; `ofLeg` opens the messages of one leg.
 * Takes    SQL made of our own text with `{name:Type}` parameters; every value is a parameter.
 * Returns  rows; 64-bit integers come as strings, `Number()` them.
 * Throws   TRUNKSCOPE_API_BUSY when too many wait, TRUNKSCOPE_API_QUERY_LIMIT when the engine stopped the statement for
 *          its time, memory or rows. A statement cannot be called back once it runs, so its limits are its end.
 */
import { type ClickHouseClient, type ClickHouseSettings, SettingsMap } from '@clickhouse/client'
import { isAtLeast, LOOPBACK, type Principal } from '../schemas/tokens.js'
import { ApiError } from './errors.js'

const WAITING_MAX = 200

/** Seconds, bytes, rows: what one question may cost. Set on every statement, because settings outlive it in chdb. */
const LIMITS: ClickHouseSettings = {
  max_execution_time: 10,
  max_memory_usage: '1500000000',
  max_result_rows: '200000',
  result_overflow_mode: 'throw',
}

/** Codes of ClickHouse: TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED, QUERY_WAS_CANCELLED, TOO_MANY_ROWS … */
const LIMIT_CODES = new Set(['158', '159', '160', '202', '241', '307', '394', '396'])

/** What who may see some carriers may read of each table of the schema. */
export const TABLE_ACCESS: Readonly<Record<string, 'carrier' | 'leg' | 'all' | 'none'>> = {
  call_attempts: 'carrier',
  kpi_minute: 'carrier',
  kpi_hour: 'carrier',
  kpi_day: 'carrier',
  sip_messages: 'leg',
  // Which hours are to be read from their minutes: no name stands there, and without it sums would be stale.
  rollup_freshness: 'all',
  agents_minute: 'none',
  rejected_frames: 'none',
  store_checkpoints: 'none',
  store_claims: 'none',
  stale_minutes: 'none',
  // When a recompute reached into which time: its sums, which name carriers, are no column that the api reads.
  recompute_jobs: 'all',
  recompute_buckets: 'none',
  call_attempts_new: 'none',
  call_attempts_before: 'none',
  alert_deliveries: 'none',
  alert_states: 'carrier',
  alert_transitions: 'carrier',
  identity_checks: 'carrier',
  documents: 'carrier',
  document_runs: 'none',
  audit_trail: 'none',
  // A verdict names other carriers in `evidence`: api/calls/verdict.ts cuts that.
  attempt_verdicts: 'carrier',
  call_legs: 'carrier',
  evidence_leases: 'none',
  trunk_minutes: 'carrier',
  // Rows of a whole site are no carrier's.
  trunk_hours: 'carrier',
  attempt_anomalies: 'carrier',
  // Which minutes were looked at: no name stands there, and without it rates would be of other attempts.
  anomaly_minutes: 'all',
}

/** Columns that hold telephone numbers, or texts from the wire that may. */
const PERSONAL =
  /\b(?:calling_number|called_number|dialled_number|from_number|request_uri|identities|facts|raw|sample|call_id|from_tag|to_tags|user_agent|final_phrase|cancel_reason|orig|dest|diverted|x5u|raw_claims|stir_reasons)\b/

export interface Leg {
  callId: string
  addresses: readonly [string, string]
}

/** Where a route gets readers from: for somebody, or not at all. */
export interface ReadersSource {
  seenBy(principal: Principal): Readers
  /** The same for all readers of one app. */
  readonly connections: Connections
}

export class Readers implements ReadersSource {
  readonly connections: Connections
  readonly principal: Principal
  readonly #filters: SettingsMap

  /** @param clients none: of an app without routes that read */
  constructor(
    clients: readonly ClickHouseClient[] | Connections,
    principal: Principal = LOOPBACK,
    leg?: Leg,
  ) {
    this.connections = clients instanceof Connections ? clients : new Connections(clients)
    this.principal = principal
    this.#filters = SettingsMap.from(filtersOf(principal, leg))
  }

  /** The same connections, for what this principal may see. Who is held to carriers stays so. */
  seenBy(principal: Principal): Readers {
    if (this.principal.carriers !== 'all' && principal.carriers !== this.principal.carriers) {
      throw new Error(`readers of ${this.principal.id} are held to its carriers`)
    }
    return new Readers(this.connections, principal)
  }

  /** With the messages of one leg, for who has read an attempt of it. */
  ofLeg(leg: Leg): Readers {
    return new Readers(this.connections, this.principal, leg)
  }

  async select<Row>(query: string, parameters: Record<string, unknown> = {}): Promise<Row[]> {
    if (PERSONAL.test(query)) {
      throw new Error('a statement that reads numbers says how they are masked: selectMasked')
    }
    return this.#run<Row>(query, parameters)
  }

  /** For columns with numbers: what `read` makes of a row comes masked for who may not see them. */
  async selectMasked<Row, Read>(
    query: string,
    parameters: Record<string, unknown>,
    read: (row: Row) => Read,
    masked: (read: Read) => Read,
  ): Promise<Read[]> {
    const rows = (await this.#run<Row>(query, parameters)).map(read)
    return isAtLeast(this.principal.role, 'investigator') ? rows : rows.map(masked)
  }

  #run<Row>(query: string, parameters: Record<string, unknown>): Promise<Row[]> {
    if (this.principal.carriers !== 'all') checkTables(query)
    return this.connections.run(query, parameters, this.#filters)
  }
}

/** Clients, each with one statement at a time, and who waits for one. */
export class Connections {
  readonly #free: ClickHouseClient[]
  readonly #waiting: ((client: ClickHouseClient) => void)[] = []

  constructor(clients: readonly ClickHouseClient[]) {
    this.#free = [...clients]
  }

  async run<Row>(query: string, parameters: Record<string, unknown>, filters: SettingsMap): Promise<Row[]> {
    const client = await this.#acquire()
    try {
      const result = await client.query({
        query,
        query_params: parameters,
        format: 'JSONEachRow',
        // Without filters too: those of the statement before would stay.
        clickhouse_settings: { ...LIMITS, additional_table_filters: filters },
      })
      return await result.json<Row>()
    } catch (cause) {
      if (LIMIT_CODES.has(codeOf(cause))) {
        throw new ApiError(
          'TRUNKSCOPE_API_QUERY_LIMIT',
          'the store stopped the query because it took too long or too much memory; ask for a shorter range, ' +
            'or leave out exact=true',
          {},
          cause,
        )
      }
      throw cause
    } finally {
      this.#release(client)
    }
  }

  #acquire(): Promise<ClickHouseClient> | ClickHouseClient {
    const client = this.#free.pop()
    if (client !== undefined) return client
    if (this.#waiting.length >= WAITING_MAX) {
      throw new ApiError('TRUNKSCOPE_API_BUSY', 'too many queries are waiting; try again in a few seconds', {
        retryAfterS: 5,
      })
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #release(client: ClickHouseClient): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(client)
    else next(client)
  }
}

/** A condition for each table; none for who may see all. */
function filtersOf({ carriers }: Principal, leg: Leg | undefined): Record<string, string> {
  if (carriers === 'all') return {}
  const names = carriers.map(sqlText)
  // No carrier: nothing is seen, and an empty IN is no SQL.
  const ofCarrier =
    names.length === 0 ? '0' : `party = ${sqlText('carrier')} AND carrier IN (${names.join(', ')})`
  const ofLeg =
    leg === undefined
      ? '0'
      : `call_id = ${sqlText(leg.callId)} AND source_address IN (${leg.addresses.map(sqlText).join(', ')}) ` +
        `AND destination_address IN (${leg.addresses.map(sqlText).join(', ')})` +
        // What an SBC sends to itself is of another leg.
        (new Set(leg.addresses).size === 1 ? '' : ' AND source_address != destination_address')
  const conditionOf = { carrier: ofCarrier, leg: ofLeg, none: '0', all: undefined }
  return Object.fromEntries(
    Object.entries(TABLE_ACCESS).flatMap(([table, access]) => {
      const condition = conditionOf[access]
      return condition === undefined ? [] : [[table, condition]]
    }),
  )
}

/**
 * A text by its bytes. A quote in a setting would be escaped once by the one connection and twice by the other; here there
 * is none, whatever the text holds.
 */
function sqlText(text: string): string {
  return text === '' ? 'substring(char(32), 2)' : `char(${[...Buffer.from(text, 'utf8')].join(',')})`
}

/** Filters go by the names of tables: what is read under no name of ours would be read whole. */
function checkTables(query: string): void {
  const local = [...query.matchAll(/\b(\w+)\s+AS\s*\(/gi)].map(([, name]) => name!)
  for (const [, name, after] of query.matchAll(/\b(?:FROM|(?<!ARRAY\s)JOIN)\s+([\w.]+)\s*(\(?)/gi)) {
    if (after === '' && (Object.hasOwn(TABLE_ACCESS, name!) || local.includes(name!))) continue
    throw new Error(`${name} is read for who may see some carriers only; say in TABLE_ACCESS what of it`)
  }
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}
