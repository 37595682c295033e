// tidy: tested by test/pipeline/real-capture.test.ts
/**
 * The process's log: JSON lines on standard error, so that text from the wire cannot break a line or turn a terminal's
 * colours; on a terminal a plain line, control characters replaced.
 */
import { pino } from 'pino'
import { readableText } from '../../sip/sip-message.js'

export type Log = (level: 'info' | 'warn' | 'error', sentence: string) => void

export function processLog(): Log {
  if (process.stderr.isTTY) {
    return (level, sentence) => {
      const text = readableText(Buffer.from(sentence, 'utf8').toString('latin1'))
      process.stderr.write(level === 'info' ? `${text}\n` : `${level}: ${text}\n`)
    }
  }
  const logger = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2))
  return (level, sentence) => logger[level](sentence)
}
