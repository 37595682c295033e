import { describe, expect, test } from 'vitest'
import { captureSettings } from '../../../bin/connect/capture-settings.js'
import { configSchema } from '../../../schemas/config.js'

describe('capture settings', () => {
  test('an empty configuration lets HEP3 in from anywhere, without key and TLS', () => {
    expect(captureSettings(configSchema.parse({}))).toEqual({
      agentKey: undefined,
      allowedAgents: [],
      hep2: false,
      tlsFiles: undefined,
    })
  })

  test('every key that capture knows is handed over', () => {
    const config = configSchema.parse({
      agent_key: 'a-shared-secret',
      capture: {
        allowed_agents: ['192.0.2.0/24'],
        hep2: true,
        tls: { cert_file: 'hep.crt', key_file: 'hep.key', client_ca_file: 'agents.crt' },
      },
    })
    expect(captureSettings(config)).toEqual({
      agentKey: 'a-shared-secret',
      allowedAgents: ['192.0.2.0/24'],
      hep2: true,
      tlsFiles: { certFile: 'hep.crt', keyFile: 'hep.key', clientCaFile: 'agents.crt' },
    })
  })
})
