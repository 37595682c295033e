/** `trunkscope scorecard`: weekly scorecards as files, from a data folder or from a running API. */
import { existsSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { readConfig } from '../connect/config.js'
import { parseFolder, UsageError } from './options.js'

export const SCORECARD_FORMATS = ['html', 'pdf', 'csv', 'json'] as const
export type ScorecardFormat = (typeof SCORECARD_FORMATS)[number]

export interface ScorecardCommandOptions {
  /** "2026-W47"; undefined: the last week that is over. */
  week: string | undefined
  /** Undefined: all of them side by side. */
  carrier: string | undefined
  format: ScorecardFormat
  /** Undefined: to stdout. */
  outFolder: string | undefined
  /** Let this schedule fire now, instead of all that. */
  schedule?: string | undefined
  from:
    | { kind: 'folder'; dataDir: string; config: TrunkscopeConfig }
    | { kind: 'api'; url: string; tokenFile: string | undefined }
}

export type RunScorecard = (
  options: ScorecardCommandOptions,
  write: (part: string | Uint8Array) => void,
) => Promise<void>

const HELP = `
Without --carrier it is all carriers side by side. Without --out the scorecard goes to stdout, with it into a file that is
named as the week and the carrier.

With --data it opens the folder of "trunkscope start" itself, which must not run; while it does, ask its API with --url. PDF
is printed by a Chromium: with --data one of this machine, with --url one beside the API.

With --schedule a schedule of the configuration fires at once in the running API of --url: its scorecards are made, stored and
told as they will be by themselves. It needs the token of an admin.

Examples:
  trunkscope scorecard --week 2026-W47 --carrier alpha --format pdf --out ./scorecards --url http://127.0.0.1:8080
  trunkscope scorecard --format csv --url https://trunkscope.example --token-file /run/secrets/token > last-week.csv
  trunkscope scorecard --week 2026-W47 --data /var/lib/trunkscope --config trunkscope.yaml --out ./scorecards
  trunkscope scorecard --schedule weekly --url http://127.0.0.1:8080`

interface Given {
  week?: string
  carrier?: string
  format: ScorecardFormat
  out?: string
  data?: string
  config?: string
  url?: string
  tokenFile?: string
  schedule?: string
}

export function addScorecardCommand(
  program: Command,
  write: (part: string | Uint8Array) => void = (part) => process.stdout.write(part),
  run: RunScorecard = async (...given) => (await import('../run/scorecard.js')).runScorecard(...given),
): void {
  program
    .command('scorecard')
    .summary('the weekly scorecard of a carrier, or of all')
    .description('Writes the scorecard of a week as HTML, PDF, CSV or JSON.')
    .addOption(
      new Option('-w, --week <WEEK>', 'ISO week in UTC; the last one that is over without').argParser(
        parseWeek,
      ),
    )
    .option('--carrier <ID>', 'of this carrier; all side by side without')
    .addOption(
      new Option('-f, --format <FORMAT>', 'what to write').choices(SCORECARD_FORMATS).default('html'),
    )
    .addOption(new Option('-o, --out <FOLDER>', 'write a file into this folder').argParser(parseFolder))
    .addOption(new Option('-d, --data <DIR>', 'the folder of trunkscope start').argParser(parseFolder))
    .addOption(
      new Option('-c, --config <FILE>', 'with --data: who is who on the wire').env('TRUNKSCOPE_CONFIG'),
    )
    .addOption(
      new Option('--url <URL>', 'a running API, for example http://127.0.0.1:8080').argParser(parseUrl),
    )
    .option('--token-file <FILE>', 'with --url: a file with the token')
    .option('--schedule <ID>', 'with --url: let this schedule fire now')
    .addHelpText('after', HELP)
    .action(async (given: Given, command: Command) => {
      refuseBesideSchedule(given, command)
      await run(
        {
          week: given.week,
          carrier: given.carrier,
          format: given.format,
          outFolder: given.out,
          schedule: given.schedule,
          from: sourceOf(given),
        },
        write,
      )
    })
}

/** What a schedule makes stands in the configuration. */
function refuseBesideSchedule(given: Given, command: Command): void {
  if (given.schedule === undefined) return
  if (given.url === undefined) {
    throw new UsageError(
      '--schedule fires in a running API: --url is missing.',
      'Give --url of the process that evaluates alerts, and --token-file with the token of an admin',
    )
  }
  const own = ['week', 'carrier', 'format', 'out', 'data', 'config'].filter(
    (name) => command.getOptionValueSource(name) === 'cli',
  )
  if (own.length === 0) return
  throw new UsageError(
    `${own.map((name) => `--${name}`).join(', ')} cannot stand beside --schedule.`,
    'Leave it out: what a schedule makes stands under scorecards in the configuration',
  )
}

function sourceOf(given: Given): ScorecardCommandOptions['from'] {
  if ((given.data === undefined) === (given.url === undefined)) {
    throw new UsageError(
      given.data === undefined
        ? 'scorecard does not know where the calls are: --data and --url are missing.'
        : 'scorecard cannot read from --data and from --url at once.',
      'Give --url of a running API, or --data with the folder of trunkscope start',
    )
  }
  if (given.url !== undefined) return { kind: 'api', url: given.url, tokenFile: given.tokenFile }
  const dataDir = given.data as string
  if (given.tokenFile !== undefined) {
    throw new UsageError('--token-file is for --url.', 'Leave it out: a folder asks for no token')
  }
  if (!existsSync(dataDir)) {
    throw new UsageError(
      `There is no folder ${dataDir}.`,
      'Name the folder that trunkscope start was given with --data',
    )
  }
  return { kind: 'folder', dataDir, config: readConfig(given.config || undefined) }
}

function parseWeek(text: string): string {
  if (/^\d{4}-?[Ww]\d{1,2}$/.test(text)) return text
  throw new InvalidArgumentError('Write an ISO week, for example 2026-W47.')
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError(
      'Write http://HOST:PORT or https://HOST, for example http://127.0.0.1:8080.',
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidArgumentError('No password belongs here; put the token into a file for --token-file.')
  }
  return text.replace(/\/+$/, '')
}
