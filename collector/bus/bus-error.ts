/** A broken promise of the broker, of its set-up or of our own code. What is wrong in a record is a reason, never one of these. */
export type BusErrorCode =
  | 'TRUNKSCOPE_BUS_SECRET_UNREADABLE'
  | 'TRUNKSCOPE_BUS_UNREACHABLE'
  | 'TRUNKSCOPE_BUS_TOPIC_REFUSED'
  | 'TRUNKSCOPE_BUS_TOPIC_PARTITIONS'
  | 'TRUNKSCOPE_BUS_LAYOUT'
  | 'TRUNKSCOPE_BUS_VERSION'
  | 'TRUNKSCOPE_BUS_NOT_ACKNOWLEDGED'
  | 'TRUNKSCOPE_BUS_CLOSED'

/** Waiting does not help: somebody has to change the configuration, the topic or the program. */
const LASTING: ReadonlySet<BusErrorCode> = new Set([
  'TRUNKSCOPE_BUS_SECRET_UNREADABLE',
  'TRUNKSCOPE_BUS_TOPIC_PARTITIONS',
  'TRUNKSCOPE_BUS_LAYOUT',
  'TRUNKSCOPE_BUS_VERSION',
  'TRUNKSCOPE_BUS_CLOSED',
])

export class BusError extends Error {
  override readonly name = 'BusError'

  constructor(
    readonly code: BusErrorCode,
    /** A sentence, and what to do. */
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }

  get isLasting(): boolean {
    return LASTING.has(this.code)
  }
}
