/**
 * The process's log: JSON lines on standard error, so that text from the wire cannot break a line or turn a terminal's
 * colours; on a terminal a plain line, control characters replaced.
 */
import { pino } from 'pino'
import { readableText } from '../../sip/sip-message.js'

/** @param about what a program that reads the log may want apart from the sentence */
export type Log = (level: 'info' | 'warn' | 'error', sentence: string, about?: object) => void

export function processLog(): Log {
  if (process.stderr.isTTY) {
    return (level, sentence, about) => {
      const line = about === undefined ? sentence : `${sentence} ${JSON.stringify(about)}`
      const text = readableText(Buffer.from(line, 'utf8').toString('latin1'))
      process.stderr.write(level === 'info' ? `${text}\n` : `${level}: ${text}\n`)
    }
  }
  const logger = pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Whoever says something of an error has chosen what of it.
      serializers: { err: (err) => err },
    },
    pino.destination(2),
  )
  return (level, sentence, about = {}) => logger[level](about, sentence)
}

/** For `buildApp`: what the api says of requests that failed (api/request-log.ts) becomes lines of the same log. */
export function requestsTo(log: Log): object {
  return {
    level: 'warn',
    base: null,
    stream: {
      write: (line: string) => {
        const { level, time: _, msg, ...about } = JSON.parse(line) as Record<string, unknown>
        log(Number(level) >= pino.levels.values.error! ? 'error' : 'warn', String(msg), about)
      },
    },
  }
}
