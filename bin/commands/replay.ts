import { accessSync, constants, statSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { readConfig } from '../connect/config.js'
import {
  parseFolder,
  parseTarget,
  type ReplayOptions,
  type ReplayTarget,
  type Runners,
  UsageError,
} from './options.js'

const HELP = `
A capture is a file of HEP3 frames, one after another, each with its own length: what an agent wrote to a TCP stream; or
pcap or pcapng, of which SIP over UDP and TCP is read (docs/pcap.md). What of it could not be read is counted by reason.

With --data it folds and stores the calls in a process of its own and prints what /v1/kpis would answer for the time the
capture covers. The capture times stand for the arrival times, so an old capture is not late. Replaying it again into the
same folder changes no number. With --to it sends the frames to a Trunkscope that is running.

Examples:
  trunkscope replay calls.hep --config trunkscope.yaml --data ./replayed
  trunkscope replay monday.hep tuesday.hep --config capture.json --data ./replayed --json
  trunkscope replay trunk.pcapng --config trunkscope.yaml --data ./replayed --agent-id 2001
  trunkscope replay calls.hep --to udp://127.0.0.1:9060
  trunkscope replay calls.hep --to tcp://[::1]:9060`

export function addReplayCommand(program: Command, runners: Runners): void {
  program
    .command('replay')
    .summary('count the calls of a capture, or send it to a running Trunkscope')
    .description(
      'Reads captures of HEP frames, pcap and pcapng; folds and stores their calls, or sends them on.',
    )
    .argument('<FILE...>', 'captures')
    .addOption(
      new Option(
        '-c, --config <FILE>',
        'who is who on the wire: YAML, or the .json beside a capture (keys that are no configuration are left out)',
      ).env('TRUNKSCOPE_CONFIG'),
    )
    .addOption(new Option('-d, --data <DIR>', 'fold and store in this folder').argParser(parseFolder))
    .addOption(new Option('--to <URL>', 'send to udp://HOST:PORT or tcp://HOST:PORT').argParser(parseTarget))
    .option('--json', 'print JSON')
    .addOption(
      new Option('--agent-id <NUMBER>', 'of pcap: the capture id its messages get; it may tell their site')
        .default(0)
        .argParser(parseAgentId),
    )
    .addOption(
      new Option('--agent-name <NAME>', 'of pcap: the name of the agent')
        .default('pcap')
        .argParser(parseAgentName),
    )
    .addHelpText('after', HELP)
    .action(
      async (
        files: string[],
        given: {
          config?: string
          data?: string
          to?: ReplayTarget
          json?: boolean
          agentId: number
          agentName: string
        },
      ) => {
        const into = destination(given)
        for (const file of files) checkReadable(file)
        const configPath = given.config || undefined
        const config = readConfig(configPath)
        const pcapAgent = { agentId: given.agentId, agentName: given.agentName }
        await runners.replay({ files, config, configPath, into, json: given.json === true, pcapAgent })
      },
    )
}

function parseAgentId(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffff_ffff) {
    throw new InvalidArgumentError('Write a whole number from 0 (none) to 4294967295.')
  }
  return Number(text)
}

function parseAgentName(text: string): string {
  if (/^[\w.@-]{1,64}$/.test(text)) return text
  throw new InvalidArgumentError('Write up to 64 letters, digits, dots, hyphens, underscores or @.')
}

function destination({ data, to }: { data?: string; to?: ReplayTarget }): ReplayOptions['into'] {
  if (data !== undefined && to === undefined) return { kind: 'folder', dataDir: data }
  if (to !== undefined && data === undefined) return { kind: 'agent', ...to }
  throw new UsageError(
    to === undefined
      ? 'replay does not know where to: --data or --to is missing.'
      : 'replay takes --data or --to, not both.',
    '--data DIR folds and stores the calls and prints their numbers; --to udp://HOST:PORT sends the frames on',
  )
}

function checkReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new UsageError(
      code === 'ENOENT' ? `There is no file ${file}.` : `The file ${file} cannot be read (${code}).`,
      'Check its name and whether you may read it',
    )
  }
  if (statSync(file).isDirectory()) {
    throw new UsageError(
      `${file} is a folder.`,
      `Name the captures in it, for example ${file.replace(/\/$/, '')}/*.hep`,
    )
  }
}
