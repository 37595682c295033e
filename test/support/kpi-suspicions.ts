/** Suspicions in a play of call flows: by the rules over all that arrived, and as the pass has stored them. */
import type { ClickHouseClient } from '@clickhouse/client'
import { observe } from '../../collector/enrich/observe.js'
import { anomaliesOf } from '../../evidence/early-media/anomalies-of.js'
import type { Captured } from '../../evidence/early-media/last-try.js'
import type { Attempt } from '../../schemas/attempt.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import { rowsOf } from './engine.js'

/** Codes by attempt, in the order of the definitions; attempts without one are left out. */
export type SuspicionsOf = ReadonlyMap<string, readonly string[]>

export function suspicionsByRules(
  attempts: ReadonlyMap<string, Attempt>,
  frames: readonly ReceivedFrame[],
  config: TrunkscopeConfig,
): SuspicionsOf {
  const calls = new Map<string, Captured[]>()
  for (const frame of frames) {
    const seen = observe(frame)
    if ('reason' in seen) continue
    const { observed, raw } = seen
    const own = calls.get(observed.message.callId) ?? []
    own.push({
      agent: observed.agent,
      capturedAtUs: observed.capturedAtUs,
      source: observed.sourceAddress,
      destination: observed.destinationAddress,
      bytes: raw,
    })
    calls.set(observed.message.callId, own)
  }
  const found = new Map<string, readonly string[]>()
  for (const [id, attempt] of attempts) {
    if (attempt.state !== 'closed' || !['carrier', 'unknown'].includes(attempt.party)) continue
    const { anomalies } = anomaliesOf(attempt, calls.get(attempt.callId), config.thresholds)
    if (anomalies.length > 0)
      found.set(
        id,
        anomalies.map(({ code }) => code),
      )
  }
  return found
}

/** How what is stored differs from these, a sentence a difference. */
export async function suspicionProblems(client: ClickHouseClient, expected: SuspicionsOf): Promise<string[]> {
  const rows = await rowsOf<{ id: string; codes: string[] }>(
    client,
    'SELECT lower(hex(attempt_id)) AS id, codes FROM attempt_anomalies FINAL WHERE notEmpty(codes)',
  )
  const stored = new Map(rows.map(({ id, codes }) => [id, codes]))
  return [...new Set([...expected.keys(), ...stored.keys()])].flatMap((id) => {
    const [wanted, got] = [expected.get(id)?.join(' ') ?? 'none', stored.get(id)?.join(' ') ?? 'none']
    return wanted === got ? [] : [`suspicions of ${id} are stored as ${got}, by the rules ${wanted}`]
  })
}
