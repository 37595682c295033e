import { type Command, Option } from 'commander'
import { readConfig } from '../connect/config.js'
import { addListenOptions, listenOptions } from './listening.js'
import {
  type ListenOptions,
  parseFolder,
  parseRate,
  parseSeed,
  parseTarget,
  type ReplayTarget,
  type Runners,
} from './options.js'

const HELP = `
Calls are on the page within ten seconds; the last hour is filled in behind them, with a progress line. One of the six
carriers goes bad: more 487s before ringing, a growing post-dial delay, attestation lost. Find out which. PASSporTs are signed
and checked: the certificate of one carrier has ended, and another's calls are signed by somebody else.

The calls are real HEP, sent through the socket that agents use. All of it is marked as demo data and kept in its own
folder; delete the folder to start anew. The same seed gives the same calls.

Examples:
  trunkscope demo
  trunkscope demo --seed 7 --calls-per-second 20
  trunkscope demo --http 127.0.0.1:8081 --hep-udp 127.0.0.1:9070 --hep-tcp 127.0.0.1:9070    beside another Trunkscope
  curl 'http://127.0.0.1:8080/v1/kpis?group_by=carrier'
  trunkscope demo --to tcp://capture.example:9060        only the calls, for a cluster`

interface Given extends ListenOptions {
  seed: number
  callsPerSecond: number
  data: string
  to?: ReplayTarget
}

export function addDemoCommand(program: Command, runners: Runners): void {
  const command = program
    .command('demo')
    .summary('the same with invented calls: six carriers, one of them going bad')
    .description(
      'Starts Trunkscope and sends it the calls of six invented carriers at four sites, in both directions.',
    )
    .addOption(
      new Option('-s, --seed <N>', 'which calls are invented')
        .env('TRUNKSCOPE_DEMO_SEED')
        .argParser(parseSeed)
        .default(1),
    )
    .addOption(
      new Option('--calls-per-second <N>', 'how many, over all carriers, on average')
        .env('TRUNKSCOPE_DEMO_CALLS_PER_SECOND')
        .argParser(parseRate)
        .default(5),
    )
    .addOption(
      new Option('-d, --data <DIR>', 'where everything is stored')
        .env('TRUNKSCOPE_DEMO_DATA')
        .argParser(parseFolder)
        .default('./trunkscope-demo'),
    )
    .addOption(
      new Option(
        '--to <URL>',
        'only send the calls, to a capture that runs elsewhere: udp:// or tcp://HOST:PORT',
      ).argParser(parseTarget),
    )
  addListenOptions(command)
    .addHelpText('after', HELP)
    .action(async (given: Given) => {
      const config = readConfig(undefined)
      const { seed, callsPerSecond, to } = given
      if (to !== undefined) return runners.sendDemo({ seed, callsPerSecond, to, agentKey: config.agent_key })
      await runners.demo({
        config,
        dataDir: given.data,
        seed,
        callsPerSecond,
        ...listenOptions(given, config),
      })
    })
}
