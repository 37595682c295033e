/**
 * What begins to fire about a carrier is set beside the other carriers on the same destinations: is it the carrier, or the
 * destination (docs/peers.md)? The answer stands in the annotations `peers` and `peers_sentence` and behind the likely cause.
 *
 * Asked are alerts on numbers that calls the network did not carry move: the comparison is in NER, and says nothing about
 * delays, lengths of calls, or calls that do not come.
 *
 * Takes    what the samples of those alerts were asked by.
 * Returns  a verdict by key, and the sentence for the log when not all could be read.
 * Throws   nothing: an alert goes out without a comparison rather than late, or not at all.
 */
import { type AlertedVerdict, alertedVerdict } from '../peers/alerted.js'
import type { AlertNumbers, SampleAsk, Window } from './numbers.js'
import type { AlertRow, Condition } from './state.js'

/** Numbers of the catalog that the failures of the NER move. */
const FAILURE_KPIS: ReadonlySet<string> = new Set([
  'ner',
  'availability',
  'asr',
  'seer',
  'isa',
  'no_response_rate',
  'pre_ring_487_rate',
  'rate_5xx',
])

/** One answers for all carriers of a window and its sites, so a storm costs no more. */
const STATEMENTS_MAX = 4
/** All of them together: an evaluation waits no longer. */
const WAIT_MS = 5_000
/** Attempts themselves are read: of a longer window its end. */
const SPAN_MAX_S = 21_600

export interface PeersRead {
  verdicts: ReadonlyMap<string, AlertedVerdict>
  /** '' when nothing is missing. */
  problem: string
}

interface PeersAsk {
  window: Window
  /** undefined: all. */
  sites: readonly string[] | undefined
  about: { key: string; carrier: string }[]
}

export async function readPeersOf(
  numbers: Pick<AlertNumbers, 'peers'>,
  samples: readonly SampleAsk[],
): Promise<PeersRead> {
  const verdicts = new Map<string, AlertedVerdict>()
  const asks = asksOf(samples)
  if (asks.length === 0) return { verdicts, problem: '' }
  let isOver = false
  const reading = async () => {
    for (const { window, sites, about } of asks.slice(0, STATEMENTS_MAX)) {
      const counts = await numbers.peers(window, sites)
      if (isOver) return
      for (const { key, carrier } of about) verdicts.set(key, alertedVerdict(carrier, counts))
    }
  }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${WAIT_MS / 1_000} s`)), WAIT_MS)
  })
  try {
    await Promise.race([reading(), late])
    return { verdicts, problem: '' }
  } catch (error) {
    return { verdicts, problem: (error as Error).message.split('\n')[0]! }
  } finally {
    // What still runs in the store ends by its own limits, and is not listened to.
    isOver = true
    clearTimeout(timer)
  }
}

function asksOf(samples: readonly SampleAsk[]): PeersAsk[] {
  const asks = new Map<string, PeersAsk>()
  for (const { key, kpi, carrier, site, sites: ofRule, window } of samples) {
    if (carrier === undefined || carrier === 'unknown' || !FAILURE_KPIS.has(kpi)) continue
    const sites = site === undefined ? ofRule : [site]
    const { toS } = window
    const fromS = Math.max(window.fromS, toS - SPAN_MAX_S)
    const name = JSON.stringify([fromS, toS, sites])
    const ask = asks.get(name) ?? { window: { fromS, toS }, sites, about: [] }
    ask.about.push({ key, carrier })
    asks.set(name, ask)
  }
  return [...asks.values()]
}

export function withPeers(condition: Condition, judged: AlertedVerdict | undefined): Condition {
  if (judged === undefined) return condition
  const { likely_cause: cause = '', ...annotations } = condition.annotations
  return {
    ...condition,
    annotations: {
      ...annotations,
      likely_cause: [cause, judged.sentence].filter((text) => text !== '').join('; '),
      peers: judged.verdict,
      peers_sentence: judged.sentence,
    },
  }
}

/** As it was told when the alert began. */
export function toldPeers({ annotations: { peers, peers_sentence } }: AlertRow): AlertedVerdict | undefined {
  return peers === undefined || peers_sentence === undefined
    ? undefined
    : { verdict: peers, sentence: peers_sentence }
}
