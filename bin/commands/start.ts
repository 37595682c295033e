import { type Command, Option } from 'commander'
import { readConfig } from '../connect/config.js'
import { addListenOptions, listenOptions } from './listening.js'
import { type ListenOptions, parseFolder, type Runners } from './options.js'

const HELP = `
Point an agent at it, and its calls appear at http://127.0.0.1:8080/. Without a configuration they all belong to the
carrier "unknown", which lists the addresses it saw and the lines to copy into trunkscope.yaml:

  sites:
    - { id: dal, sbc: [192.0.2.11/32], agents: [2001] }
  carriers:
    - { id: alpha, name: Alpha Telecom, peers: [198.51.100.10/32] }
  customers:                                  # the other side of the SBC: no carrier's attempts
    - { id: contact-centre, peers: [10.20.0.0/16] }

A variable overrides a key of the file: spool.size_max_bytes is TRUNKSCOPE_SPOOL_SIZE_MAX_BYTES.

Examples:
  trunkscope start
  trunkscope start --config trunkscope.yaml --data /var/lib/trunkscope
  TRUNKSCOPE_AGENT_KEY=a-shared-secret trunkscope start --hep-udp 0.0.0.0:9060 --hep-tcp 0.0.0.0:9060
  trunkscope start --config trunkscope.yaml --http 0.0.0.0:8080      # asks for tokens: trunkscope token --help

Ctrl-C stops it: what was accepted is stored first. One process a data folder. SIGHUP reads the configuration again: who is who
and thresholds (for what comes, not for what is stored), agent key, allow-list, certificates; a broken file changes nothing.`

export function addStartCommand(program: Command, runners: Runners): void {
  const command = program
    .command('start')
    .summary('receive HEP, count calls per carrier, show them: one process')
    .description(
      'Receives HEP from capture agents, folds SIP into call attempts, stores them in a folder of its own and answers ' +
        'with KPIs per carrier. No other program is needed.',
    )
    .addOption(
      new Option('-c, --config <FILE>', 'who is who on the wire: YAML (or JSON)').env('TRUNKSCOPE_CONFIG'),
    )
    .addOption(
      new Option('-d, --data <DIR>', 'where everything is stored')
        .env('TRUNKSCOPE_DATA')
        .argParser(parseFolder)
        .default('./trunkscope-data'),
    )
  addListenOptions(command)
    .addHelpText('after', HELP)
    .action(async (given: ListenOptions & { config?: string; data: string }) => {
      const configPath = given.config || undefined
      const read = () => readConfig(configPath)
      const config = read()
      await runners.start({
        config,
        configPath,
        readConfig: read,
        dataDir: given.data,
        ...listenOptions(given, config),
      })
    })
}
