/**
 * The names of calls that INVITEs hold: the UUIDs of Session-ID, and the value of the configured header. The fold keeps neither;
 * they are read from raw messages, by the engine, a minute at a time and as long as raw messages are kept.
 *
 * Grammar  session-id = "Session-ID" HCOLON 32( DIGIT / %x61-66 ) *( SEMI ("remote" EQUAL 32HEXDIG / generic-param) )
 *          RFC 7989 §5; an earlier draft (RFC 7329) has one UUID alone. Hex digits are read in either case, the nil UUID is
 *          no name, and what is not 32 hex digits is left out.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { CallNames } from './call-legs.js'
import type { Leg } from './leg.js'

const NIL = '0'.repeat(32)
const HEADER_LENGTH_MAX = 128

/** By `messageKey`. */
export type NamesByMessage = ReadonlyMap<string, CallNames>

export async function readCallNames(
  client: ClickHouseClient,
  { fromS, toS }: { fromS: number; toS: number },
  config: { session_id: boolean; correlation_header?: string | undefined },
): Promise<NamesByMessage> {
  const header = config.correlation_header
  const names = new Map<string, CallNames>()
  if (!config.session_id && header === undefined) return names
  const result = await client.query({
    // Only the header part: a body may hold such a line too.
    query: `SELECT call_id, source_address, destination_address,
        arrayDistinct(arrayFlatten(groupArray(ids))) AS session_ids, max(value) AS header FROM (
          SELECT call_id, source_address, destination_address, position(raw, '\\r\\n\\r\\n') AS body_at,
            if(body_at = 0, raw, substring(raw, 1, body_at)) AS head,
            ${config.session_id ? `extractGroups(head, '(?i)\\nsession-id[ \\t]*:[ \\t]*([0-9a-f]{32})(?:[^\\r\\n]*;[ \\t]*remote[ \\t]*=[ \\t]*([0-9a-f]{32}))?')` : "CAST([], 'Array(String)')"} AS ids,
            ${header === undefined ? "''" : `extract(head, {header:String})`} AS value
          FROM sip_messages
          PREWHERE captured_at >= toDateTime64({from:UInt32}, 6, 'UTC') AND captured_at < toDateTime64({to:UInt32}, 6, 'UTC')
            AND method = 'INVITE' AND status_code = 0
          WHERE notEmpty(ids) OR value != '')
      GROUP BY call_id, source_address, destination_address`,
    query_params: {
      from: fromS,
      to: toS,
      ...(header === undefined ? {} : { header: `(?i)\\n${header}[ \\t]*:[ \\t]*([^\\r\\n]*)` }),
    },
    format: 'JSONCompactEachRow',
  })
  for (const row of await result.json<[string, string, string, string[], string]>()) {
    const [callId, source, destination, ids, value] = row
    const found = {
      sessionIds: [...new Set(ids.map((id) => id.toLowerCase()))]
        .filter((id) => id !== '' && id !== NIL)
        .sort(),
      header: value.trim().slice(0, HEADER_LENGTH_MAX),
    }
    const key = messageKey(callId, source, destination)
    const before = names.get(key)
    names.set(key, before === undefined ? found : merged(before, found))
  }
  return names
}

export function namesOfLeg(names: NamesByMessage, leg: Leg): CallNames | undefined {
  return names.get(messageKey(leg.callId, leg.addressLow, leg.addressHigh))
}

function messageKey(callId: string, one: string, other: string): string {
  return one < other ? `${callId}\n${one}\n${other}` : `${callId}\n${other}\n${one}`
}

function merged(one: CallNames, other: CallNames): CallNames {
  return {
    sessionIds: [...new Set([...one.sessionIds, ...other.sessionIds])].sort(),
    header: [one.header, other.header].sort()[1]!,
  }
}
