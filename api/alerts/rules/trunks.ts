/**
 * TrunkDown: a trunk answers neither OPTIONS nor calls any more.
 *
 * Takes    trunks with their states as docs/trunks.md judges them: the gate (so many exchanges in a row, each without an answer
 *          for 32 s, no sign of life since) is in the state.
 * Returns  a condition a trunk that is down, and those of which nothing is seen any more, so that nobody calls them well.
 * Throws   nothing.
 * Source   docs/trunks.md (our decision).
 *
 * A ticket unless configured otherwise: where calls go another way nobody's call fails, and where they do not the burn of an
 * objective pages. Of a site whose taps are blind it is held.
 */
import type { AlertsConfig } from '../../../schemas/alert-rules.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import type { SeenTrunkState } from '../numbers.js'
import { alertKey, type Condition, type Timing } from '../state.js'
import { words } from './cause.js'
import { type Held, inMaintenance } from './held.js'
import { sinksOf } from './sinks.js'
import { escalationOf, runbookUrl, trunksLink } from './words.js'

export const TRUNK_DOWN = 'TrunkDown'
export const TRUNK_TIMING: Timing = { forUs: 0, keepFiringUs: 300e6 }

export const TRUNKS_UNREAD = 'trunks cannot be read now'
const NOTHING_SEEN = 'nothing is seen of the trunk any more'

export interface TrunksFound {
  conditions: Condition[]
  /** By key: why one that fires is not over. */
  undecided: Map<string, string>
}

interface Surroundings {
  config: Pick<TrunkscopeConfig, 'carriers' | 'sinks' | 'maintenance'> & { alerts: AlertsConfig }
  untilS: number
  held: Held
}

export function downTrunks(trunks: readonly SeenTrunkState[], around: Surroundings): TrunksFound {
  const { config, untilS } = around
  const now = { fromS: untilS - 60, toS: untilS }
  const found: TrunksFound = { conditions: [], undecided: new Map() }
  for (const trunk of trunks) {
    if (trunk.carrier === 'unknown' || inMaintenance(config.maintenance, trunk, now)) continue
    if (trunk.state === 'down') found.conditions.push(conditionOf(trunk, trunks, around))
    else if (trunk.state === 'unknown')
      found.undecided.set(alertKey(TRUNK_DOWN, labelsOf(trunk, config.alerts)), NOTHING_SEEN)
  }
  return found
}

function labelsOf({ id, carrier, site }: SeenTrunkState, { trunk_down: { severity } }: AlertsConfig) {
  return {
    alertname: TRUNK_DOWN,
    severity,
    carrier,
    ...(site === '' ? {} : { site }),
    trunk: id,
  }
}

function conditionOf(
  trunk: SeenTrunkState,
  all: readonly SeenTrunkState[],
  { config, held }: Surroundings,
): Condition {
  const { carrier, site, address, why, callsOut } = trunk
  const { severity } = config.alerts.trunk_down
  const where = site === '' ? '' : ` at ${site}`
  return {
    rule: TRUNK_DOWN,
    severity,
    sinks: sinksOf(config, severity),
    labels: labelsOf(trunk, config.alerts),
    annotations: {
      summary: `the trunk ${address} of ${carrier}${where} is down: ${why}; ${callsOut} calls out in the last hour`,
      likely_cause: causeOf(trunk, all),
      runbook_url: runbookUrl(config.alerts, TRUNK_DOWN),
      escalation: escalationOf(config, carrier),
      link: trunksLink(config.alerts, carrier),
    },
    details: { address, calls_out: callsOut },
    sites: site === '' ? [] : [site],
    held: held.all || held.site(site === '' ? undefined : site),
  }
}

/** Whether others of the carrier, or others of the site, are down, too. */
function causeOf({ id, carrier, site }: SeenTrunkState, all: readonly SeenTrunkState[]): string {
  const known = all.filter((one) => one.id !== id && one.state !== 'unknown')
  const ofCarrier = known.filter((one) => one.carrier === carrier)
  const ofSite = known.filter((one) => one.site === site && one.carrier !== carrier)
  const isDown = ({ state }: SeenTrunkState) => state === 'down'
  if (ofSite.length > 0 && ofSite.every(isDown)) return `all carriers of ${site || 'that site'}: is it us?`
  if (ofCarrier.length === 0)
    return `${carrier} has no other trunk that was seen: its calls fail or go to another carrier`
  if (ofCarrier.every(isDown)) return `all trunks of ${carrier}: the carrier, or what all of them run through`
  const working = ofCarrier.filter((one) => !isDown(one)).map(({ address }) => address)
  return `this trunk only: ${words(working.sort())} of ${carrier} ${working.length === 1 ? 'works' : 'work'}`
}
