import { existsSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { timeUsOf } from '../../api/time-span.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { readConfig } from '../connect/config.js'
import { parseFolder, type Runners, UsageError } from './options.js'

export interface RecomputeCommandOptions {
  config: TrunkscopeConfig
  /** Whole minutes, seconds since 1970 UTC. */
  fromS: number
  toS: number
  /** Undefined: the ClickHouse server of the configuration. */
  dataDir: string | undefined
  dryRun: boolean
  json: boolean
  /** Swap without asking. */
  yes: boolean
}

const HELP = `
Folds the raw messages of the span again, under the configuration and the rules of this version, beside what is stored. Then
it says which KPIs of which carriers move: old value with n, new value with n, difference. Only after a yes the new numbers
take the place of the old ones. Killed at any point it goes on where it was when the same is asked again.

It is about the calls that began in the span; their messages before and after it are read too. It reaches as far back as raw
messages do (retention.raw_days), and says so: an attempt of which a message has expired stays as it was.

With --data it opens the folder of "trunkscope start" itself: stop that first, what agents send over TCP waits for it.
Without --data it works on the ClickHouse server of the configuration, as a user that may write and truncate tables
(trunkscope_admin), while capture, store and api go on. Give the store processes the same configuration first.

Examples:
  trunkscope recompute --from 2026-11-16T00:00:00Z --to 2026-11-20T00:00:00Z --data /var/lib/trunkscope --config trunkscope.yaml --dry-run
  trunkscope recompute --from 2026-11-20T08:00:00Z --to 2026-11-20T12:00:00Z --config cluster.yaml --yes --json`

interface Given {
  from: number
  to: number
  config?: string
  data?: string
  dryRun?: boolean
  json?: boolean
  yes?: boolean
}

export function addRecomputeCommand(program: Command, runners: Pick<Runners, 'recompute'>): void {
  program
    .command('recompute')
    .summary('past numbers under the current rules, side by side with the old')
    .description('Builds attempts and KPIs of a past span again from its raw messages, and says what moves.')
    .addOption(timeOption('--from <TIME>', 'begin of the span: RFC 3339 or unix seconds, a whole minute'))
    .addOption(timeOption('--to <TIME>', 'end of the span, not part of it'))
    .addOption(
      new Option('-c, --config <FILE>', 'who is who on the wire, as of now: YAML (or JSON)').env(
        'TRUNKSCOPE_CONFIG',
      ),
    )
    .addOption(new Option('-d, --data <DIR>', 'the folder of trunkscope start').argParser(parseFolder))
    .option('--dry-run', 'report, and change nothing')
    .option('--json', 'print the report as JSON')
    .option('-y, --yes', 'swap without asking; needed where nobody can be asked')
    .addHelpText('after', HELP)
    .action(async (given: Given) => {
      if (given.from >= given.to) {
        throw new UsageError(
          '--from is not before --to.',
          '--from is the earlier one, and --to is not part of the span',
        )
      }
      const config = readConfig(given.config || undefined)
      if (given.data === undefined && config.clickhouse === undefined) {
        throw new UsageError(
          'recompute does not know where the calls are: --data is missing, and the configuration names no ClickHouse server.',
          '--data DIR is the folder of trunkscope start; in a cluster give the --config with clickhouse.url',
        )
      }
      if (given.data !== undefined && !existsSync(given.data)) {
        throw new UsageError(
          `There is no folder ${given.data}.`,
          'Name the folder that trunkscope start was given with --data',
        )
      }
      await runners.recompute({
        config,
        fromS: given.from,
        toS: given.to,
        dataDir: given.data,
        dryRun: given.dryRun === true,
        json: given.json === true,
        yes: given.yes === true,
      })
    })
}

function timeOption(flags: string, description: string): Option {
  const name = flags.slice(2, flags.indexOf(' '))
  const parse = (text: string) => {
    const timeS = secondsOf(name, text)
    if (timeS % 60 === 0) return timeS
    const minute = new Date(Math.floor(timeS / 60) * 60_000).toISOString().replace('.000Z', 'Z')
    throw new InvalidArgumentError(
      `Numbers are kept by the minute: write a whole one, for example ${minute}.`,
    )
  }
  return new Option(flags, description).argParser(parse).makeOptionMandatory()
}

function secondsOf(name: string, text: string): number {
  try {
    return timeUsOf(name, text) / 1e6
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}
