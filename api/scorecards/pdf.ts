/**
 * A scorecard as PDF, printed by the Chromium of the machine. Trunkscope brings none: without one there is no PDF, and the
 * page prints from any browser.
 *
 * Chromium gets a folder of its own that is gone afterwards, and in it the page as a file; the policy of the page allows no
 * script and nothing from elsewhere. It gets no network: its proxy is a port nobody listens on. One prints at a time; a few
 * may wait.
 *
 * Takes    a page that needs nothing but itself.
 * Throws   TRUNKSCOPE_API_PDF_UNAVAILABLE without a Chromium, or when it makes none in time; TRUNKSCOPE_API_BUSY.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ApiError } from '../errors.js'

const NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'chrome',
  'headless_shell',
]
const TIME_LIMIT_MS = 20_000
const WAITING_MAX = 4

let waiting = 0
let last: Promise<unknown> = Promise.resolve()

export async function pdfOf(page: string, searchPath = process.env.PATH ?? ''): Promise<Buffer> {
  const program = chromiumIn(searchPath)
  if (program === undefined) {
    throw new ApiError(
      'TRUNKSCOPE_API_PDF_UNAVAILABLE',
      'no Chromium is installed where Trunkscope runs; install one (chromium on Debian), or take format=html and print it',
      { parameter: 'format' },
    )
  }
  if (waiting >= WAITING_MAX) {
    throw new ApiError('TRUNKSCOPE_API_BUSY', 'too many PDFs are being printed; try again in a few seconds', {
      retryAfterS: 10,
    })
  }
  waiting++
  const printed = last.then(() => print(program, page))
  last = printed.catch(() => undefined)
  return printed.finally(() => waiting--)
}

export function chromiumIn(searchPath: string): string | undefined {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== '')
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function print(program: string, page: string): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'trunkscope-pdf-'))
  try {
    const [file, target] = [join(folder, 'scorecard.html'), join(folder, 'scorecard.pdf')]
    await writeFile(file, page)
    await run(
      program,
      [
        '--headless',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--disable-extensions',
        '--disable-background-networking',
        '--disable-component-update',
        '--no-first-run',
        '--proxy-server=127.0.0.1:9',
        `--user-data-dir=${join(folder, 'profile')}`,
        '--no-pdf-header-footer',
        `--print-to-pdf=${target}`,
        // Its own walls need a user who is not root; as root it runs without them, or not at all.
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        pathToFileURL(file).href,
      ],
      folder,
    )
    return await readFile(target)
  } catch (cause) {
    throw new ApiError(
      'TRUNKSCOPE_API_PDF_UNAVAILABLE',
      'Chromium made no PDF, and the log of Trunkscope says why; take format=html and print it',
      { parameter: 'format' },
      cause,
    )
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

function run(program: string, args: readonly string[], folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // A group of its own: the processes it starts end with it.
    const child = spawn(program, args, {
      detached: true,
      stdio: 'ignore',
      env: { PATH: process.env.PATH ?? '', HOME: folder, TMPDIR: folder },
    })
    const end = () => endGroup(child.pid)
    const timer = setTimeout(end, TIME_LIMIT_MS)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      end()
      if (code === 0) resolve()
      else reject(new Error(`${program} ended with ${signal ?? code}`))
    })
  })
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of it has ended already.
  }
}
