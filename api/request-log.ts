/**
 * What Fastify may write into the log of the process: no address with its query (numbers stand in it), no header (tokens do),
 * and of an error its code and its masked text (the engine quotes values of a statement). JSON lines, so that control
 * characters are escaped.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { maskedText } from './masking.js'

const MESSAGE_LENGTH_MAX = 1_000

export function requestLog(log: boolean | object | undefined): false | object {
  if (log === undefined || log === false) return false
  return { ...(log === true ? {} : log), serializers: SERIALIZERS }
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

/** A SIP text in an error would be of a statement that failed; the beginning says which. */
const plain = (text: string) => maskedText(text.slice(0, MESSAGE_LENGTH_MAX))
