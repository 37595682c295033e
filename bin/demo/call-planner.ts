/**
 * Draws calls: which carrier and site, which numbers, what becomes of it and when.
 *
 * Takes    a seed and options; then the moment each call begins, in order.
 * Returns  planned calls. The same seed and the same moments give the same calls.
 * Throws   nothing.
 */
import type { Attestation } from '../../schemas/passport.js'
import { Behaviour, endingOf, type Outcome } from './behaviour.js'
import { type Course, drawCourse } from './course.js'
import { customerLegOf } from './customer-leg.js'
import { DEMO_CARRIERS, DEMO_CUSTOMERS, type DemoCarrier, type DemoSite, type DemoTrunk } from './network.js'
import { drawNumber } from './numbers.js'
import { PassportWriter } from './passports.js'
import type { PlannedCall, PlannedLeg } from './planned-call.js'
import { SeededRandom, WeightedChoice } from './seeded-random.js'
import type { SigningKeys } from './signers.js'
import { severity, TROUBLE_IN_FULL, type Trouble } from './trouble.js'
import type { Direction, ExpectedAttempt } from './truth.js'

export interface PlannerOptions {
  seed: number | string
  /** No carrier goes bad without it. */
  trouble?: Trouble | undefined
  /** Signs PASSporTs; left out: random bytes in place of signatures. */
  keys?: SigningKeys | undefined
  /** Also the customers' legs, at sites that mirror them (default true). */
  customerLegs?: boolean
}

interface Party {
  carrier: DemoCarrier
  behaviour: Behaviour
  trunks: Record<Direction, WeightedChoice<DemoTrunk>>
}

const SBC_AGENT = 'Edgewarden SBC 7.2.1'
const NAMES = ['Front desk', 'Contact centre', 'Field service', 'Support', 'Sales', 'Dispatch'] as const
const TIMEOUT_US = 32_000_000
/** An outbound call begins this much later on the carrier's leg than on the customer's. */
const SBC_DELAY_US = 6_000

export class CallPlanner {
  readonly #random: SeededRandom
  readonly #passports: PassportWriter
  readonly #trouble: Trouble | undefined
  readonly #customerLegs: boolean
  readonly #parties: WeightedChoice<Party>
  #number = 0

  constructor(options: PlannerOptions) {
    this.#random = new SeededRandom(`${options.seed} calls`)
    this.#passports = new PassportWriter({ seed: options.seed, keys: options.keys })
    this.#trouble = options.trouble
    this.#customerLegs = options.customerLegs ?? true
    this.#parties = new WeightedChoice(
      DEMO_CARRIERS.map((carrier) => {
        const behaviour = new Behaviour(carrier.id)
        const trunks = (direction: Direction) =>
          new WeightedChoice(
            carrier.trunks
              .filter((trunk) => trunk.directions.includes(direction))
              .map((trunk) => [trunk, trunk.weight]),
          )
        const party = {
          carrier,
          behaviour,
          trunks: { inbound: trunks('inbound'), outbound: trunks('outbound') },
        }
        return [party, behaviour.profile.weight]
      }),
    )
  }

  /** The next call; its first message comes at `atUs`. */
  plan(atUs: number): PlannedCall {
    const random = this.#random
    const { carrier, behaviour, trunks } = this.#parties.draw(random)
    const direction = random.chance(behaviour.profile.inboundShare) ? 'inbound' : 'outbound'
    const trunk = trunks[direction].draw(random)
    const level = severity(this.#trouble, carrier.id, trunk.site.id, atUs)
    const outcome = this.#outcome(behaviour, direction, level)
    const course = drawCourse({
      random,
      behaviour,
      direction,
      outcome,
      pddFactor: 1 + level * (TROUBLE_IN_FULL.pddFactor - 1),
      repeats: trunk.toFar.ipProtocol === 17,
    })
    const attestation = this.#attestation(behaviour, direction, level)
    const mirrored = this.#customerLegs && trunk.site.mirrorsCustomers
    const invitedAtUs = mirrored && direction === 'outbound' ? atUs + SBC_DELAY_US : atUs
    const leg = this.#carrierLeg(carrier, trunk, direction, invitedAtUs, course, attestation, outcome)
    return {
      number: this.#number++,
      outcome,
      carrierLeg: leg,
      customerLeg: mirrored ? this.#customerLeg(leg, outcome, trunk.site) : undefined,
      expected: expectedOf(leg, direction, trunk, outcome, attestation),
    }
  }

  #outcome(behaviour: Behaviour, direction: Direction, level: number): Outcome {
    const point = this.#random.fraction() / (level || 1)
    if (level > 0 && direction === 'outbound') {
      const { outOfPatienceShare, routeAdvancedShare, terminatedByCarrierShare } = TROUBLE_IN_FULL
      if (point < outOfPatienceShare) return 'out_of_patience'
      if (point < outOfPatienceShare + routeAdvancedShare) return 'route_advanced'
      if (point < outOfPatienceShare + routeAdvancedShare + terminatedByCarrierShare) {
        return 'terminated_by_carrier'
      }
    }
    return behaviour.outcomes[direction].draw(this.#random)
  }

  #attestation(behaviour: Behaviour, direction: Direction, level: number): Attestation {
    const attestation = behaviour.attestations[direction].draw(this.#random)
    const lost = direction === 'inbound' && this.#random.chance(level * TROUBLE_IN_FULL.attestationLostShare)
    return lost ? 'none' : attestation
  }

  #carrierLeg(
    carrier: DemoCarrier,
    trunk: DemoTrunk,
    direction: Direction,
    invitedAtUs: number,
    course: Course,
    attestation: Attestation,
    outcome: Outcome,
  ): PlannedLeg {
    const random = this.#random
    const outbound = direction === 'outbound'
    const ours = drawNumber(random, trunk.site.region)
    const theirs = drawNumber(random, random.pick(carrier.regions))
    const caller = outbound ? ours : theirs
    const callee = outbound ? theirs : ours
    const carrierAgent = `${carrier.name} SSW 4`
    const id = random.hex(4)
    const ending = endingOf(outcome)
    return {
      connection: trunk,
      fromSbc: outbound,
      callId: `${uniqueAt(invitedAtUs, id.slice(0, 8))}@${outbound ? trunk.site.id : carrier.id}.example`,
      fromTag: random.hex(1),
      toTag: random.hex(1),
      branch: `z9hG4bK${id.slice(8, 24)}`,
      cseq: 1 + random.integer(900),
      caller,
      callee,
      callerName: outbound ? random.pick(NAMES) : '',
      anonymous: !outbound && random.chance(0.03),
      callingAgent: outbound ? SBC_AGENT : carrierAgent,
      calledAgent: outbound ? carrierAgent : SBC_AGENT,
      identity: this.#passports.identity({
        attestation,
        signer: outbound ? 'platform.example' : `${carrier.id}.example`,
        caller,
        callee,
        issuedAtS: Math.floor(invitedAtUs / 1_000_000),
      }),
      mediaPort: 2 * random.integer(4_000),
      ...timesOf(course, invitedAtUs),
      final: course.final && {
        atUs: invitedAtUs + course.final.afterUs,
        code: ending.code ?? 0,
        phrase: ending.phrase ?? '',
        reason: ending.reason ?? '',
        contact: outcome === 'redirected' ? drawNumber(random, carrier.regions[0]!) : '',
        copiesAtUs: course.final.copiesAfterUs.map((afterUs) => invitedAtUs + afterUs),
      },
      cancel:
        course.cancelAfterUs > 0
          ? { atUs: invitedAtUs + course.cancelAfterUs, reason: ending.cancelReason ?? '' }
          : undefined,
    }
  }

  #customerLeg(leg: PlannedLeg, outcome: Outcome, site: DemoSite): PlannedLeg | undefined {
    const random = this.#random
    const customer = random.pick(DEMO_CUSTOMERS)
    return customerLegOf(leg, outcome, {
      connection: customer.lines.get(site)!,
      agent: `${customer.name} PBX 12`,
      callId: `${uniqueAt(leg.invitedAtUs, random.hex(1))}@${leg.fromSbc ? customer.id : site.id}.example`,
      fromTag: random.hex(1),
      toTag: random.hex(1),
      branch: `z9hG4bK${random.hex(2)}`,
    })
  }
}

/** The same seed at another time gives other Call-IDs: a demo that is started again continues no call of the first. */
function uniqueAt(atUs: number, random: string): string {
  return `${atUs.toString(36)}-${random}`
}

function timesOf(course: Course, invitedAtUs: number) {
  const at = (afterUs: number) => (afterUs === 0 ? 0 : invitedAtUs + afterUs)
  return {
    invitedAtUs,
    inviteCopiesAtUs: course.inviteCopiesAfterUs.map(at),
    challengedAtUs: at(course.challengedAfterUs),
    retriedAtUs: at(course.retriedAfterUs),
    tryingAtUs: at(course.tryingAfterUs),
    progress: course.progress.map(({ afterUs, code, sdp }) => ({ atUs: at(afterUs), code, sdp })),
    bye: course.bye && { atUs: at(course.bye.afterUs), from: course.bye.from },
    callerAnswersInUs: course.callerAnswersInUs,
    calleeAnswersInUs: course.calleeAnswersInUs,
  }
}

/** The answer sheet, from the plan alone. */
function expectedOf(
  leg: PlannedLeg,
  direction: Direction,
  trunk: DemoTrunk,
  outcome: Outcome,
  attestation: Attestation,
): ExpectedAttempt {
  const { disposition, cancelClass } = endingOf(outcome)
  const answeredAtUs = disposition === 'ANSWERED' ? leg.final!.atUs : undefined
  const firstHeardAtUs = leg.progress[0]?.atUs ?? answeredAtUs
  const lastInviteAtUs = Math.max(leg.invitedAtUs, leg.retriedAtUs, ...leg.inviteCopiesAtUs)
  return {
    callId: leg.callId,
    fromTag: leg.fromTag,
    carrier: trunk.carrierId,
    site: trunk.site.id,
    direction,
    sbcAddress: trunk.sbcAddress,
    farAddress: trunk.farAddress,
    agentId: trunk.site.agentId,
    invitedAtUs: leg.invitedAtUs,
    closedAtUs: leg.final?.atUs ?? lastInviteAtUs + TIMEOUT_US,
    finalCode: leg.final?.code ?? 0,
    disposition,
    cancelClass: cancelClass ?? '',
    rang: leg.progress.length > 0,
    attestation,
    pddMs: firstHeardAtUs === undefined ? null : (firstHeardAtUs - leg.invitedAtUs) / 1_000,
    durationMs: answeredAtUs === undefined ? null : (leg.bye!.atUs - answeredAtUs) / 1_000,
    byeAtUs: leg.bye?.atUs ?? 0,
    byeFrom: leg.bye?.from ?? '',
    tries: leg.retriedAtUs === 0 ? 1 : 2,
    inviteRetransmissions: leg.inviteCopiesAtUs.length,
    callingNumber: leg.caller,
    calledNumber: leg.callee,
  }
}
