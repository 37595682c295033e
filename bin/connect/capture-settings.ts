/** What capture takes from the configuration, when it starts and again at each reload. */
import type { CaptureSettings } from '../../collector/capture/capture.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'

export function captureSettings(config: Pick<TrunkscopeConfig, 'agent_key' | 'capture'>): CaptureSettings {
  const { allowed_agents, hep2, tls } = config.capture
  return {
    agentKey: config.agent_key,
    allowedAgents: allowed_agents,
    hep2,
    tlsFiles: tls && { certFile: tls.cert_file, keyFile: tls.key_file, clientCaFile: tls.client_ca_file },
  }
}
