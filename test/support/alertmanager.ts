/** Debian's `prometheus-alertmanager` as a process of a test: on loopback, without gossip, in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { programPath } from './outside-programs.js'

export interface AlertmanagerAlert {
  labels: Record<string, string>
  annotations: Record<string, string>
  startsAt: string
  endsAt: string
  status: { state: 'active' | 'suppressed' | 'unprocessed'; inhibitedBy: string[] }
}

export class Alertmanager {
  readonly url: string
  readonly #process: ChildProcess
  readonly #folder: string

  private constructor(url: string, process: ChildProcess, folder: string) {
    this.url = url
    this.#process = process
    this.#folder = folder
  }

  /** @param config text of its configuration */
  static async start(config: string): Promise<Alertmanager> {
    const folder = mkdtempSync(join(tmpdir(), 'trunkscope-alertmanager-'))
    const file = join(folder, 'alertmanager.yml')
    writeFileSync(file, config)
    const child = spawn(
      programPath('prometheus-alertmanager') ?? 'prometheus-alertmanager',
      [
        `--config.file=${file}`,
        `--storage.path=${join(folder, 'data')}`,
        '--web.listen-address=127.0.0.1:0',
        '--cluster.listen-address=',
      ],
      { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const said: string[] = []
    for await (const line of createInterface({ input: child.stderr! })) {
      said.push(line)
      const [, address] = /msg="Listening on" address=(\S+)/.exec(line) ?? []
      if (address === undefined) continue
      // Nobody reads on, and a full pipe would stop it.
      child.stderr!.resume()
      return new Alertmanager(`http://${address}`, child, folder)
    }
    rmSync(folder, { recursive: true, force: true })
    throw new Error(`Alertmanager did not start: ${said.slice(-3).join(' / ')}`)
  }

  async alerts(): Promise<AlertmanagerAlert[]> {
    const response = await fetch(`${this.url}/api/v2/alerts`)
    return (await response.json()) as AlertmanagerAlert[]
  }

  async groups(): Promise<
    { labels: Record<string, string>; receiver: { name: string }; alerts: AlertmanagerAlert[] }[]
  > {
    const response = await fetch(`${this.url}/api/v2/alerts/groups`)
    return (await response.json()) as Awaited<ReturnType<Alertmanager['groups']>>
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const exited = once(this.#process, 'exit')
      this.#process.kill('SIGTERM')
      await exited
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
