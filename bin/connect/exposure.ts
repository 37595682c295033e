/**
 * May it listen there? Loopback is open; anything else needs a secret first.
 *
 * Takes    the addresses to listen on, whether `--insecure` was given, and the configuration.
 * Throws   ExposureError: TRUNKSCOPE_API_TOKEN_REQUIRED when HTTP would leave loopback without a bearer token (nothing
 *          overrides that), TRUNKSCOPE_CAPTURE_KEY_REQUIRED when HEP would without an agent key and without `--insecure`.
 * Source   faults.md §4.1 and §4.2.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'

export interface Endpoint {
  /** Without brackets. */
  host: string
  /** 0: any free one. */
  port: number
}

export class ExposureError extends Error {
  override readonly name = 'ExposureError'

  constructor(
    readonly code: 'TRUNKSCOPE_API_TOKEN_REQUIRED' | 'TRUNKSCOPE_CAPTURE_KEY_REQUIRED',
    message: string,
    readonly fix: string,
  ) {
    super(message)
  }
}

export function checkExposure(
  listen: { http: Endpoint; hepUdp: Endpoint; hepTcp: Endpoint; insecure: boolean },
  config: Pick<TrunkscopeConfig, 'api_tokens' | 'agent_key'>,
): void {
  if (!isLoopback(listen.http.host) && config.api_tokens.length === 0) {
    throw new ExposureError(
      'TRUNKSCOPE_API_TOKEN_REQUIRED',
      `HTTP on ${endpointText(listen.http)} could be reached from other machines, and no bearer token is configured.`,
      'Make one with: openssl rand -hex 32\n' +
        'and put it under api_tokens of the configuration, or into the variable TRUNKSCOPE_API_TOKENS; ' +
        'or listen on loopback: --http 127.0.0.1:8080',
    )
  }
  if (listen.insecure || config.agent_key !== undefined) return
  const exposed = [
    { option: '--hep-udp', transport: 'UDP', endpoint: listen.hepUdp },
    { option: '--hep-tcp', transport: 'TCP', endpoint: listen.hepTcp },
  ].filter(({ endpoint }) => !isLoopback(endpoint.host))
  if (exposed.length === 0) return
  throw new ExposureError(
    'TRUNKSCOPE_CAPTURE_KEY_REQUIRED',
    `HEP over ${exposed.map(({ transport, endpoint }) => `${transport} on ${endpointText(endpoint)}`).join(' and ')} ` +
      'would take frames from anyone who can reach it, and no agent key is configured.',
    'Set agent_key in the configuration, or TRUNKSCOPE_AGENT_KEY, and the same key in every agent; ' +
      `or listen on loopback: ${exposed.map(({ option }) => `${option} 127.0.0.1:9060`).join(' ')}; ` +
      'or add --insecure where the network itself lets nobody else in',
  )
}

/** Loopback by its address, or by the one name that means it; a name that would have to be looked up is not. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase()
  return (
    name === 'localhost' ||
    name === '::1' ||
    /^127\.\d+\.\d+\.\d+$/.test(name) ||
    name.startsWith('::ffff:127.')
  )
}

export function endpointText({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
