/**
 * A headless Chromium that a test drives: the pages as a reader sees them, not as text.
 *
 * It speaks the DevTools protocol over a pair of pipes, messages ended by a zero byte, so no port is opened. What it shows
 * comes from loopback; everything else ends at a proxy that nobody listens on.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

type Answer = Record<string, unknown>
interface Told {
  id?: number
  sessionId?: string
  method?: string
  params?: Answer
  result?: Answer
  error?: { message: string }
}

const ANSWER_LIMIT_MS = 30_000

export class Chromium {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  readonly #tabs = new Map<string, Tab>()
  #last = 0

  private constructor(program: string) {
    this.#folder = mkdtempSync(join(tmpdir(), 'trunkscope-chromium-'))
    this.#child = spawn(
      program,
      [
        '--headless',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--disable-extensions',
        '--disable-background-networking',
        '--disable-component-update',
        '--hide-scrollbars',
        '--no-first-run',
        '--proxy-server=127.0.0.1:9',
        '--proxy-bypass-list=127.0.0.1',
        `--user-data-dir=${join(this.#folder, 'profile')}`,
        '--remote-debugging-pipe',
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ],
      // A group of its own: the processes it starts end with it.
      { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    )
    let rest = ''
    const told = this.#child.stdio[4] as Readable
    told.setEncoding('utf8')
    told.on('data', (text: string) => {
      const messages = (rest + text).split('\0')
      rest = messages.pop()!
      for (const message of messages) this.#hear(JSON.parse(message) as Told)
    })
    this.#child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${program} ended`))
    })
  }

  static async start(program: string): Promise<Chromium> {
    const chromium = new Chromium(program)
    await chromium.send('Browser.getVersion')
    return chromium
  }

  send(method: string, params: Answer = {}, sessionId?: string): Promise<Answer> {
    const id = ++this.#last
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), ANSWER_LIMIT_MS)
      const end = () => {
        clearTimeout(timer)
        this.#waiting.delete(id)
      }
      this.#waiting.set(id, {
        resolve: (answer) => {
          end()
          resolve(answer)
        },
        reject: (error) => {
          end()
          reject(error)
        },
      })
      const pipe = this.#child.stdio[3] as Writable
      pipe.write(
        `${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`,
      )
    })
  }

  async open(): Promise<Tab> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    const tab = new Tab(this, String(sessionId), String(targetId))
    this.#tabs.set(String(sessionId), tab)
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await tab.send(`${domain}.enable`)
    return tab
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    try {
      process.kill(-this.#child.pid!, 'SIGKILL')
      await gone
    } catch {
      // All of it has ended already.
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #hear({ id, sessionId, method, params, result, error }: Told): void {
    if (id === undefined) {
      if (method !== undefined) this.#tabs.get(sessionId ?? '')?.hear(method, params ?? {})
      return
    }
    const asked = this.#waiting.get(id)
    if (error === undefined) asked?.resolve(result ?? {})
    else asked?.reject(new Error(error.message))
  }
}

export interface Look {
  width: number
  height: number
  theme: 'light' | 'dark'
  /** On paper. */
  print?: true
}

/** One page at a time, as a person has it before them. */
export class Tab {
  readonly #chromium: Chromium
  readonly #sessionId: string
  readonly #targetId: string
  readonly #listeners = new Map<string, (params: Answer) => void>()
  /** What the browser complained of since the last visit: errors of scripts, and what a policy refused. */
  complaints: string[] = []

  constructor(chromium: Chromium, sessionId: string, targetId: string) {
    this.#chromium = chromium
    this.#sessionId = sessionId
    this.#targetId = targetId
  }

  send(method: string, params: Answer = {}): Promise<Answer> {
    return this.#chromium.send(method, params, this.#sessionId)
  }

  hear(method: string, params: Answer): void {
    if (method === 'Log.entryAdded') {
      const { level, source, text } = params.entry as { level: string; source: string; text: string }
      // An error page is one on purpose.
      if (level !== 'verbose' && source !== 'network') this.complaints.push(text)
    }
    if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params.exceptionDetails))
    this.#listeners.get(method)?.(params)
  }

  once(method: string): Promise<Answer> {
    return new Promise((resolve) => {
      this.#listeners.set(method, (params) => {
        this.#listeners.delete(method)
        resolve(params)
      })
    })
  }

  async look({ width, height, theme, print }: Look): Promise<void> {
    const mobile = width < 600
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile })
    await this.send('Emulation.setEmulatedMedia', {
      media: print ? 'print' : 'screen',
      features: [
        { name: 'prefers-color-scheme', value: theme },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ],
    })
  }

  async visit(url: string): Promise<void> {
    this.complaints = []
    const loaded = this.once('Page.loadEventFired')
    const { errorText } = await this.send('Page.navigate', { url })
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`)
    await loaded
  }

  /** The value of an expression; a promise is awaited. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
    return (result as { value: Value }).value
  }

  async press(key: 'Tab' | 'Enter' | 'Space'): Promise<void> {
    const [code, text] = { Tab: [9, ''], Enter: [13, '\r'], Space: [32, ' '] }[key] as [number, string]
    const event = { key: key === 'Space' ? ' ' : key, code: key, windowsVirtualKeyCode: code }
    await this.send('Input.dispatchKeyEvent', {
      type: text === '' ? 'rawKeyDown' : 'keyDown',
      ...event,
      text,
    })
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event })
  }

  /** PNG of the whole page, or of what is seen first. */
  async picture(part: 'all' | 'first' = 'all'): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { captureBeyondViewport: part === 'all' })
    return Buffer.from(String(data), 'base64')
  }

  async close(): Promise<void> {
    await this.#chromium.send('Target.closeTarget', { targetId: this.#targetId })
  }
}
