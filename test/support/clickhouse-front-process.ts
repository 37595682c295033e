/**
 * The process of `clickhouse-front.ts`: ClickHouse's HTTP interface, as far as @clickhouse/client speaks it, before an
 * embedded engine. Answers come from the engine; faults are switched on over the channel to the parent process.
 *
 * Not as on a server: rights of users (only `readonly`), sessions, roles, progress headers, asynchronous inserts, cancelling
 * a statement whose client went away, replication. Source: https://clickhouse.com/docs/interfaces/http
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { FrontCommand, FrontOptions, FrontReply, RefusedWith } from './clickhouse-front.js'
import { FrontEngine, quoted, StatementError } from './clickhouse-front-engine.js'

const VERSION = '26.7.2.1'

/** URL parameters that are no settings of the engine. */
const NO_SETTINGS = new Set([
  'query',
  'query_id',
  'database',
  'session_id',
  'role',
  'user',
  'password',
  'default_format',
  'wait_end_of_query',
  'enable_http_compression',
  'http_response_buffer_size',
  'send_progress_in_http_headers',
])

const REFUSALS: Record<RefusedWith, string> = {
  TOO_MANY_PARTS:
    "Code: 252. DB::Exception: Too many parts (300 with average size of 1.50 MiB) in table 'sip_messages'. " +
    'Merges are processing significantly slower than inserts. (TOO_MANY_PARTS)',
  MEMORY_LIMIT_EXCEEDED:
    'Code: 241. DB::Exception: (total) memory limit exceeded: would use 14.40 GiB. (MEMORY_LIMIT_EXCEEDED)',
  NOT_ENOUGH_SPACE: 'Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)',
  TABLE_IS_READ_ONLY:
    'Code: 242. DB::Exception: Table is in readonly mode: replica has no connection to Keeper. (TABLE_IS_READ_ONLY)',
}

const STATUS_OF_CODE: Record<number, number> = { 60: 404, 62: 400, 81: 404, 115: 404, 164: 500, 516: 403 }

const options = JSON.parse(process.argv[2]!) as Required<FrontOptions>
const faults = {
  delayMs: 0,
  bytesPerSecond: 0,
  refusals: 0,
  cutsAfter: 0,
  cutsBefore: 0,
  failures: 0,
  hangs: 0,
}
let refusedWith: RefusedWith = 'TOO_MANY_PARTS'
/** Of the faults above, how often each came true. */
const struck: Record<string, number> = {}
let bodies = 0

const writers = await FrontEngine.open(join(options.folder, 'clickhouse'), options.connections, 0)
const readers = await FrontEngine.open(join(options.folder, 'clickhouse'), 2, 2)

const answer = (request: IncomingMessage, response: ServerResponse) => {
  serve(request, response).catch((error: unknown) => refuse(response, error))
}
const limits = { maxHeaderSize: 1_048_576, keepAliveTimeout: 10_000 }
const server =
  options.tls === null
    ? createServer(limits, answer)
    : createTlsServer({ ...limits, cert: options.tls.cert, key: options.tls.key }, answer)

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://front')
  if (url.pathname === '/ping') return void response.end('Ok.\n')
  const body = await bodyOf(request)
  const user = authenticated(request)
  const fields = fieldsOf(request, url.searchParams, body)
  const queryId = fields.get('query_id') ?? randomUUID()
  const tag = randomBytes(8).toString('hex')
  response.setHeader('X-ClickHouse-Query-Id', queryId)
  response.setHeader('X-ClickHouse-Timezone', 'UTC')
  response.setHeader('X-ClickHouse-Exception-Tag', tag)

  const isInsert = /^\s*INSERT\b/i.test(fields.get('query') ?? body.toString('latin1', 0, 64))
  if (await strikeBefore(request, isInsert)) return
  const rows = await run(user.readonly ? readers : writers, fields, body)
  if (isInsert && strike('cutsAfter')) return void request.socket.destroy()

  response.statusCode = 200
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8')
  const isPacked =
    fields.get('enable_http_compression') === '1' && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  if (isPacked) response.setHeader('Content-Encoding', 'gzip')
  if (rows.length > 0 && strike('failures')) return failMidStream(response, rows, tag, isPacked)
  await send(response, isPacked ? gzipSync(rows) : rows)
}

/** Whole, unpacked; read slowly when that is asked for. */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    if (faults.bytesPerSecond > 0) await pause((chunk.length / faults.bytesPerSecond) * 1_000)
  }
  const body = Buffer.concat(chunks)
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
}

function authenticated(request: IncomingMessage): FrontOptions['users'][number] {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  const [name, password] =
    basic === undefined
      ? [request.headers['x-clickhouse-user'] ?? 'default', request.headers['x-clickhouse-key'] ?? '']
      : Buffer.from(basic, 'base64').toString().split(/:(.*)/s)
  const user = options.users.find((known) => known.name === name && known.password === password)
  if (user !== undefined) return user
  throw new StatementError(
    516,
    `Code: 516. DB::Exception: ${name}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)`,
  )
}

/** The parameters of the URL, and those of a multipart body. */
function fieldsOf(request: IncomingMessage, url: URLSearchParams, body: Buffer): Map<string, string> {
  const fields = new Map(url)
  const boundary = /^multipart\/form-data; boundary=(\S+)$/.exec(request.headers['content-type'] ?? '')?.[1]
  if (boundary === undefined) return fields
  for (const part of body.toString().split(`--${boundary}`)) {
    const [, name, value] = /name="([^"]+)"\r\n\r\n(.*)\r\n$/s.exec(part) ?? []
    if (name !== undefined) fields.set(name, value!)
  }
  return fields
}

async function run(engine: FrontEngine, fields: Map<string, string>, body: Buffer): Promise<Buffer> {
  const statement = {
    database: fields.get('database') ?? 'default',
    settings: new Map([...fields].filter(([name]) => !NO_SETTINGS.has(name) && !name.startsWith('param_'))),
    parameters: new Map(
      [...fields].flatMap(([name, value]) =>
        name.startsWith('param_') ? [[name.slice('param_'.length), value]] : [],
      ),
    ),
  }
  const query = fields.get('query')
  const [, table, columns, format] =
    /^\s*INSERT\s+INTO\s+([\w.]+)\s*(?:\(([^)]*)\))?\s*FORMAT\s+(\w+)\s*$/i.exec(query ?? '') ?? []
  if (query === undefined) return engine.run({ ...statement, sql: body.toString() })
  if (table === undefined) return engine.run({ ...statement, sql: query })
  if (body.length === 0) return body

  // The engine's own insert takes line formats only, so the rows go through a file.
  const described = await engine.run({
    ...statement,
    sql: `DESCRIBE TABLE ${table} FORMAT JSONCompactEachRow`,
  })
  const types = new Map(
    described
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as [string, string]),
  )
  const names = columns === undefined ? [...types.keys()] : columns.split(',').map((name) => name.trim())
  const path = join(options.folder, `body-${process.pid}-${bodies++}`)
  writeFileSync(path, body)
  try {
    const structure = names.map((name) => `${name} ${types.get(name) ?? 'String'}`).join(', ')
    return await engine.run({
      ...statement,
      sql: `INSERT INTO ${table} (${names.join(', ')}) SELECT ${names.join(', ')} FROM file(${quoted(path)}, '${format}', ${quoted(structure)})`,
    })
  } finally {
    rmSync(path, { force: true })
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.destroyed || response.headersSent) return void response.destroy()
  const code = error instanceof StatementError ? error.code : 1002
  response.statusCode = STATUS_OF_CODE[code] ?? 500
  response.setHeader('X-ClickHouse-Exception-Code', String(code))
  response.end(`${(error as Error).message} (version ${VERSION} (official build))\n`)
}

async function send(response: ServerResponse, bytes: Buffer): Promise<void> {
  if (faults.bytesPerSecond === 0) return void response.end(bytes)
  for (let at = 0; at < bytes.length && !response.destroyed; at += 16_384) {
    const chunk = bytes.subarray(at, at + 16_384)
    response.write(chunk)
    await pause((chunk.length / faults.bytesPerSecond) * 1_000)
  }
  response.end()
}

/** Half the rows, then the exception as the server writes it when the status line is long gone; no last chunk. */
function failMidStream(response: ServerResponse, rows: Buffer, tag: string, isPacked: boolean): void {
  const half = rows.subarray(0, rows.indexOf('\n', Math.floor(rows.length / 2)) + 1)
  const text = `Code: 241. DB::Exception: Query memory limit exceeded: would use 1.90 GiB. (MEMORY_LIMIT_EXCEEDED) (version ${VERSION} (official build))\n`
  const block = `\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`
  const bytes = Buffer.concat([half, Buffer.from(block)])
  response.write(isPacked ? gzipSync(bytes) : bytes, () => response.socket?.end())
}

/** True: there is nothing more to do for this request. */
async function strikeBefore(request: IncomingMessage, isInsert: boolean): Promise<boolean> {
  if (faults.delayMs > 0) await pause(faults.delayMs)
  if (strike('hangs')) return true
  if (!isInsert) return false
  if (strike('cutsBefore')) {
    request.socket.destroy()
    return true
  }
  if (!strike('refusals')) return false
  const text = REFUSALS[refusedWith]
  throw new StatementError(Number(/^Code: (\d+)/.exec(text)?.[1]), text)
}

function strike(fault: 'hangs' | 'refusals' | 'cutsAfter' | 'cutsBefore' | 'failures'): boolean {
  if (faults[fault] === 0) return false
  faults[fault]--
  struck[fault] = (struck[fault] ?? 0) + 1
  return true
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const listen = (port: number) =>
  new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })

const close = () =>
  new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

let port = await listen(options.port)

const COMMANDS: Record<FrontCommand['name'], (values: FrontCommand['values']) => unknown> = {
  slow: ([delayMs, bytesPerSecond]) => Object.assign(faults, { delayMs, bytesPerSecond }),
  refuse: ([code, count]) => {
    refusedWith = code as RefusedWith
    faults.refusals = count as number
  },
  cutAfterWrite: ([count]) => Object.assign(faults, { cutsAfter: count }),
  cutBefore: ([count]) => Object.assign(faults, { cutsBefore: count }),
  failMidStream: ([count]) => Object.assign(faults, { failures: count }),
  hang: ([count]) => Object.assign(faults, { hangs: count }),
  clear: () => {
    for (const fault of Object.keys(faults)) faults[fault as keyof typeof faults] = 0
  },
  struck: () => ({ ...struck }),
  down: close,
  up: async () => {
    port = await listen(port)
  },
  stop: async () => {
    await close()
    readers.close()
    writers.close()
  },
}

process.on('message', async (command: FrontCommand) => {
  const value = await COMMANDS[command.name](command.values)
  const reply: FrontReply = { id: command.id, value: command.name === 'struck' ? value : undefined }
  process.send!(reply, () => {
    if (command.name === 'stop') process.exit(0)
  })
})
process.on('disconnect', () => process.exit(0))
process.send!({ id: 0, value: port } satisfies FrontReply)
