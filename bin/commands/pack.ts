/** `trunkscope pack`: a dispute pack as a file, from a data folder or from a running API. */
import { existsSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { CLASS_IDS } from '../../api/packs/classes.js'
import { CALLS_DEFAULT, CALLS_MAX } from '../../api/packs/request.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { readConfig } from '../connect/config.js'
import type { ProgressStream } from '../demo/progress.js'
import { parseFolder, UsageError } from './options.js'

export interface PackCommandOptions {
  carrier: string
  /** As written: the API reads them, and says what is wrong with them. */
  from: string
  to: string
  classes: string
  asOf: string | undefined
  calls: number
  /** Undefined: named as the API names it, in the folder where we are. */
  outFile: string | undefined
  source:
    | { kind: 'folder'; dataDir: string; config: TrunkscopeConfig }
    | { kind: 'api'; url: string; tokenFile: string | undefined }
}

export type RunPack = (
  options: PackCommandOptions,
  write: (text: string) => void,
  progress: ProgressStream,
) => Promise<void>

const HELP = `
Failure classes, one or more with commas between: ${CLASS_IDS.join(', ')}.

Times are RFC 3339 or unix seconds, on whole minutes; the window ends before --as-of. The pack says as of when it is: the same
request with that --as-of gives the same bytes, or is refused when attempts have changed since. docs/packs.md says what is in it.

With --data it opens the folder of "trunkscope start" itself, which must not run; while it does, ask its API with --url and a
token of the role investigator. How far it is stands on stderr.

Examples:
  trunkscope pack --carrier alpha --from 2026-11-20T00:00:00Z --to 2026-11-21T00:00:00Z --class no_ring_487,5xx \\
    --out pack.zip --url https://trunkscope.example --token-file /run/secrets/token
  trunkscope pack --carrier alpha --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --class bad --calls 100 \\
    --data /var/lib/trunkscope --config trunkscope.yaml`

interface Given {
  carrier: string
  from: string
  to: string
  class: string
  asOf?: string
  calls: number
  out?: string
  data?: string
  config?: string
  url?: string
  tokenFile?: string
}

export function addPackCommand(
  program: Command,
  write: (text: string) => void = (text) => process.stdout.write(text),
  run: RunPack = async (...given) => (await import('../run/pack.js')).runPack(...given),
): void {
  program
    .command('pack')
    .summary('a dispute pack: what a carrier failed at, to take to it')
    .description(
      'Writes one zip about the failures of a carrier in a window: counts, numbers, attempts, sample calls, pcap, checksums.',
    )
    .requiredOption('--carrier <ID>', 'of this carrier')
    .requiredOption('--from <TIME>', 'start of the window')
    .requiredOption('--to <TIME>', 'its end, not part of it')
    .requiredOption('--class <CLASSES>', 'what failed: no_ring_487, 5xx, bad …')
    .option('--as-of <TIME>', 'what was stored by then; now without')
    .addOption(
      new Option('--calls <N>', `sample calls, at most ${CALLS_MAX}`)
        .argParser(parseCalls)
        .default(CALLS_DEFAULT),
    )
    .option('-o, --out <FILE>', 'the file to write; named by the API without')
    .addOption(new Option('-d, --data <DIR>', 'the folder of trunkscope start').argParser(parseFolder))
    .addOption(
      new Option('-c, --config <FILE>', 'with --data: who is who on the wire').env('TRUNKSCOPE_CONFIG'),
    )
    .addOption(
      new Option('--url <URL>', 'a running API, for example http://127.0.0.1:8080').argParser(parseUrl),
    )
    .option('--token-file <FILE>', 'with --url: a file with the token')
    .addHelpText('after', HELP)
    .action(async (given: Given) => {
      const { carrier, from, to, calls } = given
      await run(
        {
          carrier,
          from,
          to,
          calls,
          classes: given.class,
          asOf: given.asOf,
          outFile: given.out,
          source: sourceOf(given),
        },
        write,
        process.stderr,
      )
    })
}

function sourceOf({ data, url, tokenFile, config }: Given): PackCommandOptions['source'] {
  if ((data === undefined) === (url === undefined)) {
    throw new UsageError(
      data === undefined
        ? 'pack does not know where the calls are: --data and --url are missing.'
        : 'pack cannot read from --data and from --url at once.',
      'Give --url of a running API, or --data with the folder of trunkscope start',
    )
  }
  if (url !== undefined) return { kind: 'api', url, tokenFile }
  if (tokenFile !== undefined) {
    throw new UsageError('--token-file is for --url.', 'Leave it out: a folder asks for no token')
  }
  const dataDir = data as string
  if (!existsSync(dataDir)) {
    throw new UsageError(
      `There is no folder ${dataDir}.`,
      'Name the folder that trunkscope start was given with --data',
    )
  }
  return { kind: 'folder', dataDir, config: readConfig(config || undefined) }
}

function parseCalls(text: string): number {
  const calls = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (calls <= CALLS_MAX) return calls
  throw new InvalidArgumentError(`Write a whole number from 0 to ${CALLS_MAX}.`)
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
