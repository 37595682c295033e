/**
 * `trunkscope scorecard`: asks the API for a document and puts it where it is wanted. From a folder it is the same API over
 * the embedded engine, without a socket; so both ways give the same bytes.
 *
 * Throws   what the API says, with its code; TRUNKSCOPE_SCORECARD_NO_ANSWER when nobody answers.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildApp } from '../../api/app.js'
import { fileName } from '../../api/routes/scorecards.js'
import { weekOf } from '../../api/scorecards/week.js'
import { applySchema } from '../../collector/store/schema.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { ScorecardCommandOptions } from '../commands/scorecard.js'
import { type Engine, openEmbeddedEngine } from '../connect/clickhouse.js'
import { openDataFolder } from '../connect/data-folder.js'

const TIMEOUT_MS = 60_000

interface Answer {
  status: number
  body: Buffer
}

export async function runScorecard(
  options: ScorecardCommandOptions,
  write: (part: string | Uint8Array) => void,
): Promise<void> {
  const week = weekOf(options.week, Math.floor(Date.now() / 1_000)).id
  const { carrier, format, from } = options
  const path =
    (carrier === undefined ? '/v1/scorecards' : `/v1/carriers/${encodeURIComponent(carrier)}/scorecard`) +
    `?week=${week}&format=${format}`
  const { status, body } =
    from.kind === 'api'
      ? await askApi(from.url, path, from.tokenFile)
      : await askFolder(from.dataDir, from.config, path)
  if (status !== 200) throw refused(status, body)
  if (options.outFolder === undefined) {
    write(body)
    return
  }
  mkdirSync(options.outFolder, { recursive: true })
  const file = join(options.outFolder, `${fileName(`scorecard-${week}-${carrier ?? 'all'}`)}.${format}`)
  writeFileSync(file, body)
  write(`${file}\n`)
}

async function askApi(url: string, path: string, tokenFile: string | undefined): Promise<Answer> {
  const headers: Record<string, string> =
    tokenFile === undefined ? {} : { authorization: `Bearer ${tokenOf(tokenFile)}` }
  try {
    // A token goes where it was meant to go, and nowhere a server may send it on to.
    const response = await fetch(`${url}${path}`, {
      headers,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
  } catch (cause) {
    throw Object.assign(new Error(`${url} gives no answer (${causeOf(cause)}).`, { cause }), {
      code: 'TRUNKSCOPE_SCORECARD_NO_ANSWER',
      fix: 'Is the address right, and does Trunkscope run there? trunkscope start prints its address',
    })
  }
}

function tokenOf(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw noToken(`The token file ${file} cannot be read (${causeOf(cause)}).`, cause)
  }
  // Header values hold no line ends; and a file with more than a token is some other file.
  if (/^[\x21-\x7e]+$/.test(text)) return text
  throw noToken(`The token file ${file} does not hold one token and nothing else.`)
}

function noToken(sentence: string, cause?: unknown): Error {
  return Object.assign(new Error(sentence, { cause }), {
    code: 'TRUNKSCOPE_SCORECARD_TOKEN_FILE',
    fix: 'Put the first line that trunkscope token printed into it',
  })
}

function causeOf(error: unknown): string {
  const { cause, code, message } = error as { cause?: { code?: string }; code?: string; message: string }
  return cause?.code ?? code ?? message
}

/** Nobody captures: the folder reaches as far as its last flush had come. */
async function askFolder(dataDir: string, config: TrunkscopeConfig, path: string): Promise<Answer> {
  const folder = openDataFolder(dataDir)
  try {
    const engine = openEmbeddedEngine(folder.path)
    try {
      await applySchema(engine.writer, config.retention)
      const asOfUs = await lastFlushUs(engine)
      const app = await buildApp({
        readers: engine.readers,
        config,
        tokens: undefined,
        demo: false,
        live: () => ({ ...IDLE, asOfUs }),
        metrics: async () => '',
      })
      try {
        const response = await app.inject({ url: path })
        return { status: response.statusCode, body: response.rawPayload }
      } finally {
        await app.close()
      }
    } finally {
      await engine.close()
    }
  } finally {
    folder.release()
  }
}

const IDLE = {
  startedAtUs: 0,
  ready: true,
  problem: '',
  listening: { hepUdp: '', hepTcp: '', http: '' },
  bufferAskedBytes: 0,
  bufferGrantedBytes: 0,
  accepted: [],
  refused: [],
  kernelDrops: 0,
  spoolBytes: 0,
  spoolLagBytes: 0,
  openAttempts: 0,
  flushSecondsLast: 0,
  storedMessages: 0,
  lastFrame: undefined,
}

async function lastFlushUs(engine: Engine): Promise<number> {
  const result = await engine.writer.query({
    query: 'SELECT max(as_of_us) AS as_of_us FROM store_checkpoints',
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ as_of_us: string }>()
  return Number(row?.as_of_us ?? 0)
}

function refused(status: number, body: Buffer): Error {
  let problem: { code?: unknown; detail?: unknown } = {}
  try {
    problem = JSON.parse(body.toString('utf8')) as typeof problem
  } catch {
    // A proxy in between answers in its own words.
  }
  const { code, detail } = problem
  return Object.assign(
    new Error(
      typeof detail === 'string' ? detail : `The answer is HTTP ${status}, and not one of Trunkscope.`,
    ),
    { code: typeof code === 'string' ? code : 'TRUNKSCOPE_SCORECARD_NO_ANSWER' },
  )
}
