/**
 * `trunkscope pack`: asks the API for a dispute pack and writes it as it comes, with a line on stderr that says how far it is.
 * From a folder it is the same API over the embedded engine, without a socket; so both ways give the same bytes.
 *
 * A pack that breaks off leaves no file: it is written beside its place and moved there when it is whole.
 *
 * Throws   what the API says, with its code; TRUNKSCOPE_PACK_NO_ANSWER when nobody answers or the answer breaks off;
 *          TRUNKSCOPE_PACK_NOT_WRITTEN when the file cannot be.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { Readable } from 'node:stream'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { PackCommandOptions } from '../commands/pack.js'
import { ProgressLine, type ProgressStream } from '../demo/progress.js'
import { authorization, causeOf, refused, withApi } from './ask-api.js'
import { PackProgress } from './pack-progress.js'

const NO_ANSWER = 'TRUNKSCOPE_PACK_NO_ANSWER'
/** The first byte of a large pack comes when everything is read. */
const FIRST_BYTE_MS = 120_000
const WAITING_SHOWN_MS = 500

interface Answer {
  status: number
  header: (name: string) => string
  body: AsyncIterable<Uint8Array>
}

export async function runPack(
  options: PackCommandOptions,
  write: (text: string) => void,
  stream: ProgressStream,
): Promise<void> {
  const query = new URLSearchParams({
    from: options.from,
    to: options.to,
    class: options.classes,
    calls: String(options.calls),
    ...(options.asOf === undefined ? {} : { as_of: options.asOf }),
  })
  const path = `/v1/carriers/${encodeURIComponent(options.carrier)}/dispute-pack?${query}`
  const line = new ProgressLine(stream)
  const askedAtMs = performance.now()
  const waiting = setInterval(
    () => line.show(`Reading the attempts: ${((performance.now() - askedAtMs) / 1_000).toFixed(1)} s`),
    WAITING_SHOWN_MS,
  )
  const took = async (answer: Answer) => {
    clearInterval(waiting)
    if (answer.status !== 200) throw refused(answer.status, await bodyOf(answer), NO_ANSWER)
    const file = options.outFile ?? nameOf(answer)
    const progress = new PackProgress(Number(answer.header('trunkscope-pack-calls')), askedAtMs)
    await writeWhole(file, answer.body, (piece) => line.show(progress.add(piece)))
    line.end(progress.last())
    write(`${file}\n`)
  }
  try {
    const { source } = options
    if (source.kind === 'api') await askApi(source.url, path, source.tokenFile, took)
    else await askFolder(source.dataDir, source.config, path, took)
  } finally {
    clearInterval(waiting)
  }
}

async function writeWhole(
  file: string,
  body: AsyncIterable<Uint8Array>,
  onPiece: (piece: Uint8Array) => void,
): Promise<void> {
  const part = `${file}.part`
  const opened = orNotWritten(file, () => openSync(part, 'w', 0o600))
  let isWhole = false
  try {
    for await (const piece of broken(body)) {
      orNotWritten(file, () => {
        for (let at = 0; at < piece.length; ) at += writeSync(opened, piece, at)
      })
      onPiece(piece)
    }
    isWhole = true
  } finally {
    closeSync(opened)
    if (!isWhole) rmSync(part, { force: true })
  }
  orNotWritten(file, () => renameSync(part, file))
}

function orNotWritten<Result>(file: string, write: () => Result): Result {
  try {
    return write()
  } catch (cause) {
    throw Object.assign(new Error(`${file} cannot be written (${causeOf(cause)}).`, { cause }), {
      code: 'TRUNKSCOPE_PACK_NOT_WRITTEN',
      fix: 'Name another file with --out, in a folder that exists and has room',
    })
  }
}

async function* broken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (cause) {
    throw noAnswer(
      `The answer broke off (${causeOf(cause)}).`,
      cause,
      'Ask again; the log of Trunkscope says why',
    )
  }
}

async function askApi(
  url: string,
  path: string,
  tokenFile: string | undefined,
  took: (answer: Answer) => Promise<void>,
): Promise<void> {
  const headers = authorization(tokenFile)
  const stop = new AbortController()
  const late = setTimeout(() => stop.abort(new Error('no answer in time')), FIRST_BYTE_MS)
  let response: Response
  try {
    // A token goes where it was meant to go, and nowhere a server may send it on to.
    response = await fetch(`${url}${path}`, { headers, redirect: 'error', signal: stop.signal })
  } catch (cause) {
    throw noAnswer(
      `${url} gives no answer (${causeOf(cause)}).`,
      cause,
      'Is the address right, and does Trunkscope run there? trunkscope start prints its address',
    )
  } finally {
    clearTimeout(late)
  }
  await took({
    status: response.status,
    header: (name) => response.headers.get(name) ?? '',
    body: response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as never),
  })
}

async function askFolder(
  dataDir: string,
  config: TrunkscopeConfig,
  path: string,
  took: (answer: Answer) => Promise<void>,
): Promise<void> {
  await withApi(dataDir, config, async (app) => {
    const response = await app.inject({ url: path, payloadAsStream: true })
    await took({
      status: response.statusCode,
      header: (name) => String(response.headers[name] ?? ''),
      body: response.stream(),
    })
  })
}

/** Of the answer, if it is one of ours: a server does not choose where we write. */
function nameOf({ header }: Answer): string {
  const [, name] = /filename="([A-Za-z0-9_-]{1,200}\.zip)"$/.exec(header('content-disposition')) ?? []
  return name ?? 'dispute-pack.zip'
}

function noAnswer(sentence: string, cause: unknown, fix: string): Error {
  return Object.assign(new Error(sentence, { cause }), { code: NO_ANSWER, fix })
}

async function bodyOf({ body }: Answer): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of broken(body)) pieces.push(piece)
  return Buffer.concat(pieces)
}
