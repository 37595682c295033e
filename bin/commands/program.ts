/** The command line as a whole: the subcommands, the help, and the exit code of a run. */
import { Command, CommanderError } from 'commander'
import { environmentNames } from '../connect/config.js'
import { nearest } from '../connect/nearest.js'
import { addAlertsCommand } from './alerts.js'
import { addDemoCommand } from './demo.js'
import { addDoctorCommand } from './doctor.js'
import { failureOf } from './failure.js'
import { addForgetCommand } from './forget.js'
import { addNumbersCommand } from './numbers.js'
import type { Runners } from './options.js'
import { addPackCommand } from './pack.js'
import { addRecomputeCommand } from './recompute.js'
import { addReplayCommand } from './replay.js'
import { addRoleCommands } from './roles.js'
import { addScorecardCommand } from './scorecard.js'
import { addStartCommand } from './start.js'
import { addTokenCommand } from './token.js'
import { version } from './version.js'

const HELP = `
Begin with:
  trunkscope demo                 invented calls: see what there is to see, at http://127.0.0.1:8080/
  trunkscope start                real calls: point an agent (heplify, Kamailio siptrace, …) at 127.0.0.1:9060
  trunkscope replay calls.hep --data ./replayed      the calls of a capture
  trunkscope doctor               what could be wrong on this machine

Off loopback the API asks for a token: trunkscope token makes one.

A cluster (docs/cluster.md) is trunkscope init, then capture, store and api, each a process of its own.

trunkscope <command> --help explains a command, with examples. TRUNKSCOPE_DEBUG=1 adds the stack to an error.`

/** Variables of ours that belong to no option and no key of the configuration. */
const OTHER_VARIABLES = ['TRUNKSCOPE_DEBUG', 'TRUNKSCOPE_INSECURE', 'TRUNKSCOPE_REQUIRE_ALL']

export interface Output {
  out(text: string): void
  err(text: string): void
}

export function buildProgram(runners: Runners, output: Output): Command {
  const program = new Command('trunkscope')
    .description(
      'Carrier-layer SIP observability: exact KPIs per carrier, from the HEP that capture agents mirror.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain')
    .helpCommand('help [command]', 'explain a command')
    .addHelpText('after', HELP)
    .showHelpAfterError('--help shows what there is, with examples')
    .exitOverride()
    .configureOutput({
      writeOut: output.out,
      writeErr: output.err,
      outputError: (text, write) => write(text.replace(/^error: /, 'error TRUNKSCOPE_USAGE: ')),
    })
  addDemoCommand(program, runners)
  addStartCommand(program, runners)
  addReplayCommand(program, runners)
  addRecomputeCommand(program, runners)
  addForgetCommand(program)
  addDoctorCommand(program, runners)
  addTokenCommand(program, output.out)
  addScorecardCommand(program)
  addPackCommand(program)
  addAlertsCommand(program, output.out)
  addNumbersCommand(program, output.out)
  addRoleCommands(program, runners)
  program.hook('preAction', () => noteUnknownVariables(program, output))
  return program
}

/** Runs a command line (without node and script) to its end. Returns the exit code. */
export async function runProgram(args: readonly string[], runners: Runners, output: Output): Promise<number> {
  try {
    await buildProgram(runners, output).parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    // Commander has printed its own: help and version are no failures, everything else is a wrong command line.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const { text, exitCode } = failureOf(error)
    output.err(text)
    return exitCode
  }
}

/** A variable with a typo does nothing, in silence: say so. */
function noteUnknownVariables(program: Command, output: Output): void {
  const known = [
    ...OTHER_VARIABLES,
    ...environmentNames().map(({ name }) => name),
    ...program.commands.flatMap((command) => command.options.flatMap((option) => option.envVar ?? [])),
  ]
  for (const name of Object.keys(process.env)) {
    if (!name.startsWith('TRUNKSCOPE_') || known.includes(name)) continue
    const meant = nearest(
      name.slice('TRUNKSCOPE_'.length),
      known.map((one) => one.slice('TRUNKSCOPE_'.length)),
    )
    if (meant !== undefined)
      output.err(`note: ${name} is no variable of ours; did you mean TRUNKSCOPE_${meant}?\n`)
  }
}
