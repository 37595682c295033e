/**
 * Starts `trunkscope demo` from dist/ on the Node that runs this file, as a stranger would, and looks at what it answers:
 * six carriers with calls within 30 s, a page, and a clean stop. Exit code 0 only if all of that was seen.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const SEEN_WITHIN_MS = 30_000
const STOPPED_WITHIN_MS = 30_000
const CARRIERS = 6

const command = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist', 'bin', 'trunkscope.js')
const data = mkdtempSync(join(tmpdir(), 'trunkscope-smoke-'))
const [http, hep] = [await freePort(), await freePort()]
const page = `http://127.0.0.1:${http}`

const startedAtMs = Date.now()
const demo = spawn(
  process.execPath,
  [
    command,
    'demo',
    ...['--data', data, '--http', `127.0.0.1:${http}`],
    ...['--hep-udp', `127.0.0.1:${hep}`, '--hep-tcp', `127.0.0.1:${hep}`],
  ],
  { stdio: ['ignore', 'pipe', 'pipe'] },
)
let printed = ''
for (const stream of [demo.stdout, demo.stderr]) {
  stream.setEncoding('utf8').on('data', (text) => {
    printed += text
  })
}
const exited = once(demo, 'exit')

try {
  const carriers = await waitForCarriers()
  const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(1)
  const answer = await fetch(`${page}/`)
  const html = await answer.text()
  if (answer.status !== 200 || !/<html/i.test(html)) throw new Error(`the page answered ${answer.status}`)
  if (!/demo/i.test(html)) throw new Error('the page is not marked as demo data')
  const stoppingAtMs = Date.now()
  demo.kill('SIGINT')
  const [code, signal] = await Promise.race([
    exited,
    sleep(STOPPED_WITHIN_MS, ['still running'], { ref: false }),
  ])
  if (code !== 0) throw new Error(`after Ctrl-C it was not a clean stop: ${code ?? signal}`)
  const stopSeconds = ((Date.now() - stoppingAtMs) / 1_000).toFixed(1)
  process.stdout.write(
    `demo on Node ${process.version}: ${carriers} carriers after ${seconds} s, page, stopped in ${stopSeconds} s\n`,
  )
} catch (error) {
  demo.kill('SIGKILL')
  process.stderr.write(
    `demo on Node ${process.version} failed: ${error.message}\nIt had printed:\n${printed}\n`,
  )
  process.exitCode = 1
} finally {
  await exited
  rmSync(data, { recursive: true, force: true })
}

async function waitForCarriers() {
  let last = 'no answer yet'
  while (Date.now() - startedAtMs < SEEN_WITHIN_MS) {
    if (demo.exitCode !== null) throw new Error(`it ended with ${demo.exitCode}`)
    try {
      const minute = Math.floor(Date.now() / 60_000) * 60_000
      const range = `from=${new Date(minute - 3_600_000).toISOString()}&to=${new Date(minute + 60_000).toISOString()}`
      const answer = await fetch(`${page}/v1/kpis?${range}&group_by=carrier`)
      const text = await answer.text()
      last = `${answer.status} ${text}`
      const { groups = [] } = JSON.parse(text)
      const carriers = groups.filter(
        ({ by, attempts }) => !['', 'unknown'].includes(by.carrier) && attempts > 0,
      )
      if (carriers.length >= CARRIERS) return carriers.length
    } catch (error) {
      last = error.cause?.message ?? error.message
    }
    await sleep(250)
  }
  throw new Error(
    `no ${CARRIERS} carriers with calls after ${SEEN_WITHIN_MS / 1_000} s; last: ${last.slice(0, 500)}`,
  )
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
