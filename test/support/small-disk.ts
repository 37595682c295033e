/**
 * A disk that is small, to be filled and freed: a tmpfs on a folder, seen only by processes that are started under it, and
 * gone with it. Needs root.
 *
 *   const disk = await SmallDisk.mount(folder, 64 * 1_048_576)
 *   spawn(disk.under[0], [...disk.under.slice(1), 'program'])
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'

const started = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

export class SmallDisk {
  readonly #holder: ChildProcess
  readonly #ballast: string

  private constructor(holder: ChildProcess, folder: string) {
    this.#holder = holder
    // As the process that holds the mount sees it.
    this.#ballast = `/proc/${holder.pid}/root${folder}/ballast`
  }

  /** @param folder absolute; made when it is not there */
  static async mount(folder: string, sizeBytes: number): Promise<SmallDisk> {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const script = `mount -t tmpfs -o size=${sizeBytes},mode=700 tmpfs '${folder}' && echo mounted && exec sleep infinity`
    const holder = spawn('unshare', ['--mount', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    started.add(holder)
    holder.once('exit', () => started.delete(holder))
    await Promise.race([
      once(holder.stdout, 'data'),
      once(holder, 'exit').then(() => Promise.reject(new Error(`no tmpfs could be mounted on ${folder}`))),
    ])
    return new SmallDisk(holder, folder)
  }

  /** What a program is started with to see it; it stays the direct child. */
  get under(): string[] {
    return ['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`, '--wd=/', '--']
  }

  /** Takes the last byte. */
  fill(): void {
    const file = openSync(this.#ballast, 'a', 0o600)
    try {
      for (let chunk = Buffer.alloc(1_048_576); chunk.length > 0; ) {
        try {
          if (writeSync(file, chunk) < chunk.length) chunk = chunk.subarray(0, chunk.length >> 1)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
          chunk = chunk.subarray(0, chunk.length >> 1)
        }
      }
    } finally {
      closeSync(file)
    }
  }

  free(): void {
    rmSync(this.#ballast)
  }

  async unmount(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const ended = once(this.#holder, 'exit')
    this.#holder.kill('SIGKILL')
    await ended
  }
}
