/**
 * How a call was routed, as its first INVITE says: number portability and trunk groups. Read from the facts of one attempt when
 * somebody looks at it; nothing of it is stored in columns.
 *
 * Takes    an attempt id that may be seen.
 * Returns  the parameters of the Request-URI's user part (RFC 4694 §4), and the trunk groups (RFC 4904 §5: both parameters or
 *          none count): the terminating one of the Request-URI, the originating one of Contact. Who may not see numbers gets
 *          the routing number masked, as every number.
 * Throws   what the readers throw.
 */
import { z } from 'zod'
import type { InviteFacts } from '../../schemas/attempt-facts.js'
import { readFacts } from '../../schemas/facts-text.js'
import { portabilityOf, readNameAddr, readUri, trunkGroupOf, type Uri } from '../../sip/uri.js'
import { maskedNumber, maskedText } from '../masking.js'
import type { Readers } from '../readers.js'
import { readable } from './attempt-json.js'

const trunkGroup = z
  .object({ tgrp: z.string(), context: z.string() })
  .nullable()
  .describe('null: none, or one of the two parameters without the other.')

export const routing = z
  .object({
    portability: z.object({
      lnp: z.boolean().describe('The number was ported: there is a routing number.'),
      npdi: z.boolean().describe('The number was looked up.'),
      rn: z.string().describe('Routing number, without separators; prefixes go by it. "" for none.'),
      rn_context: z.string(),
      cic: z.string().describe('Carrier identification code. "" for none.'),
      cic_context: z.string(),
    }),
    trunk_group: z.object({ terminating: trunkGroup, originating: trunkGroup }),
  })
  .meta({ title: 'Routing' })

export type Routing = z.output<typeof routing>

export async function readRouting(readers: Readers, attemptId: string, minuteS: number): Promise<Routing> {
  const [found] = await readers.selectMasked<{ request_uri: string; facts: string }, Routing>(
    `SELECT request_uri, facts FROM call_attempts FINAL
     WHERE minute = toDateTime({minute_s:UInt32}, 'UTC') AND attempt_id = toFixedString(unhex({id:String}), 16) AND state != 'fragment' LIMIT 1`,
    { id: attemptId, minute_s: minuteS },
    ({ request_uri, facts }) => routingOf(request_uri, contactOf(facts)),
    maskedRouting,
  )
  return found ?? routingOf('', '')
}

export function routingOf(requestUri: string, contact: string): Routing {
  const target = readUri(requestUri)
  const { npdi, rn, rnContext, cic, cicContext } = portabilityOf(target)
  // What is no number of either form is somebody's mistake: nothing is routed by it.
  const isRn = isPhoneDigits(rn)
  const isCic = isPhoneDigits(cic)
  return {
    portability: {
      lnp: isRn,
      npdi,
      rn: isRn ? rn : '',
      rn_context: isRn ? readable(rnContext) : '',
      cic: isCic ? cic : '',
      cic_context: isCic ? readable(cicContext) : '',
    },
    trunk_group: {
      terminating: groupOf(target),
      originating: groupOf(readUri(readNameAddr(contact).uri)),
    },
  }
}

/** '+' and digits, or hex digits with a context beside them (RFC 4694 §4), which many leave out. */
function isPhoneDigits(text: string): boolean {
  return text.length <= 64 && /^(?:\+[0-9]+|[0-9A-F*#]+)$/.test(text)
}

function groupOf(uri: Uri): Routing['trunk_group']['terminating'] {
  const found = trunkGroupOf(uri)
  return found === undefined ? null : { tgrp: readable(found.group), context: readable(found.context) }
}

export function maskedRouting({ portability, trunk_group }: Routing): Routing {
  const masked = (group: Routing['trunk_group']['terminating']) =>
    group === null ? null : { tgrp: maskedText(group.tgrp), context: maskedText(group.context) }
  return {
    portability: {
      ...portability,
      rn: maskedNumber(portability.rn),
      rn_context: maskedText(portability.rn_context),
      cic: maskedText(portability.cic),
      cic_context: maskedText(portability.cic_context),
    },
    trunk_group: {
      terminating: masked(trunk_group.terminating),
      originating: masked(trunk_group.originating),
    },
  }
}

/** Of the first INVITE, as the record has it; '' where none was seen or the text is of no version known here. */
function contactOf(facts: string): string {
  let first: InviteFacts | undefined
  try {
    for (const { invite } of readFacts(facts).tries) {
      if (invite !== undefined && (first === undefined || invite.atUs < first.atUs)) first = invite
    }
  } catch {
    return ''
  }
  return first?.contact ?? ''
}
