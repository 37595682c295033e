import { Command } from 'commander'
import { describe, expect, test, vi } from 'vitest'
import { addListenOptions, listenOptions } from '../../../bin/commands/listening.js'
import type { ListenOptions } from '../../../bin/commands/options.js'
import { configSchema } from '../../../schemas/config.js'
import { withoutVariables } from '../../support/command-line.js'

const PLAIN = configSchema.parse({})
const WITH_TLS = configSchema.parse({ capture: { tls: { cert_file: 'c', key_file: 'k' } } })

withoutVariables()

function given(...args: string[]): ListenOptions {
  const command = addListenOptions(new Command()).exitOverride()
  command.configureOutput({ writeErr: () => {} })
  return command.parse(args, { from: 'user' }).opts()
}

describe('where to listen', () => {
  test('TLS is off unless it is named', () => {
    expect(listenOptions(given(), PLAIN)).toMatchObject({
      hepUdp: { host: '127.0.0.1', port: 9060 },
      hepTcp: { host: '127.0.0.1', port: 9060 },
      hepTls: undefined,
    })
    vi.stubEnv('TRUNKSCOPE_HEP_TLS', '')
    expect(listenOptions(given(), PLAIN).hepTls).toBeUndefined()
  })

  test('TLS is named by its option or its variable', () => {
    expect(listenOptions(given('--hep-tls', '127.0.0.1:9061'), WITH_TLS).hepTls).toEqual({
      host: '127.0.0.1',
      port: 9061,
    })
    vi.stubEnv('TRUNKSCOPE_HEP_TLS', '[::1]:9062')
    expect(listenOptions(given(), WITH_TLS).hepTls).toEqual({ host: '::1', port: 9062 })
  })

  test('TLS without a certificate is an error that says where it belongs', () => {
    expect(() => listenOptions(given('--hep-tls', '127.0.0.1:9061'), PLAIN)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('capture.tls'),
        fix: expect.stringContaining('TRUNKSCOPE_CAPTURE_TLS_CERT_FILE'),
      }),
    )
  })

  test('TLS off loopback is asked for its agents like the others', () => {
    expect(() => listenOptions(given('--hep-tls', '0.0.0.0:9061'), WITH_TLS)).toThrow('TLS on 0.0.0.0:9061')
    expect(listenOptions(given('--hep-tls', '0.0.0.0:9061', '--insecure'), WITH_TLS).insecure).toBe(true)
  })
})
