/**
 * How an agent is doing: one pure function of what is stored of it, and of what the collector says of itself.
 *
 * Takes    an agent with its minutes (`history.ts`), and the collector at `as_of`.
 * Returns  the verdict with its reason in a sentence, other findings, and the numbers they rest on. Formulas and thresholds
 *          with their reasons: docs/tap-health.md.
 * Throws   nothing.
 */
import { count, perHundred, seconds } from './words.js'

export const VERDICTS = ['ok', 'quiet', 'late', 'skewed', 'lossy', 'no_sip', 'blind', 'unknown'] as const
export type Verdict = (typeof VERDICTS)[number]

export const THRESHOLDS = {
  /** The collector tells its time every few seconds; one that has told none for so long knows nothing of now. */
  collectorSilentUs: 60e6,
  /** A minute with SIP is one that holds a SIP message; so many of the hour before the last one are a history. */
  historyMinutes: 3,
  historySpanS: 3_600,
  silentMinUs: 120e6,
  silentGaps: 5,
  lateUs: 5e6,
  /** Minutes that end at as_of, the one that runs included. */
  lateMinutes: 3,
  skewedUs: 1e6,
  skewMinutes: 15,
  skewMessages: 10,
  cutRatio: 0.01,
  cutCount: 3,
  kernelDropRatio: 0.001,
  oneSidedRatio: 0.05,
  oneSidedAttempts: 20,
} as const

/** A minute of arrival, summed over the rows of all bus partitions. */
export interface TapMinute {
  minuteS: number
  frames: number
  sipMessages: number
  udpFrames: number
  /** Without SIP 0. */
  firstSipUs: number
  lastSipUs: number
  timedMessages: number
  /** Smallest (received - captured) of the timed messages. */
  arrivalDelayMinUs: number
  identitySeen: number
  identityCut: number
  sdpSeen: number
  sdpCut: number
}

export interface AgentHistory {
  /** Any frame; SIP (0: none is known). */
  lastSeenUs: number
  lastSipUs: number
  /** Those of the hour up to the last SIP message, and of the hour up to as_of, ascending. */
  minutes: readonly TapMinute[]
  /** At this time a week ago; unknown: the agent was not known then, or talks now so that nobody asked. */
  weekAgo: 'talked' | 'silent' | 'unknown'
  oneSided: { attempts: number; oneSided: number }
}

export interface CollectorView {
  asOfUs: number
  nowUs: number
  /** Since when frames are received without a break. */
  listeningSinceUs: number
  /** '' while all is well. */
  problem: string
  /** Of the datagrams of the last minutes; undefined where another process receives them. */
  kernelDropRatio: number | undefined
}

export interface Skew {
  /** Smallest arrival delay: negative when the agent's clock runs ahead of the collector's. */
  skewUs: number
  /** Highest minus lowest of the minutes: the doubt. */
  spreadUs: number
  messages: number
  minutes: number
}

export interface Finding {
  verdict: Verdict
  why: string
}

export interface Judgement extends Finding {
  also: Finding[]
  /** SIP silence beyond this is too long; undefined without a history. */
  silenceLimitUs: number | undefined
  historyMinutes: number
  skew: Skew | undefined
  latenessUs: number | undefined
}

export function verdictOf(agent: AgentHistory, collector: CollectorView): Judgement {
  const talk = talkOf(agent)
  const skew = skewOf(agent.minutes, collector.asOfUs)
  const latenessUs = latenessOf(agent.minutes, collector.asOfUs)
  const numbers = {
    silenceLimitUs: talk.isHistory ? talk.limitUs : undefined,
    historyMinutes: talk.minutes,
    skew,
    latenessUs,
  }
  const silence = unknownOf(collector) ?? silenceOf(agent, collector, talk)
  if (silence !== undefined) return { ...silence, also: [], ...numbers }
  const findings = [...lossOf(agent, collector), ...clockOf(skew, latenessUs)]
  const [first, ...also] = findings
  return { ...(first ?? { verdict: 'ok', why: '' }), also, ...numbers }
}

function unknownOf({ asOfUs, nowUs, problem }: CollectorView): Finding | undefined {
  if (problem !== '') return { verdict: 'unknown', why: `the collector is not ready: ${problem}` }
  if (asOfUs === 0) return { verdict: 'unknown', why: 'the collector has not received anything yet' }
  const behindUs = nowUs - asOfUs
  if (behindUs <= THRESHOLDS.collectorSilentUs) return undefined
  return {
    verdict: 'unknown',
    why: `the collector is ${seconds(behindUs)} behind: what came since is not known`,
  }
}

interface Talk {
  minutes: number
  isHistory: boolean
  limitUs: number
}

/** How the agent talked in the hour before its last SIP message: at the edges of minutes, which see the long gaps. */
function talkOf({ minutes, lastSipUs }: AgentHistory): Talk {
  const lastMinuteS = Math.floor(lastSipUs / 60e6) * 60
  let talking = 0
  let gapUs = 0
  let before: TapMinute | undefined
  for (const minute of minutes) {
    if (minute.sipMessages === 0 || minute.minuteS > lastMinuteS) continue
    if (minute.minuteS <= lastMinuteS - THRESHOLDS.historySpanS) continue
    talking++
    if (before !== undefined) gapUs = Math.max(gapUs, minute.firstSipUs - before.lastSipUs)
    before = minute
  }
  return {
    minutes: talking,
    isHistory: talking >= THRESHOLDS.historyMinutes,
    limitUs: Math.max(THRESHOLDS.silentMinUs, THRESHOLDS.silentGaps * gapUs),
  }
}

function silenceOf(agent: AgentHistory, collector: CollectorView, talk: Talk): Finding | undefined {
  const { asOfUs, listeningSinceUs } = collector
  const { lastSeenUs, lastSipUs } = agent
  const sipSilentUs = asOfUs - lastSipUs
  const limitUs = talk.isHistory ? talk.limitUs : THRESHOLDS.silentMinUs
  if (lastSipUs > 0 && sipSilentUs <= limitUs) return undefined
  if (lastSipUs === 0)
    return { verdict: 'quiet', why: 'no SIP message of it is known, only keep-alives or refused frames' }
  if (!talk.isHistory) {
    const talked = `${count(talk.minutes, 'minute')} with SIP in the hour before`
    return {
      verdict: 'quiet',
      why: `no SIP for ${seconds(sipSilentUs)}; with ${talked} nothing says that it should talk`,
    }
  }
  if (agent.weekAgo === 'silent') {
    return {
      verdict: 'quiet',
      why: `no SIP for ${seconds(sipSilentUs)}, and none at this time a week ago`,
    }
  }
  const isAlive = asOfUs - lastSeenUs <= limitUs
  const listenedUs = asOfUs - Math.max(isAlive ? lastSipUs : lastSeenUs, listeningSinceUs)
  if (listenedUs <= limitUs) {
    return {
      verdict: 'unknown',
      why: `the collector listens for ${seconds(Math.max(0, listenedUs))} only; the agent may be silent for ${seconds(limitUs)}`,
    }
  }
  const usual = `${count(talk.minutes, 'minute')} with SIP in the hour before`
  return isAlive
    ? { verdict: 'no_sip', why: `frames come, but no SIP for ${seconds(sipSilentUs)}; ${usual}` }
    : { verdict: 'blind', why: `silent for ${seconds(asOfUs - lastSeenUs)}; ${usual}` }
}

function lossOf({ minutes, oneSided }: AgentHistory, collector: CollectorView): Finding[] {
  const recent = minutes.filter(({ minuteS }) => minuteS > collector.asOfUs / 1e6 - THRESHOLDS.historySpanS)
  const sum = (get: (minute: TapMinute) => number) => recent.reduce((total, minute) => total + get(minute), 0)
  const findings: Finding[] = []
  const drops = collector.kernelDropRatio
  if (drops !== undefined && drops > THRESHOLDS.kernelDropRatio && sum((minute) => minute.udpFrames) > 0) {
    findings.push({
      verdict: 'lossy',
      why: `the kernel dropped ${perHundred(drops)} of the datagrams of all agents`,
    })
  }
  for (const [what, cut, seen] of [
    ['Identity', sum((minute) => minute.identityCut), sum((minute) => minute.identitySeen)],
    ['SDP', sum((minute) => minute.sdpCut), sum((minute) => minute.sdpSeen)],
  ] as const) {
    if (cut < THRESHOLDS.cutCount || cut / seen <= THRESHOLDS.cutRatio) continue
    findings.push({
      verdict: 'lossy',
      why: `${what} is cut in ${perHundred(cut / seen)} of ${seen} messages`,
    })
  }
  const ratio = oneSided.oneSided / oneSided.attempts
  if (oneSided.attempts >= THRESHOLDS.oneSidedAttempts && ratio > THRESHOLDS.oneSidedRatio) {
    findings.push({
      verdict: 'lossy',
      why: `one direction is missing in ${perHundred(ratio)} of ${oneSided.attempts} attempts`,
    })
  }
  return findings
}

function clockOf(skew: Skew | undefined, latenessUs: number | undefined): Finding[] {
  // What comes late looks like a clock that is behind, so it is called one thing only.
  if (latenessUs !== undefined && latenessUs >= THRESHOLDS.lateUs) {
    return [
      {
        verdict: 'late',
        why: `messages come ${seconds(latenessUs)} later after their capture than within the hour before`,
      },
    ]
  }
  if (skew === undefined || skew.messages < THRESHOLDS.skewMessages) return []
  if (Math.abs(skew.skewUs) < THRESHOLDS.skewedUs) return []
  return [
    {
      verdict: 'skewed',
      why:
        skew.skewUs < 0
          ? `its clock is ${seconds(-skew.skewUs)} ahead of the collector's`
          : `its clock is ${seconds(skew.skewUs)} behind the collector's, or its messages take that long`,
    },
  ]
}

/** The median over the last minutes of the smallest arrival delay of each. */
export function skewOf(minutes: readonly TapMinute[], asOfUs: number): Skew | undefined {
  const fromS = minuteOf(asOfUs) - (THRESHOLDS.skewMinutes - 1) * 60
  const timed = minutes.filter(({ minuteS, timedMessages }) => timedMessages > 0 && minuteS >= fromS)
  if (timed.length === 0) return undefined
  const delaysUs = timed.map(({ arrivalDelayMinUs }) => arrivalDelayMinUs).sort((a, b) => a - b)
  return {
    skewUs: delaysUs[(delaysUs.length - 1) >> 1]!,
    spreadUs: delaysUs.at(-1)! - delaysUs[0]!,
    messages: timed.reduce((sum, { timedMessages }) => sum + timedMessages, 0),
    minutes: timed.length,
  }
}

/** The smallest arrival delay of the last minutes above the smallest of the hour. */
export function latenessOf(minutes: readonly TapMinute[], asOfUs: number): number | undefined {
  const smallest = (from: number) => {
    const timed = minutes.filter(({ minuteS, timedMessages }) => timedMessages > 0 && minuteS >= from)
    return Math.min(...timed.map(({ arrivalDelayMinUs }) => arrivalDelayMinUs))
  }
  const nowS = minuteOf(asOfUs)
  const nowUs = smallest(nowS - (THRESHOLDS.lateMinutes - 1) * 60)
  if (!Number.isFinite(nowUs)) return undefined
  return nowUs - smallest(nowS - THRESHOLDS.historySpanS + 60)
}

const minuteOf = (us: number) => Math.floor(us / 60e6) * 60
