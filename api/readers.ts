/**
 * The api's way to the store: a few connections, one statement at a time each, and a bounded queue before them.
 *
 * Takes    SQL made of our own text with `{name:Type}` parameters; every value is a parameter.
 * Returns  rows; 64-bit integers come as strings, `Number()` them.
 * Throws   TRUNKSCOPE_API_BUSY when too many wait, TRUNKSCOPE_API_QUERY_LIMIT when the engine stopped the statement for
 *          its time, memory or rows. A statement cannot be called back once it runs, so its limits are its end.
 */
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import type { Principal } from '../schemas/tokens.js'
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

export class Readers {
  readonly #free: ClickHouseClient[]
  readonly #waiting: ((client: ClickHouseClient) => void)[] = []

  /** @param clients none: of an app without routes that read */
  constructor(clients: readonly ClickHouseClient[]) {
    this.#free = [...clients]
  }

  /** The same connections, for what this principal may see: every statement is held to its carriers. */
  seenBy(_principal: Principal): Readers {
    return this
  }

  async select<Row>(query: string, parameters: Record<string, unknown> = {}): Promise<Row[]> {
    const client = await this.#acquire()
    try {
      const result = await client.query({
        query,
        query_params: parameters,
        format: 'JSONEachRow',
        clickhouse_settings: LIMITS,
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

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}
