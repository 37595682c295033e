import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createDatabase,
  openEmbeddedEngine,
  openServer,
  type ServerConfig,
} from '../../../bin/connect/clickhouse.js'
import { ClickHouseFront } from '../../support/clickhouse-front.js'
import { rowsOf } from '../../support/engine.js'
import { needs } from '../../support/outside-programs.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-connect-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('slow statements on every connection leave the spool a thread to write with', async () => {
  const engine = openEmbeddedEngine(join(folder, 'embedded'))
  try {
    let ended = 0
    const slow = [engine.writer, engine.rawWriter, ...engine.readers].map(async (client) => {
      const result = await client.query({
        query: 'SELECT max(sipHash64(number)) FROM numbers(60000000)',
        format: 'JSONEachRow',
      })
      await result.json()
      ended++
    })
    await writeFile(join(folder, 'as-the-spool-does'), 'x')
    expect(ended).toBe(0)
    await Promise.all(slow)
    expect(ended).toBe(engine.readers.length + 2)
  } finally {
    await engine.close()
  }
})

describe('a server', () => {
  const STORE_PASSWORD = 'a store password, with : in it'
  let front: ClickHouseFront
  let config: ServerConfig

  beforeAll(async () => {
    front = await ClickHouseFront.start({
      users: [
        { name: 'trunkscope_store', password: STORE_PASSWORD },
        { name: 'trunkscope_api', password: 'api', readonly: true },
      ],
    })
    config = {
      url: front.url,
      database: 'trunkscope',
      username: 'trunkscope_store',
      password_file: secret('store', `${STORE_PASSWORD}\n`),
      request_timeout_ms: 5_000,
    }
  })
  afterAll(() => front.stop())

  function secret(name: string, text: string): string {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const api = (): ServerConfig => ({
    ...config,
    username: 'trunkscope_api',
    password_file: secret('api', 'api'),
  })

  test('without its database says what makes one; made, the store and the api open it', async () => {
    await expect(openServer(config, 'store')).rejects.toMatchObject({
      code: 'TRUNKSCOPE_STORE_DATABASE_MISSING',
      message: expect.stringMatching(/has no database trunkscope\. Run: trunkscope init$/),
    })
    await createDatabase(config)
    await createDatabase(config)
    const store = await openServer(config, 'store')
    await store.writer.command({ query: 'CREATE TABLE t (x UInt64) ENGINE = MergeTree ORDER BY x' })
    await store.writer.insert({ table: 't', values: [{ x: '18446744073709551615' }], format: 'JSONEachRow' })
    const reader = await openServer(api(), 'api')
    expect(await rowsOf(reader.readers[0]!, 'SELECT x, currentDatabase() AS db FROM trunkscope.t')).toEqual([
      { x: '18446744073709551615', db: 'trunkscope' },
    ])
    expect([store.insertFolder, reader.insertFolder]).toEqual([undefined, undefined])
    await Promise.all([store.close(), reader.close()])
  })

  test('gives the api settings with a statement, and no way to write', async () => {
    const { writer, readers, close } = await openServer(api(), 'api')
    const result = await readers[0]!.query({
      query:
        "SELECT getSetting('max_result_rows') AS rows, getSetting('max_threads') AS threads, now() AS at",
      clickhouse_settings: { max_result_rows: '7', max_threads: 1 },
      format: 'JSONEachRow',
    })
    expect(await result.json()).toMatchObject([{ rows: 7, threads: 1 }])
    for (const query of [
      'CREATE TABLE u (x UInt8) ENGINE = Memory',
      'INSERT INTO t VALUES (1)',
      'DROP TABLE t',
    ]) {
      await expect(writer.command({ query }), query).rejects.toMatchObject({ type: 'READONLY' })
    }
    await close()
  })

  test('runs the questions of the api side by side', async () => {
    const { readers, close } = await openServer(config, 'api')
    const others = readers.slice(1)
    await front.faults.hang(others.length)
    const unanswered = Promise.allSettled(others.map((reader) => rowsOf(reader, 'SELECT 1')))
    while ((await front.struck()).hangs !== others.length)
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await rowsOf(readers[0]!, 'SELECT 2 AS two')).toEqual([{ two: 2 }])
    await close()
    expect((await unanswered).map(({ status }) => status)).toEqual(others.map(() => 'rejected'))
  })

  const wrong: [name: string, change: () => Partial<ServerConfig>, code: string, message: RegExp][] = [
    [
      'a wrong password',
      () => ({ password_file: secret('wrong', 'guess') }),
      'ACCESS_DENIED',
      /does not let user trunkscope_store in: check clickhouse\.username and the content of .*wrong$/,
    ],
    [
      'no password',
      () => ({ password_file: undefined }),
      'ACCESS_DENIED',
      /clickhouse\.password_file \(none is set\)$/,
    ],
    [
      'a password file that is not there',
      () => ({ password_file: join(folder, 'absent') }),
      'FILE_UNREADABLE',
      /^clickhouse\.password_file: cannot read .*absent \(ENOENT/,
    ],
    [
      'nobody at the address',
      () => ({ url: 'http://someone:hidden@127.0.0.1:9' }),
      'UNREACHABLE',
      /^ClickHouse at http:\/\/127\.0\.0\.1:9 does not answer \(.*ECONNREFUSED.*check that it runs/,
    ],
    [
      'a host that nobody knows',
      () => ({ url: 'http://clickhouse.invalid:8123' }),
      'UNREACHABLE',
      /clickhouse\.invalid:8123 does not answer/,
    ],
    [
      'a CA file that is not there',
      () => ({ url: 'https://127.0.0.1:9', ca_file: join(folder, 'absent.pem') }),
      'FILE_UNREADABLE',
      /^clickhouse\.ca_file: cannot read/,
    ],
  ]
  for (const [name, change, code, message] of wrong) {
    test(`${name}: ${code}, with what to check, and no password`, async () => {
      const opening = openServer({ ...config, ...change() }, 'store')
      await expect(opening).rejects.toMatchObject({
        code: `TRUNKSCOPE_STORE_${code}`,
        message: expect.stringMatching(message),
      })
      const { message: text } = (await opening.catch((error: unknown) => error)) as Error
      expect(text).not.toMatch(/guess|hidden|a store password/)
    })
  }

  test('that takes connections and says nothing: UNREACHABLE when the time is up', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const url = `http://127.0.0.1:${(silent.address() as { port: number }).port}`
    await expect(openServer({ ...config, url, request_timeout_ms: 1_000 }, 'store')).rejects.toMatchObject({
      code: 'TRUNKSCOPE_STORE_UNREACHABLE',
      message: expect.stringContaining('Timeout'),
    })
    silent.close()
  })

  test('that is no ClickHouse: UNREACHABLE', async () => {
    const other = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')).listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const url = `http://127.0.0.1:${(other.address() as { port: number }).port}`
    await expect(openServer({ ...config, url }, 'store')).rejects.toMatchObject({
      code: 'TRUNKSCOPE_STORE_UNREACHABLE',
    })
    other.close()
  })

  needs('openssl')('over https is trusted by the CA file, and not without it', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...[
          '-subj',
          '/CN=clickhouse',
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          key,
          '-out',
          cert,
        ],
      ],
      { stdio: 'ignore' },
    )
    const secure = await ClickHouseFront.start({
      tls: { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') },
    })
    const https: ServerConfig = {
      url: secure.url,
      database: 'default',
      username: 'default',
      request_timeout_ms: 5_000,
    }
    const engine = await openServer({ ...https, ca_file: cert }, 'store')
    expect(await rowsOf(engine.writer, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    await engine.close()
    await expect(openServer(https, 'store')).rejects.toMatchObject({
      code: 'TRUNKSCOPE_STORE_UNREACHABLE',
      message: expect.stringMatching(/self.signed certificate.*clickhouse\.ca_file/),
    })
    await secure.stop()
  })
})
