/** The options of every command that listens. */
import { type Command, Option } from 'commander'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { checkExposure } from '../connect/exposure.js'
import { isOn, type ListenOptions, parseEndpoint, parseOptionalEndpoint, UsageError } from './options.js'

export function addListenOptions(command: Command): Command {
  return addHepOptions(command).addOption(
    endpointOption('--http', 'TRUNKSCOPE_HTTP', 8080, 'where the page, the API and /metrics are'),
  )
}

export function addHepOptions(command: Command): Command {
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
    .addOption(
      new Option(
        '--hep-tls <HOST:PORT>',
        'where agents send HEP over TLS: off unless given, and capture.tls of the configuration names the certificate',
      )
        .env('TRUNKSCOPE_HEP_TLS')
        .argParser(parseOptionalEndpoint),
    )
    .option(
      '--insecure',
      'take HEP from any machine, without agent key, allow-list or client certificates (env: TRUNKSCOPE_INSECURE=1); ' +
        'HTTP still needs a token',
    )
}

export function endpointOption(flag: string, variable: string, port: number, description: string): Option {
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
  const hepTls = given.hepTls || undefined // An empty variable reaches us as ''.
  if (hepTls !== undefined && config.capture.tls === undefined) {
    throw new UsageError(
      'HEP over TLS has no certificate: --hep-tls is given, and the configuration has no capture.tls.',
      'Put the files into the configuration:\n' +
        '  capture:\n    tls: { cert_file: /etc/trunkscope/hep.crt, key_file: /etc/trunkscope/hep.key }\n' +
        'or into TRUNKSCOPE_CAPTURE_TLS_CERT_FILE and TRUNKSCOPE_CAPTURE_TLS_KEY_FILE',
    )
  }
  const insecure = given.insecure === true || isOn(process.env.TRUNKSCOPE_INSECURE)
  const listen = { hepUdp, hepTcp, hepTls, http, insecure }
  checkExposure(listen, config)
  return listen
}
