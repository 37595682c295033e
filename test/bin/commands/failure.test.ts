import { describe, expect, test } from 'vitest'
import { failureOf } from '../../../bin/commands/failure.js'
import { UsageError } from '../../../bin/commands/options.js'
import { ConfigError } from '../../../bin/connect/config.js'

describe('a failure', () => {
  test('is printed as its code, its sentence and the fix, without a stack', () => {
    const error = Object.assign(new Error('Another program listens there.'), {
      code: 'TRUNKSCOPE_CAPTURE_PORT_IN_USE',
      fix: 'Stop it.',
    })
    expect(failureOf(error, false)).toEqual({
      text: 'error TRUNKSCOPE_CAPTURE_PORT_IN_USE: Another program listens there.\nStop it.\n',
      exitCode: 1,
    })
  })

  test('mistakes of the operator exit with 2, everything else with 1', () => {
    expect(failureOf(new UsageError('no', 'yes'), false).exitCode).toBe(2)
    const config = new ConfigError('a.yaml', [
      { code: 'TRUNKSCOPE_CONFIG_SYNTAX', where: 'a.yaml:1', path: '', problem: 'is not YAML' },
    ])
    expect(failureOf(config, false)).toEqual({
      text: 'error TRUNKSCOPE_CONFIG_SYNTAX: a.yaml:1: is not YAML\n',
      exitCode: 2,
    })
    expect(failureOf(new Error('x'), false).exitCode).toBe(1)
    expect(failureOf('a text', false).exitCode).toBe(1)
  })

  test('an error nobody foresaw says how to see where, and with TRUNKSCOPE_DEBUG its stack and cause follow', () => {
    const error = new TypeError('x is undefined', { cause: new Error('deeper') })
    expect(failureOf(error, false).text).toMatch(/^error: x is undefined\n.*TRUNKSCOPE_DEBUG=1/)
    const { text } = failureOf(error, true)
    expect(text).toMatch(/at .*failure\.test\.ts/)
    expect(text).toContain('deeper')
  })

  test('terminal commands in a message are not passed on', () => {
    const { text } = failureOf(new UsageError('There is no file \x1b[2Jx\x07\r.', 'fix'), false)
    expect(text).not.toMatch(/[\x07\x1b\r]/)
  })
})
