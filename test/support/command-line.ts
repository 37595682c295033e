/** Commands as they are written on a command line, without the variables of whoever runs the tests, and without output. */
import { Command } from 'commander'
import { afterEach, beforeEach, vi } from 'vitest'

export function withoutVariables(): void {
  beforeEach(() => {
    for (const name of Object.keys(process.env)) {
      if (name.startsWith('TRUNKSCOPE_')) vi.stubEnv(name, undefined)
    }
  })
  afterEach(() => vi.unstubAllEnvs())
}

/** What a command would run with; undefined: it would not run. */
export async function givenTo<Options>(
  words: readonly string[],
  add: (program: Command, run: (options: Options) => Promise<void>) => void,
): Promise<Options | undefined> {
  let given: Options | undefined
  const program = new Command('trunkscope')
  add(program, async (options) => {
    given = options
  })
  const quiet = (command: Command) => {
    command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} })
    command.commands.forEach(quiet)
  }
  quiet(program)
  await program.parseAsync([...words], { from: 'user' })
  return given
}
