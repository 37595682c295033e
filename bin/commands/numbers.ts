/** `trunkscope numbers`: what can be done about the number inventory by hand. */
import { type Command, Option } from 'commander'
import { readConfig } from '../connect/config.js'

export interface NumbersCheckOptions {
  file: string
  /** Ids of the configuration; undefined without one. */
  carriers: readonly string[] | undefined
  json: boolean
}

export type RunNumbersCheck = (options: NumbersCheckOptions, write: (text: string) => void) => Promise<void>

const HELP = `
The file is CSV with a header row: number, country, type, carrier, in any order. A number has + and its country code; a block
is +1415555[0000-9999]. Country (two letters) and type may be empty; the carrier is an id of the configuration. Comma, semicolon
or tab. Every row that is wrong is listed with its line and what to write instead; the exit code is 1 then.

numbers: FILE in the configuration makes start and api use it, and SIGHUP makes them read it again.

Examples:
  trunkscope numbers check numbers.csv --config trunkscope.yaml
  trunkscope numbers check numbers.csv --json`

export function addNumbersCommand(
  program: Command,
  write: (text: string) => void,
  run: RunNumbersCheck = async (...given) =>
    (await import('../run/numbers-check.js')).runNumbersCheck(...given),
): void {
  const numbers = program
    .command('numbers')
    .summary('check the inventory of our numbers')
    .description('What can be done about the number inventory by hand.')
  numbers
    .command('check')
    .argument('<FILE>', 'the CSV file')
    .summary('list what is wrong with a file')
    .description('Reads an inventory as start and api would, and lists every row that is wrong.')
    .addOption(
      new Option('-c, --config <FILE>', 'the configuration with the carriers').env('TRUNKSCOPE_CONFIG'),
    )
    .addOption(new Option('--json', 'print JSON and nothing else'))
    .addHelpText('after', HELP)
    .action(async (file: string, given: { config?: string; json?: boolean }) => {
      const config = given.config ? readConfig(given.config) : undefined
      await run({ file, carriers: config?.carriers.map(({ id }) => id), json: given.json === true }, write)
    })
}
