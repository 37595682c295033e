/**
 * May it listen there? Loopback is open; anything else needs to know who may come in first.
 *
 * For HTTP that is a bearer token. For HEP it is an agent key, or the networks agents may send from, or, on the TLS
 * listener, client certificates; a list of networks that holds every address is none.
 *
 * Takes    the addresses to listen on, whether `--insecure` was given, and the configuration.
 * Throws   ExposureError: TRUNKSCOPE_API_TOKEN_REQUIRED when HTTP would leave loopback without a bearer token (nothing
 *          overrides that), TRUNKSCOPE_CAPTURE_KEY_REQUIRED when HEP would be open to anyone, without `--insecure`.
 * Source   faults.md §4.1 and §4.2.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { Token } from '../../schemas/tokens.js'

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

export interface HepListeners {
  hepUdp?: Endpoint | undefined
  hepTcp?: Endpoint | undefined
  hepTls?: Endpoint | undefined
  insecure: boolean
}

type HepAdmission = Pick<TrunkscopeConfig, 'agent_key'> & {
  capture: Pick<TrunkscopeConfig['capture'], 'allowed_agents' | 'tls'>
}

export function checkExposure(
  listen: HepListeners & { http: Endpoint },
  config: Pick<TrunkscopeConfig, 'tokens'> & HepAdmission,
): void {
  checkHttpExposure(listen.http, config)
  checkHepExposure(listen, config)
}

/**
 * The tokens that are asked for, looked up each time so that a reload is heard: undefined on loopback without any.
 * Off loopback without any it is an empty list: then nobody comes in.
 */
export function tokensAsked(
  http: Endpoint,
  config: Pick<TrunkscopeConfig, 'tokens'>,
): () => readonly Token[] | undefined {
  const mayBeOpen = isLoopback(http.host)
  return () => (mayBeOpen && config.tokens.length === 0 ? undefined : config.tokens)
}

export function checkHttpExposure(http: Endpoint, config: Pick<TrunkscopeConfig, 'tokens'>): void {
  if (isLoopback(http.host) || config.tokens.length > 0) return
  throw new ExposureError(
    'TRUNKSCOPE_API_TOKEN_REQUIRED',
    `HTTP on ${endpointText(http)} could be reached from other machines, and no bearer token is configured.`,
    'Make one with: trunkscope token --id admin --role admin\n' +
      'and put the lines it prints under tokens of the configuration, or into the file of tokens_file; ' +
      'or listen on loopback: --http 127.0.0.1:8080',
  )
}

export function checkHepExposure(listen: HepListeners, config: HepAdmission): void {
  const { allowed_agents: allowed, tls } = config.capture
  const isListed = allowed.length > 0 && !allowed.some((cidr) => cidr.endsWith('/0'))
  if (listen.insecure || config.agent_key !== undefined || isListed) return
  const asksForCertificate = tls?.client_ca_file !== undefined
  const exposed = [
    { option: '--hep-udp', transport: 'UDP', port: 9060, endpoint: listen.hepUdp },
    { option: '--hep-tcp', transport: 'TCP', port: 9060, endpoint: listen.hepTcp },
    {
      option: '--hep-tls',
      transport: 'TLS',
      port: 9061,
      endpoint: asksForCertificate ? undefined : listen.hepTls,
    },
  ].flatMap(({ endpoint, ...of }) =>
    endpoint === undefined || isLoopback(endpoint.host) ? [] : [{ ...of, endpoint }],
  )
  if (exposed.length === 0) return
  const onTlsOnly = exposed.every(({ transport }) => transport === 'TLS')
  throw new ExposureError(
    'TRUNKSCOPE_CAPTURE_KEY_REQUIRED',
    `HEP over ${exposed.map(({ transport, endpoint }) => `${transport} on ${endpointText(endpoint)}`).join(' and ')} ` +
      'would take frames from anyone who can reach it: there is no agent key and no list of the networks agents send from' +
      `${onTlsOnly ? ', and no client certificate is asked for' : ''}.`,
    'Set agent_key in the configuration, or TRUNKSCOPE_AGENT_KEY, and the same key in every agent; ' +
      'or list their networks: capture.allowed_agents, or TRUNKSCOPE_CAPTURE_ALLOWED_AGENTS=10.20.0.0/16; ' +
      `${onTlsOnly ? 'or ask for certificates: capture.tls.client_ca_file; ' : ''}` +
      `or listen on loopback: ${exposed.map(({ option, port }) => `${option} 127.0.0.1:${port}`).join(' ')}; ` +
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
