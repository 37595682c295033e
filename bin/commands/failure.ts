/**
 * The one place where an error becomes what the operator reads: `error CODE: sentence`, then the fix, no stack.
 *
 * Takes    whatever was thrown. Errors of our own carry a `code` TRUNKSCOPE_<STAGE>_<WHAT> and may carry a `fix`.
 * Returns  the text, and the exit code: 2 for a mistake in the command line or the configuration, 1 for any failure.
 * Throws   nothing. With TRUNKSCOPE_DEBUG=1 the stack and the causes follow.
 */
import { inspect, stripVTControlCharacters } from 'node:util'
import { ConfigError } from '../connect/config.js'
import { ExposureError } from '../connect/exposure.js'
import { isOn, UsageError } from './options.js'

export interface Failure {
  text: string
  exitCode: 1 | 2
}

export function failureOf(error: unknown, debug = isOn(process.env.TRUNKSCOPE_DEBUG)): Failure {
  const { code, message, fix } = partsOf(error)
  const lines = [`error${code === '' ? '' : ` ${code}`}: ${message}`]
  if (fix !== '') lines.push(fix)
  if (code === '' && !debug) {
    lines.push(
      'This is most likely a mistake in Trunkscope. TRUNKSCOPE_DEBUG=1 shows where; please report it.',
    )
  }
  if (debug) lines.push(inspect(error))
  return { text: `${lines.join('\n')}\n`, exitCode: isOperatorMistake(error) ? 2 : 1 }
}

function isOperatorMistake(error: unknown): boolean {
  return error instanceof UsageError || error instanceof ConfigError || error instanceof ExposureError
}

function partsOf(error: unknown): { code: string; message: string; fix: string } {
  if (!(error instanceof Error)) return { code: '', message: plain(String(error)), fix: '' }
  const { code, fix } = error as { code?: unknown; fix?: unknown }
  return {
    code: typeof code === 'string' ? plain(code) : '',
    message: plain(error.message === '' ? error.name : error.message),
    fix: typeof fix === 'string' ? plain(fix) : '',
  }
}

/** File names and values of a configuration may hold anything, terminal commands included. */
function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/[^\P{Cc}\n\t]/gu, '?')
}
