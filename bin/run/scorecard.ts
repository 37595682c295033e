/**
 * `trunkscope scorecard`: asks the API for a document and puts it where it is wanted. From a folder it is the same API over
 * the embedded engine, without a socket; so both ways give the same bytes.
 *
 * Throws   what the API says, with its code; TRUNKSCOPE_SCORECARD_NO_ANSWER when nobody answers.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileName } from '../../api/routes/scorecards.js'
import { weekOf } from '../../api/scorecards/week.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { ScorecardCommandOptions } from '../commands/scorecard.js'
import { authorization, causeOf, refused, withApi } from './ask-api.js'

const NO_ANSWER = 'TRUNKSCOPE_SCORECARD_NO_ANSWER'
const TIMEOUT_MS = 60_000
/** A scorecard takes seconds, a printed one up to twenty more, and a schedule makes many. */
const SCHEDULE_TIMEOUT_MS = 900_000

interface Answer {
  status: number
  body: Buffer
}

export async function runScorecard(
  options: ScorecardCommandOptions,
  write: (part: string | Uint8Array) => void,
): Promise<void> {
  if (options.schedule !== undefined) return runSchedule(options.schedule, options.from, write)
  const week = weekOf(options.week, Math.floor(Date.now() / 1_000)).id
  const { carrier, format, from } = options
  const path =
    (carrier === undefined ? '/v1/scorecards' : `/v1/carriers/${encodeURIComponent(carrier)}/scorecard`) +
    `?week=${week}&format=${format}`
  const { status, body } =
    from.kind === 'api'
      ? await askApi(from.url, path, from.tokenFile)
      : await askFolder(from.dataDir, from.config, path)
  if (status !== 200) throw refused(status, body, NO_ANSWER)
  if (options.outFolder === undefined) {
    write(body)
    return
  }
  mkdirSync(options.outFolder, { recursive: true })
  const file = join(options.outFolder, `${fileName(`scorecard-${week}-${carrier ?? 'all'}`)}.${format}`)
  writeFileSync(file, body)
  write(`${file}\n`)
}

async function runSchedule(
  schedule: string,
  from: ScorecardCommandOptions['from'],
  write: (part: string) => void,
): Promise<void> {
  if (from.kind !== 'api') throw new Error('a schedule fires in a running API')
  const path = `/v1/scorecards/schedules/${encodeURIComponent(schedule)}/run`
  const { status, body } = await askApi(from.url, path, from.tokenFile, 'POST', SCHEDULE_TIMEOUT_MS)
  if (status !== 200) throw refused(status, body, NO_ANSWER)
  const { outcome, documents } = JSON.parse(body.toString('utf8')) as {
    outcome: 'done' | 'failed'
    documents: { id: string; file_name: string; size_bytes: number }[]
  }
  for (const { id, file_name, size_bytes } of documents)
    write(`${file_name}  ${size_bytes} bytes  ${from.url}/v1/documents/${id}\n`)
  if (outcome === 'done') return
  throw Object.assign(new Error(`Not all scorecards of schedule ${schedule} could be made.`), {
    code: 'TRUNKSCOPE_SCORECARD_NOT_ALL',
    fix: 'The log of the process that answers at --url says why; then run it again',
  })
}

async function askApi(
  url: string,
  path: string,
  tokenFile: string | undefined,
  method: 'GET' | 'POST' = 'GET',
  timeoutMs = TIMEOUT_MS,
): Promise<Answer> {
  const headers = authorization(tokenFile)
  try {
    // A token goes where it was meant to go, and nowhere a server may send it on to.
    const response = await fetch(`${url}${path}`, {
      method,
      headers,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
  } catch (cause) {
    throw Object.assign(new Error(`${url} gives no answer (${causeOf(cause)}).`, { cause }), {
      code: NO_ANSWER,
      fix: 'Is the address right, and does Trunkscope run there? trunkscope start prints its address',
    })
  }
}

async function askFolder(dataDir: string, config: TrunkscopeConfig, path: string): Promise<Answer> {
  return withApi(dataDir, config, async (app) => {
    const response = await app.inject({ url: path })
    return { status: response.statusCode, body: response.rawPayload }
  })
}
