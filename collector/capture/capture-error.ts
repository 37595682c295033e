/**
 * A broken promise of the machine or of our own code in capture and spool. Bad input is never one of these: it is
 * refused with a reason of `schemas/reasons.ts`.
 */
export type CaptureErrorCode =
  | 'TRUNKSCOPE_CAPTURE_PORT_IN_USE'
  | 'TRUNKSCOPE_CAPTURE_BIND_FAILED'
  | 'TRUNKSCOPE_CAPTURE_TLS_FILES'
  | 'TRUNKSCOPE_CAPTURE_THREAD_FAILED'
  | 'TRUNKSCOPE_CAPTURE_STOPPED'
  | 'TRUNKSCOPE_SPOOL_OPEN_FAILED'
  | 'TRUNKSCOPE_SPOOL_VERSION'
  | 'TRUNKSCOPE_SPOOL_REFUSED'
  | 'TRUNKSCOPE_SPOOL_NO_WRITER'

export class CaptureError extends Error {
  override readonly name = 'CaptureError'

  constructor(
    readonly code: CaptureErrorCode,
    /** A sentence, and what to do. */
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }
}

/** Sentence and code for a socket that could not be bound. */
export function bindError(
  error: NodeJS.ErrnoException,
  protocol: 'UDP' | 'TCP',
  host: string,
  port: number,
  option: string,
): CaptureError {
  const where = `${protocol} ${host.includes(':') ? `[${host}]` : host}:${port}`
  if (error.code === 'EADDRINUSE') {
    return new CaptureError(
      'TRUNKSCOPE_CAPTURE_PORT_IN_USE',
      `Another program already listens on ${where}. Stop it, or choose another port with ${option}.`,
      { cause: error },
    )
  }
  return new CaptureError(
    'TRUNKSCOPE_CAPTURE_BIND_FAILED',
    `Cannot listen on ${where} (${error.code ?? error.message}). Choose an address of this machine and a port you ` +
      `may use with ${option}.`,
    { cause: error },
  )
}
