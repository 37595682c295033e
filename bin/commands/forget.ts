/** `trunkscope forget`: deletes what is stored about a telephone number. */
import { existsSync, statSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { readNumber } from '../../api/attempts/number-filter.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { readConfig } from '../connect/config.js'
import { parseFolder, UsageError } from './options.js'

export interface ForgetCommandOptions {
  config: TrunkscopeConfig
  /** As it was given. */
  number: string
  /** Undefined: the ClickHouse server of the configuration. */
  dataDir: string | undefined
  /** Folder of dispute packs; undefined: none are looked at. */
  packsDir: string | undefined
  dryRun: boolean
  json: boolean
}

const HELP = `
Finds the calls that the number stands in (calling, called, dialled, From, and any text of their messages), deletes their
messages on every leg, and blanks the numbers, URIs and names of their attempts. Times, codes and verdicts stay, so no KPI
changes. Samples of refused frames that hold it are deleted, and with --packs dispute packs, too. At the end every table is
looked through for what is left.

Without --yes it only says what it would do. Killed at any point, the same command goes on where it was. The deletion stands
in the audit trail, with the number masked.

With --data it opens the folder of "trunkscope start": stop that first. Without --data it works on the ClickHouse server of the
configuration, as a user that may change and truncate tables (trunkscope_admin), while the other processes go on.

What lies in the spool and in Kafka cannot be deleted from: it passes by retention, and what comes out of it is found by the
next run. docs/privacy.md says for how long.

Examples:
  trunkscope forget --number +12025550143 --data /var/lib/trunkscope
  trunkscope forget --number +12025550143 --data /var/lib/trunkscope --packs /srv/packs --yes
  trunkscope forget --number +12025550143 --config cluster.yaml --yes --json`

interface Given {
  number: string
  config?: string
  data?: string
  packs?: string
  dryRun?: boolean
  json?: boolean
  yes?: boolean
}

const run = async (options: ForgetCommandOptions) => (await import('../run/forget.js')).runForget(options)

export function addForgetCommand(program: Command, runner: typeof run = run): void {
  program
    .command('forget')
    .summary('delete what is stored about a telephone number')
    .description('Deletes what is stored about a telephone number, and changes no KPI.')
    .addOption(
      new Option('--number <NUMBER>', 'the whole number, for example +12025550143')
        .argParser(parseNumber)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('-c, --config <FILE>', 'the configuration: YAML (or JSON)').env('TRUNKSCOPE_CONFIG'),
    )
    .addOption(new Option('-d, --data <DIR>', 'the folder of trunkscope start').argParser(parseFolder))
    .addOption(
      new Option('--packs <DIR>', 'delete dispute packs (*.zip) in it that hold the number').argParser(
        parseFolder,
      ),
    )
    .option('--dry-run', 'say what would be deleted, and change nothing; so it does without --yes, too')
    .option('--json', 'print the report as JSON')
    .option('-y, --yes', 'delete')
    .addHelpText('after', HELP)
    .action(async (given: Given) => {
      if (given.dryRun === true && given.yes === true)
        throw new UsageError('--dry-run and --yes contradict each other.', 'Leave one of them out')
      const config = readConfig(given.config || undefined)
      if (given.data === undefined && config.clickhouse === undefined) {
        throw new UsageError(
          'forget does not know where the calls are: --data is missing, and the configuration names no ClickHouse server.',
          '--data DIR is the folder of trunkscope start; in a cluster give the --config with clickhouse.url',
        )
      }
      for (const folder of [given.data, given.packs]) {
        if (folder === undefined || (existsSync(folder) && statSync(folder).isDirectory())) continue
        throw new UsageError(`There is no folder ${folder}.`, 'Name one that exists')
      }
      await runner({
        config,
        number: given.number,
        dataDir: given.data,
        packsDir: given.packs,
        dryRun: given.yes !== true,
        json: given.json === true,
      })
    })
}

/** Last digits are somebody else's, too. */
function parseNumber(text: string): string {
  const number = readNumber(text)
  if (number !== undefined && !number.isSuffix) return text
  throw new InvalidArgumentError('Write the whole number, for example +12025550143.')
}
