/**
 * The dispute pack: one zip that says what a carrier failed at in a window, and lets anybody check it.
 *
 * How      Everything is read first, bounded: counts and numbers by the store, failed attempts up to a cap, the messages of
 *          the sample calls up to MESSAGES_MAX_BYTES. Then the attempts are looked at once more: when they changed meanwhile,
 *          all is read again. Only then the first byte leaves; drawing and packing go on while it streams.
 * Bytes    The same request, `as_of` included, gives the same bytes while the attempts of the window, the configuration, the
 *          version of Trunkscope and the rights of who asks are the same: nothing else goes in. What was stored since `as_of`
 *          refuses the request (attempts-state.ts).
 * Throws   ApiError: no such carrier, changed, too large, or what the readers throw.
 */
import { createHash } from 'node:crypto'
import { isAtLeast } from '../../schemas/tokens.js'
import { pcapOf } from '../../sip/pcap-writer.js'
import type { CallLadder } from '../attempts/call-ladder.js'
import type { StoredMessage } from '../attempts/call-messages.js'
import { explanationOf } from '../attempts/explanation.js'
import { ladderOf } from '../attempts/ladder.js'
import type { SeenDeps } from '../deps.js'
import { ApiError } from '../errors.js'
import { ALL_KPIS } from '../kpi/query.js'
import { readKpiGroups } from '../kpi/series.js'
import { emptySums, type Sums } from '../kpi/sums.js'
import { maskedAttempt } from '../masking.js'
import { ladderSvg } from '../page/ladder-svg.js'
import { ROWS } from '../scorecards/rows.js'
import { targetResults } from '../scorecards/targets.js'
import { isoOf, shown } from '../time-span.js'
import { type AttemptEvidence, readEvidence } from './attempt-evidence.js'
import type { PackScope } from './attempt-filter.js'
import { type AttemptsState, asOfOf, readState } from './attempts-state.js'
import { callText } from './call-text.js'
import { failureClasses } from './classes.js'
import type { PackContents, WindowRow } from './contents.js'
import { readCounts } from './counts.js'
import { creditOf } from './credit.js'
import { listFailed, sampleFailed } from './failed-attempts.js'
import { formulasText } from './formulas.js'
import { readWindowTokens } from './identity-window.js'
import { manifestText } from './manifest.js'
import { readmeText } from './readme.js'
import { type ReportCall, reportPage } from './report.js'
import type { PackRequest } from './request.js'
import { ladderMessagesOf, readSampleCalls, type SampleCall } from './sample-calls.js'
import { countsCsv, scorecardCsv, tapCsv } from './tables.js'
import { readTapWindow } from './tap-window.js'
import { packageVersion } from './version.js'
import { breather, PackZip } from './zip.js'

const READ_MAX = 3
/** Packets of the pcap that are packed in one go. */
const PCAP_PIECE = 200

export interface Pack {
  /** Without the ending; also the folder in it. */
  name: string
  asOf: string
  calls: number
  bytes: AsyncGenerator<Uint8Array>
}

interface Read {
  contents: PackContents
  table: readonly string[]
  identityTable: readonly string[]
  calls: readonly SampleCall[]
  /** Of the sample calls, by id. */
  evidence: ReadonlyMap<string, AttemptEvidence>
}

export async function makePack(deps: SeenDeps, request: PackRequest): Promise<Pack> {
  const breath = breather()
  for (let round = 1; ; round++) {
    const read = await readPack(deps, request, breath)
    if (read !== undefined) {
      const name = nameOf(read.contents)
      const { asOf, calls } = read.contents
      return { name, asOf, calls: calls.given, bytes: packBytes(deps, name, read, breath) }
    }
    if (round < READ_MAX) continue
    throw new ApiError(
      'TRUNKSCOPE_API_PACK_CHANGED',
      'attempts of the window kept changing while the pack was made; try again, or write a to= that lies some minutes ago',
      { parameter: 'to' },
    )
  }
}

/** undefined: the attempts changed while they were read. */
async function readPack(
  deps: SeenDeps,
  request: PackRequest,
  breath: () => Promise<void>,
): Promise<Read | undefined> {
  const { readers, config } = deps
  const configured = config.carriers.find(({ id }) => id === request.carrier)
  const pddTargetS = configured?.targets?.pdd_p95_s
  const classes = failureClasses(pddTargetS === undefined ? undefined : pddTargetS * 1_000)
  const scope: PackScope = { request, classes: classes.filter(({ id }) => request.classes.includes(id)) }
  const state = await readState(readers, scope, request.asOfS)
  let asOfS = asOfOf(request, state, deps.nowUs())
  const sums = await readSums(deps, request)
  const counts = await readCounts(readers, scope)
  const table = await listFailed(deps, scope, breath)
  const tokens = await readWindowTokens(deps, request)
  const sampled = await sampleFailed(readers, scope)
  const sample = await readSampleCalls(readers, sampled, breath)
  const evidence = await readEvidence(
    readers,
    request,
    sampled.map(({ attempt }) => attempt),
  )
  if (request.asOfS === undefined) asOfS = Math.max(asOfS, sample.storedS)
  else if (sample.storedS > asOfS) throw storedAgain(asOfS, sample.storedS)
  const tap = await readTapWindow(deps, request)
  const after = await readState(readers, scope, request.asOfS)
  // What was stored meanwhile is later than the moment that was asked for.
  asOfOf(request, after, deps.nowUs())
  if (!isSameState(after, state)) return undefined
  const asOf = isoOf(asOfS * 1e6)
  return {
    calls: sample.calls,
    table: table.parts,
    identityTable: table.identity.parts,
    evidence,
    contents: {
      request,
      asOf,
      from: isoOf(request.fromS * 1e6),
      to: isoOf(request.toS * 1e6),
      carrier: {
        id: request.carrier,
        name: configured?.name ?? request.carrier,
        is_configured: configured !== undefined,
      },
      classes: scope.classes,
      state,
      counts,
      rows: rowsOf(sums),
      targets: targetResults(configured?.targets, sums),
      credit: creditOf(configured, sums, request),
      tap,
      listed: table.listed,
      evidence: table.evidence,
      identity: table.identity.counts,
      tokens,
      thresholds: { ...config.thresholds.early_media, ...config.thresholds.fas },
      calls: {
        given: sample.calls.length,
        without_messages: sample.calls.filter(({ messages }) => messages.length === 0).length,
        cut: sample.calls.filter(({ isCut }) => isCut).length,
      },
      version: packageVersion(),
      configurationSha256: sha256(
        JSON.stringify([
          request.carrier,
          configured?.name ?? null,
          configured?.targets ?? null,
          configured?.credits ?? null,
          configured?.monthly_charge ?? null,
          configured?.spcs ?? null,
          config.thresholds,
        ]),
      ),
      repeat: addressOf(request, asOf),
    },
  }
}

function isSameState(one: AttemptsState, other: AttemptsState): boolean {
  return (
    one.digest === other.digest &&
    one.evidenceDigest === other.evidenceDigest &&
    one.attempts === other.attempts
  )
}

/** From the attempts themselves: rollups know nothing of `as_of`. */
async function readSums({ readers, config }: SeenDeps, { carrier, fromS, toS }: PackRequest): Promise<Sums> {
  if (carrier === 'unknown') throw noSuchCarrier(carrier)
  try {
    const [group] = await readKpiGroups(readers, config, {
      fromUs: fromS * 1e6,
      toUs: toS * 1e6,
      groupBy: [],
      stepS: null,
      kpis: ALL_KPIS,
      where: { carrier: [carrier], site: [], direction: [] },
      exact: true,
    })
    return group?.total ?? emptySums()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.code === 'TRUNKSCOPE_API_UNKNOWN_CARRIER') throw noSuchCarrier(carrier)
    if (error.code !== 'TRUNKSCOPE_API_QUERY_LIMIT') throw error
    throw new ApiError(
      'TRUNKSCOPE_API_QUERY_LIMIT',
      'the window holds more attempts than one pack can read; write a shorter one, from a later from= to an earlier to=',
      { parameter: 'from' },
      error,
    )
  }
}

function noSuchCarrier(id: string): ApiError {
  return new ApiError(
    'TRUNKSCOPE_API_NO_SUCH_CARRIER',
    `${shown(id)} is neither configured nor stored; /v1/carriers lists the carriers`,
  )
}

function storedAgain(asOfS: number, storedS: number): ApiError {
  return new ApiError(
    'TRUNKSCOPE_API_PACK_CHANGED',
    `messages of the sample calls were stored after as_of=${isoOf(asOfS * 1e6)}, so the pack of that moment cannot be made again; ` +
      `write as_of=${isoOf(storedS * 1e6)} or later, or leave it out`,
    { parameter: 'as_of' },
  )
}

function rowsOf(sums: Sums): WindowRow[] {
  return ROWS.map((row) => {
    const { lowConfidence, ...measured } = row.of(sums)
    const { id, name, unit, better, version } = row
    return { id, name, unit, better, version, ...measured, low_confidence: lowConfidence }
  })
}

async function* packBytes(
  deps: SeenDeps,
  name: string,
  { contents, table, identityTable, calls, evidence }: Read,
  breath: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const zip = new PackZip(name, Date.parse(contents.asOf), breath)
  const files = calls.map((call, at) => ({ call, file: fileOf(call, at) }))
  yield* zip.file('README.txt', [readmeText(contents)])
  yield* zip.file('report.html', [reportPage(contents, files.map(reportCall)).text])
  yield* zip.file('counts.csv', [countsCsv(contents.counts)])
  yield* zip.file('counts.json', [countsJson(contents)])
  yield* zip.file('scorecard.csv', [scorecardCsv(contents)])
  yield* zip.file('scorecard.json', [json(scorecardOf(contents))])
  yield* zip.file('credit.json', [json(contents.credit)])
  yield* zip.file('tap.csv', [tapCsv(contents)])
  yield* zip.file('formulas.txt', [formulasText(contents)])
  yield* zip.file('attempts.csv', table)
  yield* zip.file('identity.csv', identityTable)
  yield* zip.file('identity.json', [json(identityOf(contents))])
  for (const { call, file } of files) {
    const drawn = ladderMessagesOf(call)
    const found = evidence.get(call.attempt.attempt_id)!
    const ladder = ladderOfCall(deps, contents, call, drawn, found)
    if (drawn.length > 0) yield* zip.file(`${file}.svg`, [ladderSvg(ladder).text, '\n'])
    yield* zip.file(`${file}.txt`, callText(attemptFor(deps, call), ladder, drawn, found))
  }
  yield* zip.file('calls.pcap', pcapPieces(calls.flatMap(({ messages }) => messages)))
  const scope = deps.principal.carriers === 'all' ? 'all' : 'some'
  yield* zip.file('manifest.json', [manifestText(contents, scope, zip.sums)])
  yield* zip.file(
    'SHA256SUMS',
    zip.sums.map(({ name: listed, sha256: sum }) => `${sum}  ${listed}\n`),
  )
  yield* zip.end()
}

function attemptFor({ principal }: SeenDeps, { attempt }: SampleCall) {
  return isAtLeast(principal.role, 'investigator') ? attempt : maskedAttempt(attempt)
}

function ladderOfCall(
  deps: SeenDeps,
  { carrier }: PackContents,
  call: SampleCall,
  messages: ReturnType<typeof ladderMessagesOf>,
  { verdict }: AttemptEvidence,
): CallLadder {
  const attempt = attemptFor(deps, call)
  const names = new Map([[attempt.far_address, carrier.name]])
  names.set(attempt.sbc_address, `SBC ${attempt.site}`.trim())
  names.delete('')
  const drawn = ladderOf(messages, names)
  return {
    attempt_id: attempt.attempt_id,
    legs: [
      {
        attempt_id: attempt.attempt_id,
        name: carrier.name,
        direction: attempt.direction,
        site: attempt.site,
      },
    ],
    ...drawn,
    explanation: explanationOf(attempt, drawn.arrows, deps.config.thresholds, verdict),
    is_cut: call.isCut,
  }
}

/** Of the number in the pack and the attempt id: nothing from the wire. */
function fileOf({ attempt }: SampleCall, at: number): string {
  return `calls/${String(at + 1).padStart(4, '0')}-${attempt.attempt_id}`
}

function reportCall({ call: { attempt, messages }, file }: { call: SampleCall; file: string }): ReportCall {
  const { final_code: code, disposition, cancel_class } = attempt
  return {
    file,
    at: attempt.invited_at_us > 0 ? isoOf(attempt.invited_at_us) : attempt.minute,
    outcome: `${code === 0 ? 'no final response' : code} ${disposition}${cancel_class === '' ? '' : `, ${cancel_class}`}`,
    has_messages: messages.length > 0,
  }
}

/** In the order of capture over all calls. */
function* pcapPieces(messages: readonly StoredMessage[]): Generator<Uint8Array> {
  const sorted = [...messages].sort((a, b) => a.capturedAtUs - b.capturedAtUs)
  let piece: Uint8Array[] = []
  for (const part of pcapOf(sorted)) {
    piece.push(part)
    if (piece.length < PCAP_PIECE) continue
    yield Buffer.concat(piece)
    piece = []
  }
  yield Buffer.concat(piece)
}

function addressOf({ carrier, fromS, toS, classes, calls }: PackRequest, asOf: string): string {
  const query = `from=${isoOf(fromS * 1e6)}&to=${isoOf(toS * 1e6)}&class=${classes.join(',')}&as_of=${asOf}&calls=${calls}`
  return `/v1/carriers/${encodeURIComponent(carrier)}/dispute-pack?${query}`
}

function nameOf({ carrier, from, to, asOf, request }: PackContents): string {
  const compact = (iso: string) => iso.replace(/[-:]/g, '')
  // An id of an old configuration may hold anything.
  const id = carrier.id.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, 63)
  const about = request.classes.length <= 3 ? request.classes.join('-') : `${request.classes.length}-classes`
  return `dispute-${id}-${compact(from)}-${compact(to)}-${about}-as-of-${compact(asOf)}`
}

/** Not when rows were stored: that is of the store, not of the attempts. */
function countsJson({ state: { attempts, closed, open, incomplete, digest }, counts }: PackContents): string {
  return json({ attempts, closed, open, incomplete, attempts_digest: digest, counts })
}

function scorecardOf({ rows, tokens, targets }: PackContents) {
  return { rows, signatures: tokens.rows, targets }
}

/** What identity.csv holds in sums, and beside it all tokens of the window. */
function identityOf({ identity, tokens }: PackContents) {
  return {
    of_listed_attempts: identity,
    of_the_window: tokens.directions,
    attempts_looked_at: tokens.lookedAt,
    attempts_carrying_one: tokens.carrying,
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
