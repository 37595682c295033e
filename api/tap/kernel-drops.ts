/**
 * The share of datagrams that the kernel dropped in the last quarter of an hour: the counters only ever tell the sum since
 * the start, so they are looked at every now and then and remembered.
 */
import type { LiveStatus } from '../../schemas/live-status.js'

const SPAN_US = 900e6
/** Looks closer together than this add nothing. */
const APART_US = 10e6

interface Look {
  atUs: number
  drops: number
  frames: number
}

export class KernelDrops {
  #looks: Look[] = []

  note(nowUs: number, live: Pick<LiveStatus, 'kernelDrops' | 'accepted'>): void {
    const last = this.#looks.at(-1)
    if (last !== undefined && nowUs - last.atUs < APART_US) return
    this.#looks.push(lookAt(nowUs, live))
    // One that is older than the span stays: what came since is counted from there.
    while (this.#looks.length > 1 && nowUs - this.#looks[1]!.atUs >= SPAN_US) this.#looks.shift()
  }

  /** undefined where no datagram came: in a process that does not receive, or on a quiet night. */
  ratio(nowUs: number, live: Pick<LiveStatus, 'kernelDrops' | 'accepted'>): number | undefined {
    const now = lookAt(nowUs, live)
    const before = this.#looks[0] ?? now
    const drops = now.drops - before.drops
    const datagrams = now.frames - before.frames + drops
    return datagrams > 0 ? drops / datagrams : undefined
  }
}

function lookAt(atUs: number, { kernelDrops, accepted }: Pick<LiveStatus, 'kernelDrops' | 'accepted'>): Look {
  return {
    atUs,
    drops: kernelDrops,
    frames: accepted.find(({ transport }) => transport === 'udp')?.frames ?? 0,
  }
}
