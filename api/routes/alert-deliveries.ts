/** What was told, alerts and scorecards, and what could not be: the outbox, and its dead letters again by hand. */
import { z } from 'zod'
import type { RetryResult } from '../alerts/outbox.js'
import { DELIVERY_STATES, type DeliveryState, readDeliveryId } from '../alerts/outbox-rows.js'
import { type App, type RouteDeps, seenBy } from '../deps.js'
import { ApiError } from '../errors.js'
import { choicesOf, wholeNumberOf } from '../parameters.js'
import type { Readers } from '../readers.js'
import { shown } from '../time-span.js'
import { many, one, problem, problems } from './answers.js'

const LIMIT = { min: 1, max: 1_000, example: 100 }

const delivery = z.object({
  id: z.string().describe('Key of the alert, number of the transition, sink.'),
  sink: z.string(),
  state: z.enum(DELIVERY_STATES),
  status: z.enum(['firing', 'resolved', 'made']).describe('made: a scorecard.'),
  rule: z.string().describe('Of a scorecard the schedule.'),
  severity: z.string().describe('Empty: of a scorecard.'),
  labels: z.record(z.string(), z.string()),
  summary: z.string(),
  tries: z.number(),
  last_error: z.string().describe('Empty: none.'),
  stored_at: z.string(),
  updated_at: z.string(),
  next_try_at: z.string().nullable().describe('Of one that waits.'),
})

const sink = z.object({
  id: z.string(),
  type: z.string(),
  state: z
    .enum(['ok', 'failing', 'off'])
    .describe('off: it answered 410 Gone, and is not asked until the next start.'),
  waiting: z.number(),
  firing: z.number().describe('Alerts that it is told again while they fire.'),
  last_error: z.string(),
})

export function alertDeliveryRoutes(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/alerts/deliveries',
    {
      config: { role: 'investigator', isOfAllCarriers: true },
      schema: {
        operationId: 'alert_deliveries',
        summary: 'Deliveries of alerts to sinks, the latest first: waiting, tried again, delivered, dead',
        querystring: z.strictObject({
          state: many('Only these.', DELIVERY_STATES),
          limit: one('At most so many, 1 to 1,000. Default: 100.', '100'),
        }),
        response: {
          200: z.object({
            deliveries: z.array(delivery),
            sinks: z.array(sink).describe('As this process sees them; empty where it sends no alerts.'),
          }),
          ...problems,
          403: problem,
        },
      },
    },
    async (request) => ({
      deliveries: await readDeliveries(
        seenBy(deps, request.principal).readers,
        choicesOf('state', request.query.state, DELIVERY_STATES),
        wholeNumberOf('limit', request.query.limit, LIMIT) ?? LIMIT.example,
      ),
      sinks: (deps.outbox?.sinks ?? []).map(({ lastError, isLeftAlone: _, dead: __, ...status }) => ({
        ...status,
        last_error: lastError,
      })),
    }),
  )

  app.post(
    '/v1/alerts/deliveries/:id/retry',
    {
      config: { role: 'admin', isOfAllCarriers: true },
      schema: {
        operationId: 'retry_alert_delivery',
        summary: 'Sends a dead letter again',
        params: z.object({ id: z.string().describe('As in the list.') }),
        response: {
          200: z.object({ id: z.string(), state: z.literal('pending') }),
          ...problems,
          403: problem,
          404: problem,
          409: problem,
        },
      },
    },
    async (request) => {
      const { id } = request.params
      const name = readDeliveryId(id)
      if (deps.outbox === undefined) {
        throw new ApiError(
          'TRUNKSCOPE_API_NOT_RETRYABLE',
          'this process sends no alerts; ask the one that does',
        )
      }
      const result = name === undefined ? 'no_such_delivery' : await deps.outbox.retry(name)
      if (result === 'retried') return { id, state: 'pending' as const }
      throw new ApiError(
        result === 'no_such_delivery' ? 'TRUNKSCOPE_API_NO_SUCH_DELIVERY' : 'TRUNKSCOPE_API_NOT_RETRYABLE',
        `${shown(id)} ${WHY_NOT[result]}`,
      )
    },
  )
}

const WHY_NOT: Record<Exclude<RetryResult, 'retried'>, string> = {
  no_such_delivery: 'is no delivery; /v1/alerts/deliveries?state=dead lists those that can be sent again',
  not_dead: 'is not dead: it was delivered, or waits for its next try by itself',
  overtaken: 'was overtaken: the sink has been told a later state of this alert',
  no_such_sink: 'is for a sink that is not in the configuration; add it under sinks',
  sink_off: 'is for a sink that answered 410 Gone; mend the sink and start Trunkscope again',
}

interface Row {
  alert_key: string
  transition: string
  sink: string
  state: DeliveryState
  status: 'firing' | 'resolved' | 'made'
  tries: number
  last_error: string
  notice: string
  stored_ms: string
  updated_ms: string
  next_try_ms: string
}

async function readDeliveries(
  readers: Readers,
  states: readonly DeliveryState[],
  limit: number,
): Promise<z.output<typeof delivery>[]> {
  const rows = await readers.select<Row>(
    `SELECT alert_key, transition, sink, state, status, tries, last_error, notice,
       toUnixTimestamp64Milli(stored_at) AS stored_ms, toUnixTimestamp64Milli(updated_at) AS updated_ms,
       toUnixTimestamp64Milli(next_try_at) AS next_try_ms
     FROM alert_deliveries FINAL
     WHERE empty({states:Array(String)}) OR has({states:Array(String)}, state)
     ORDER BY stored_at DESC, alert_key, transition DESC, sink
     LIMIT {limit:UInt32}`,
    { states, limit },
  )
  return rows.map((row) => {
    const {
      annotations,
      labels,
      rule,
      severity = '',
    } = JSON.parse(row.notice) as {
      annotations: { summary: string }
      labels: Record<string, string>
      rule: string
      severity?: string
    }
    return {
      id: `${row.alert_key}.${row.transition}.${row.sink}`,
      sink: row.sink,
      state: row.state,
      status: row.status,
      rule,
      severity,
      labels,
      summary: annotations.summary,
      tries: row.tries,
      last_error: row.last_error,
      stored_at: isoOfMs(row.stored_ms),
      updated_at: isoOfMs(row.updated_ms),
      next_try_at: row.state === 'pending' || row.state === 'retrying' ? isoOfMs(row.next_try_ms) : null,
    }
  })
}

const isoOfMs = (text: string) => new Date(Number(text)).toISOString()
