/**
 * What Fastify may write into the log of the process: no address with its query (numbers stand in it), no header (tokens do),
 * and of an error its code and its masked text (the engine quotes values of a statement). JSON lines, so that control
 * characters are escaped. What a process does with the lines it chooses itself (bin/run/log.ts).
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { maskedText } from './masking.js'

const MESSAGE_LENGTH_MAX = 1_000

export function requestLog(log: boolean | object | undefined): false | object {
  if (log === undefined || log === false) return false
  return { ...(log === true ? {} : log), serializers: SERIALIZERS, hooks: { logMethod } }
}

export function logFailure(request: FastifyRequest, error: Error): void {
  request.log.error({ req: request, err: error, principal: request.principal?.id }, 'a request failed')
}

const SERIALIZERS = {
  req: (request: FastifyRequest) => ({
    method: request.method,
    route: request.routeOptions?.url ?? 'no such route',
    address: request.socket?.remoteAddress ?? '',
  }),
  res: (reply: FastifyReply) => ({ status: reply.statusCode }),
  err: ({ name, message, stack, code, cause }: Error & { code?: unknown }) => ({
    type: name,
    code: typeof code === 'string' ? code : '',
    message: plain(message),
    // Where it happened: frames hold no values, the first lines of a stack repeat the message.
    stack: (stack ?? '')
      .split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 10)
      .join('\n'),
    cause: cause instanceof Error ? plain(cause.message) : '',
  }),
}

/** Sentences of Fastify may hold the address of a request; where none is given pino writes the text of the error as it is. */
function logMethod(
  this: unknown,
  parts: unknown[],
  write: (this: unknown, ...parts: unknown[]) => void,
): void {
  const written = parts.map((part) => (typeof part === 'string' ? plain(part) : part))
  if (!written.some((part) => typeof part === 'string')) written.push('an error')
  write.apply(this, written)
}

/** A SIP text in an error would be of a statement that failed; the beginning says which. */
function plain(text: string): string {
  return maskedText(text.slice(0, MESSAGE_LENGTH_MAX).replace(QUERY, '?…'))
}

const QUERY = /\?[^\s"]+/g
