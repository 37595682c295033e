/**
 * Whose fault it is that an attempt was given up, for each that has a cancel class.
 *
 * carrier   outbound, and bad in the service level: it did not ring in time, was passed over before it rang, or ended the
 *           call by itself
 * us        the same inbound: there it is our side that should have rung
 * unknown   the same, and nobody can tell who called whom
 * caller    gave up before the patience of a caller was over
 * nobody    anything else: answered, completed elsewhere, or given up after it rang
 *
 * Source    metrics.md §4, column "fault"; `sli` is what that column says of the class (collector/fold/cancel.ts). [decision] A
 *           pack is about both directions, so the side that is called stands in place of "carrier".
 */
import type { AttemptJson } from '../attempts/attempt-json.js'

export const CANCEL_BLAMES = ['carrier', 'us', 'unknown', 'caller', 'nobody'] as const
export type CancelBlame = (typeof CANCEL_BLAMES)[number]

/** '' for an attempt that was not given up. */
export function cancelBlameOf({
  cancel_class,
  sli,
  direction,
}: Pick<AttemptJson, 'cancel_class' | 'sli' | 'direction'>): CancelBlame | '' {
  if (cancel_class === '') return ''
  if (sli === 'bad') return direction === 'outbound' ? 'carrier' : direction === 'inbound' ? 'us' : 'unknown'
  return cancel_class === 'PRE_RING_CANCEL' && sli === 'excluded' ? 'caller' : 'nobody'
}
