/**
 * An attempt as the api gives it: the columns of `call_attempts` under their own names, times also as ISO texts.
 *
 * Takes    a row of `selectAttempts`.
 * Returns  `<x>_at_us` as a number (0: never) with `<x>_at` beside it (null: never); minutes as ISO texts; identities as
 *          objects. Texts from the wire are decoded to what a person reads; nothing is escaped here.
 */
import { z } from 'zod'
import { ATTEMPT_COLUMNS, type ColumnType } from '../../schemas/call-attempts.js'
import { readFacts } from '../../schemas/facts-text.js'
import { readableText } from '../../sip/sip-message.js'
import { isoOf, isoOrNull } from '../time-span.js'

/** What the store keeps for itself; `facts` comes on demand. */
const HIDDEN = new Set(['is_deleted', 'pdd_bucket', 'facts'])
/** Parts of the key stay as they are stored: messages are found by them. */
const KEYS = new Set(['call_id', 'from_tag', 'to_tags'])
const COLUMNS = ATTEMPT_COLUMNS.filter(({ name }) => !HIDDEN.has(name))

/** Columns of the table by ones of our own list, as JSON can carry them; with `only`, these. */
export function attemptSelection(withFacts: boolean, only?: ReadonlySet<string>): string {
  const facts = withFacts ? ATTEMPT_COLUMNS.filter(({ name }) => name === 'facts') : []
  return [...COLUMNS.filter(({ name }) => only === undefined || only.has(name)), ...facts]
    .map(({ name, type }) => {
      if (type === 'FixedString(16)') return `lower(hex(${name})) AS ${name}_text`
      if (type === 'DateTime') return `toUInt32(${name}) AS ${name}_text`
      return `${name} AS ${name}_text`
    })
    .join(', ')
}

const JSON_TYPE: Record<ColumnType, z.ZodType> = {
  String: z.string(),
  'FixedString(16)': z.string(),
  Bool: z.boolean(),
  UInt8: z.number(),
  UInt16: z.number(),
  UInt32: z.number(),
  UInt64: z.number(),
  Int64: z.number(),
  Float64: z.number(),
  'Nullable(Float64)': z.number().nullable(),
  DateTime: z.string().nullable(),
  'DateTime64(6)': z.string().nullable(),
  'Array(String)': z.array(z.string()),
}

const identity = z.object({
  form: z.string(),
  ppt: z.string(),
  attest: z.string(),
  orig: z.string(),
  dest: z.array(z.string()),
  iat_s: z.number(),
  x5u: z.string(),
  orig_id: z.string(),
  div: z.string(),
  problem: z.string(),
})

export const attemptRecord = z
  .object({
    ...Object.fromEntries(
      COLUMNS.flatMap(({ name, type }) => [
        [name, JSON_TYPE[type]],
        ...(name.endsWith('_at_us') ? [[name.slice(0, -'_us'.length), z.string().nullable()]] : []),
      ]),
    ),
    identities: z.array(identity).describe('PASSporTs of the deciding INVITE, decoded and not verified.'),
    facts: z.unknown().optional(),
  })
  .meta({ title: 'Attempt' })

/** The fields that the page names; `attemptRecord` checks the rest. */
export interface AttemptJson {
  [column: string]: unknown
  attempt_id: string
  state: string
  party: string
  carrier: string
  customer: string
  site: string
  direction: string
  attribution_rule: string
  call_id: string
  from_tag: string
  address_low: string
  address_high: string
  sbc_address: string
  far_address: string
  far_port: number
  clock_agent: string
  invited_at_us: number
  first_100_at_us: number
  first_18x_at_us: number
  first_180_at_us: number
  first_sdp_18x_at_us: number
  cancelled_at_us: number
  final_at_us: number
  answered_at_us: number
  acked_at_us: number
  bye_at_us: number
  bye_final_at_us: number
  minute: string
  end_minute: string | null
  stored_at: string
  version: number
  tries: number
  invite_retransmissions: number
  early_dialogs: number
  pdd_ms: number | null
  ring_delay_ms: number | null
  media_delay_ms: number | null
  first_response_ms: number | null
  fail_delay_ms: number | null
  auth_ms: number | null
  duration_ms: number | null
  ring_before_cancel_ms: number | null
  final_code: number
  final_phrase: string
  q850_cause: number
  q850_location: string
  reasons: string[]
  disposition: string
  sli: string
  ner_numerator: number
  ner_denominator: number
  cancel_class: string
  cancel_reason: string
  rang: boolean
  invited: boolean
  bye_from: string
  attestation: string
  identities: z.output<typeof identity>[]
  called_number: string
  dialled_number: string
  calling_number: string
  from_number: string
  request_uri: string
  user_agent: string
  to_tags: string[]
  agents: string[]
  flags: string[]
}

export function attemptJsonOf(row: Record<string, unknown>): AttemptJson {
  const json: Record<string, unknown> = {}
  for (const { name, type } of COLUMNS) {
    const value = row[`${name}_text`]
    if (value === undefined) continue // Not among those that were asked for.
    json[name] = KEYS.has(name) ? value : jsonOf(type, value)
    if (name.endsWith('_at_us')) json[name.slice(0, -'_us'.length)] = isoOrNull(Number(value))
  }
  json.identities = identitiesOf(String(row.identities_text))
  if (row.facts_text !== undefined) json.facts = factsOf(String(row.facts_text))
  return json as AttemptJson
}

function jsonOf(type: ColumnType, value: unknown): unknown {
  switch (type) {
    case 'String':
      return readable(String(value))
    case 'Array(String)':
      return (value as string[]).map(readable)
    case 'DateTime':
      return Number(value) > 0 ? isoOf(Number(value) * 1e6) : null
    case 'Bool':
      return value === true || value === 1
    case 'Nullable(Float64)':
      return value === null ? null : Number(value)
    case 'FixedString(16)':
    case 'DateTime64(6)':
      return value
    default:
      return Number(value)
  }
}

/** One char a byte is how texts from the wire are kept; our own texts have nothing above ASCII. */
export function readable(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) || /[^\x00-\xff]/.test(text) ? text : readableText(text)
}

function identitiesOf(text: string): unknown[] {
  const tokens = parsed(text)
  if (!Array.isArray(tokens)) return []
  return tokens.map((token: Record<string, unknown>) => ({
    form: String(token.form ?? ''),
    ppt: String(token.ppt ?? ''),
    attest: String(token.attest ?? ''),
    orig: String(token.orig ?? ''),
    dest: Array.isArray(token.dest) ? token.dest.map(String) : [],
    iat_s: Number(token.iatS ?? 0),
    x5u: String(token.x5u ?? ''),
    orig_id: String(token.origId ?? ''),
    div: String(token.div ?? ''),
    problem: String(token.problem ?? ''),
  }))
}

/** null for a text that no version of ours wrote. */
function factsOf(text: string): unknown {
  try {
    return readFacts(text)
  } catch {
    return null
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
