// tidy: tested by test/bin/run/scorecard.test.ts
/**
 * What commands that ask the API share: the API over the folder of a stopped `trunkscope start`, without a socket; the token for one
 * that runs; and what it says when it refuses.
 */
import { readFileSync } from 'node:fs'
import { buildApp } from '../../api/app.js'
import type { App } from '../../api/deps.js'
import { liveStatus } from '../../collector/live.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { Engine } from '../connect/clickhouse.js'
import { withFolder } from '../connect/open-store.js'
import { processLog, requestsTo } from './log.js'

/** Over a folder. Nobody captures: it reaches as far as its last flush had come. */
export function withApi<Result>(
  dataDir: string,
  config: TrunkscopeConfig,
  ask: (app: App) => Promise<Result>,
): Promise<Result> {
  return withFolder(dataDir, config, async (engine) => {
    const listening = { hepUdp: '', hepTcp: '', http: '' }
    const asOfUs = await lastFlushUs(engine)
    const app = await buildApp({
      readers: engine.readers,
      config,
      tokens: undefined,
      demo: false,
      log: requestsTo(processLog()),
      live: () => liveStatus({ startedAtUs: 0, listening, spoolLagBytes: 0, asOfUs, problem: '' }),
      metrics: async () => '',
    })
    try {
      return await ask(app)
    } finally {
      await app.close()
    }
  })
}

async function lastFlushUs(engine: Engine): Promise<number> {
  const result = await engine.writer.query({
    query: 'SELECT max(as_of_us) AS as_of_us FROM store_checkpoints',
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ as_of_us: string }>()
  return Number(row?.as_of_us ?? 0)
}

/** Throws TRUNKSCOPE_ASK_TOKEN_FILE. */
export function authorization(tokenFile: string | undefined): Record<string, string> {
  return tokenFile === undefined ? {} : { authorization: `Bearer ${tokenOf(tokenFile)}` }
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
    code: 'TRUNKSCOPE_ASK_TOKEN_FILE',
    fix: 'Put the first line that trunkscope token printed into it',
  })
}

export function causeOf(error: unknown): string {
  const { cause, code, message } = error as { cause?: { code?: string }; code?: unknown; message: string }
  return cause?.code ?? (typeof code === 'string' ? code : message)
}

/** What the API said; `otherwise` is the code of an answer that is not one of Trunkscope. */
export function refused(status: number, body: Buffer, otherwise: string): Error {
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
    { code: typeof code === 'string' ? code : otherwise },
  )
}
