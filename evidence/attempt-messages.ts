// tidy: tested by test/evidence/early-media-pass.test.ts
/**
 * How a pass that looks into messages comes from the attempts of a minute to theirs: by the Call-ID, as messages hold it, in
 * handfuls of attempts between a first and a last id. Whose of the call a message is, the pass finds out itself.
 */

/** schemas/sip-messages.ts keeps so much of it. */
const CALL_ID = 'substringUTF8(call_id, 1, 512)'

/** The name of an attempt's call in a statement over attempts, and of a message's in one over messages. */
export const CALL_OF_ATTEMPT = `hex(sipHash128(${CALL_ID}))`
export const CALL_OF_MESSAGE = 'hex(sipHash128(call_id))'

/**
 * Condition on messages, with the parameters of `handfulOf`.
 *
 * @param condition on attempts: those whose messages are wanted
 */
export const ofHandful = (condition: string) => `call_id IN (
    SELECT ${CALL_ID} FROM call_attempts FINAL
    WHERE minute = toDateTime({minute:UInt32}, 'UTC') AND lower(hex(attempt_id)) >= {first:String}
      AND lower(hex(attempt_id)) <= {last:String} AND ${condition})
  AND captured_at >= toDateTime({from:UInt32}, 'UTC') AND captured_at < toDateTime({to:UInt32}, 'UTC')`

/** @param attempts at least one, ascending by id */
export function handfulOf(
  minuteS: number,
  attempts: readonly { attemptId: string }[],
  { beforeS, afterS }: { beforeS: number; afterS: number },
) {
  return {
    minute: minuteS,
    first: attempts[0]!.attemptId,
    last: attempts.at(-1)!.attemptId,
    from: Math.max(0, minuteS - beforeS),
    to: minuteS + afterS,
  }
}

export function byCall<Message>(
  messages: Iterable<readonly [call: string, message: Message]>,
): Map<string, Message[]> {
  const calls = new Map<string, Message[]>()
  for (const [call, message] of messages) {
    const others = calls.get(call)
    if (others === undefined) calls.set(call, [message])
    else others.push(message)
  }
  return calls
}
