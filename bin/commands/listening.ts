/** The options of every command that listens: `start` and `demo`. */
import { type Command, Option } from 'commander'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { checkExposure } from '../connect/exposure.js'
import { isOn, type ListenOptions, parseEndpoint } from './options.js'

export function addListenOptions(command: Command): Command {
  return command
    .addOption(
      endpointOption(
        '--hep-udp',
        'TRUNKSCOPE_HEP_UDP',
        9060,
        'where agents send HEP over UDP; port 0 takes a free one',
      ),
    )
    .addOption(
      endpointOption(
        '--hep-tcp',
        'TRUNKSCOPE_HEP_TCP',
        9060,
        'where agents send HEP over TCP, which loses nothing',
      ),
    )
    .addOption(endpointOption('--http', 'TRUNKSCOPE_HTTP', 8080, 'where the page, the API and /metrics are'))
    .option(
      '--insecure',
      'take HEP from other machines without an agent key (env: TRUNKSCOPE_INSECURE=1); HTTP still needs a token',
    )
}

function endpointOption(flag: string, variable: string, port: number, description: string): Option {
  return new Option(`${flag} <HOST:PORT>`, description)
    .env(variable)
    .argParser(parseEndpoint)
    .default({ host: '127.0.0.1', port }, `127.0.0.1:${port}`)
}

/** Checked: what would be open to other machines has its secret. */
export function listenOptions(
  given: Omit<ListenOptions, 'insecure'> & { insecure?: boolean },
  config: TrunkscopeConfig,
) {
  const { hepUdp, hepTcp, http } = given
  const insecure = given.insecure === true || isOn(process.env.TRUNKSCOPE_INSECURE)
  const listen = { hepUdp, hepTcp, http, insecure }
  checkExposure(listen, config)
  return listen
}
