/**
 * NumberOnWrongCarrier: calls to numbers of ours arrive on another carrier than the one that the inventory says owns them.
 *
 * Takes    attempts and numbers of the last hour, by the carrier on which they arrived.
 * Returns  a ticket for each carrier with at least three of them. Numbers are not named: who may see them follows the link.
 * Throws   nothing.
 * Source   docs/numbers.md (our decision).
 */
import { type AlertsConfig, EVENTS_FLOOR } from '../../../schemas/alert-rules.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import type { MisroutedCount } from '../../numbers/misrouted.js'
import type { Condition, Timing } from '../state.js'
import type { Held } from './held.js'
import { sinksOf } from './sinks.js'
import { escalationOf, numbersLink, runbookUrl } from './words.js'

export const NUMBER_ON_WRONG_CARRIER = 'NumberOnWrongCarrier'
export const NUMBER_TIMING: Timing = { forUs: 0, keepFiringUs: 3_600e6 }
export const NUMBERS_UNREAD = 'calls cannot be compared with the inventory now: there are too many'

interface Surroundings {
  config: Pick<TrunkscopeConfig, 'carriers' | 'sinks'> & { alerts: AlertsConfig }
  held: Held
}

export function misroutedNumbers(
  counts: readonly MisroutedCount[],
  { config, held }: Surroundings,
): Condition[] {
  return counts
    .filter(({ attempts }) => attempts >= EVENTS_FLOOR.ticket)
    .map(({ carrier, attempts, numbers }) => ({
      rule: NUMBER_ON_WRONG_CARRIER,
      severity: 'ticket',
      sinks: sinksOf(config, 'ticket'),
      labels: { alertname: NUMBER_ON_WRONG_CARRIER, severity: 'ticket', carrier },
      annotations: {
        summary: `${attempts} calls in 60 min to ${numbers} ${numbers === 1 ? 'number' : 'numbers'} of other carriers arrived on ${carrier}`,
        likely_cause: 'the number was ported, a carrier routes past its owner, or the inventory is old',
        runbook_url: runbookUrl(config.alerts, NUMBER_ON_WRONG_CARRIER),
        escalation: escalationOf(config, carrier),
        link: numbersLink(config.alerts),
      },
      details: { attempts, numbers, window_s: 3_600 },
      sites: [],
      held: held.all,
    }))
}
