/** Errors as Prometheus words them: `{"status":"error","errorType":…,"error":…}` (ecosystem.md §6.1). */

export type PromErrorType = 'bad_data' | 'execution' | 'timeout'

export const PROM_STATUS: Record<PromErrorType, number> = { bad_data: 400, execution: 422, timeout: 503 }

export class PromError extends Error {
  override readonly name = 'PromError'

  constructor(
    readonly errorType: PromErrorType,
    message: string,
  ) {
    super(message)
  }
}
