import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { runProgram } from '../../../bin/commands/program.js'
import { tokenSchema } from '../../../schemas/tokens.js'

async function run(...args: string[]): Promise<{ exitCode: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const exitCode = await runProgram(['token', ...args], {} as never, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
  })
  return { exitCode, out, err }
}

describe('trunkscope token', () => {
  test('prints a token once, and the YAML that lets it in and does not hold it', async () => {
    const { exitCode, out } = await run(
      '--id',
      'portal',
      '--role',
      'viewer',
      '--carriers',
      'alpha, beta',
      '--expires',
      '2027-01-01',
    )
    expect(exitCode).toBe(0)
    const [token, ...rest] = out.split('\n')
    expect(token).toMatch(/^trunkscope_[A-Za-z0-9_-]{43}$/) // 32 random bytes
    const yaml = rest.join('\n')
    expect(yaml).not.toContain(token)
    const { tokens } = parse(yaml) as { tokens: unknown[] }
    expect(tokenSchema.parse(tokens[0])).toEqual({
      id: 'portal',
      sha256: createHash('sha256').update(token!).digest('hex'),
      role: 'viewer',
      carriers: ['alpha', 'beta'],
      expires: '2027-01-01T00:00:00Z',
    })
  })

  test('without carriers and expiry it is for all, until it is removed; no two are the same', async () => {
    const [one, other] = [
      await run('--id', 'noc', '--role', 'admin'),
      await run('--id', 'noc', '--role', 'admin'),
    ]
    expect(parse(one.out.split('\n').slice(1).join('\n')).tokens[0]).toEqual({
      id: 'noc',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      role: 'admin',
    })
    expect(one.out).not.toBe(other.out)
  })

  test.each([
    [['--role', 'viewer'], '--id'],
    [['--id', 'noc'], '--role'],
    [['--id', 'NOC', '--role', 'viewer'], 'is no id'],
    [['--id', 'noc', '--role', 'root'], 'viewer, investigator, admin'],
    [['--id', 'noc', '--role', 'viewer', '--carriers', ','], 'alpha,beta'],
    [['--id', 'noc', '--role', 'viewer', '--expires', 'soon'], '2027-01-01'],
  ])('%j is refused, with what to write', async (args, words) => {
    const { exitCode, out, err } = await run(...args)
    expect([exitCode, out]).toEqual([2, ''])
    expect(err).toContain(words)
  })
})
