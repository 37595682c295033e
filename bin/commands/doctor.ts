import { type Command, Option } from 'commander'
import { addListenOptions } from './listening.js'
import { isOn, type ListenOptions, parseFolder, type Runners } from './options.js'

export interface DoctorOptions extends ListenOptions {
  /** Read by the doctor itself: a broken file is a finding. */
  configPath: string | undefined
  dataDir: string
  json: boolean
}

const HELP = `
Looks at the configuration, ports, the UDP receive buffer and what the kernel dropped, disk, clock, file descriptors, TLS
certificates and secret files; for the embedded mode at the engine; where the configuration names them, at Kafka (versions,
topic, how far the stores are behind) and ClickHouse (version, clock, tables, rights). Give it the options of the role that
is to run here. It changes nothing, and a role may run beside it.

One finding a line: ok, warn or fail, and how to mend it. Ends with 1 when something failed.

Examples:
  trunkscope doctor
  trunkscope doctor --config trunkscope.yaml --data /var/lib/trunkscope
  trunkscope doctor --hep-udp 0.0.0.0:9060 --hep-tcp 0.0.0.0:9060
  trunkscope doctor --json | jq '.findings[] | select(.level != "ok")'`

export function addDoctorCommand(program: Command, runners: Pick<Runners, 'doctor'>): void {
  const command = program
    .command('doctor')
    .summary('what could be wrong here, and how to mend it')
    .description('Checks this machine and this configuration, and says how to mend what it finds.')
    .addOption(new Option('-c, --config <FILE>', 'the configuration to look at').env('TRUNKSCOPE_CONFIG'))
    .addOption(
      new Option('-d, --data <DIR>', 'where everything is, or will be, stored')
        .env('TRUNKSCOPE_DATA')
        .argParser(parseFolder)
        .default('./trunkscope-data'),
    )
    .option('--json', 'print JSON')
  addListenOptions(command)
    .addHelpText('after', HELP)
    .action(
      async (
        given: Omit<ListenOptions, 'insecure'> & {
          config?: string
          data: string
          json?: boolean
          insecure?: boolean
        },
      ) => {
        const { config, data, json, insecure, ...endpoints } = given
        await runners.doctor({
          ...endpoints,
          insecure: insecure === true || isOn(process.env.TRUNKSCOPE_INSECURE),
          configPath: config || undefined,
          dataDir: data,
          json: json === true,
        })
      },
    )
}
