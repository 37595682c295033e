import { describe, expect, test } from 'vitest'
import {
  checkExposure,
  checkHepExposure,
  endpointText,
  isLoopback,
  tokensAsked,
} from '../../../bin/connect/exposure.js'

const LOOPBACK = { host: '127.0.0.1', port: 9060 }
const ANYWHERE = { host: '0.0.0.0', port: 9060 }
const local = { http: LOOPBACK, hepUdp: LOOPBACK, hepTcp: LOOPBACK, insecure: false }
const bare = { tokens: [], agent_key: undefined, capture: { allowed_agents: [], tls: undefined } }
const token = { ...bare, tokens: [{ id: 'noc', sha256: 'a'.repeat(64), role: 'admin' as const }] }
const listed = (...networks: string[]) => ({
  ...bare,
  capture: { ...bare.capture, allowed_agents: networks },
})
const tls = (clientCaFile?: string) => ({
  ...bare,
  capture: { allowed_agents: [], tls: { cert_file: 'c', key_file: 'k', client_ca_file: clientCaFile } },
})
const key = { ...bare, agent_key: 'a-shared-secret' }

describe('exposure', () => {
  test('loopback needs no secret', () => {
    expect(() => checkExposure(local, bare)).not.toThrow()
  })

  test('HTTP off loopback needs a token, and --insecure does not replace it', () => {
    const listen = { ...local, http: { host: '::', port: 8080 } }
    for (const insecure of [false, true]) {
      expect(() => checkExposure({ ...listen, insecure }, key)).toThrow(
        expect.objectContaining({
          code: 'TRUNKSCOPE_API_TOKEN_REQUIRED',
          message: expect.stringContaining('HTTP on [::]:8080'),
          fix: expect.stringContaining('trunkscope token'),
        }),
      )
    }
    expect(() => checkExposure(listen, token)).not.toThrow()
  })

  test('tokens are asked for as soon as there are any, and off loopback without any nobody comes in', () => {
    const config: { tokens: (typeof token)['tokens'] } = { tokens: [] }
    const onLoopback = tokensAsked(LOOPBACK, config)
    const offLoopback = tokensAsked(ANYWHERE, config)
    expect(onLoopback()).toBeUndefined()
    expect(offLoopback()).toEqual([])
    config.tokens = token.tokens // A reload.
    expect(onLoopback()).toBe(token.tokens)
    expect(offLoopback()).toBe(token.tokens)
  })

  test('HEP off loopback needs an agent key or --insecure, over UDP and over TCP', () => {
    for (const listen of [
      { ...local, hepUdp: ANYWHERE },
      { ...local, hepTcp: ANYWHERE },
      { ...local, hepUdp: ANYWHERE, hepTcp: ANYWHERE },
    ]) {
      expect(() => checkExposure(listen, token)).toThrow(
        expect.objectContaining({
          code: 'TRUNKSCOPE_CAPTURE_KEY_REQUIRED',
          fix: expect.stringContaining('--insecure'),
        }),
      )
      expect(() => checkExposure(listen, key)).not.toThrow()
      expect(() => checkExposure({ ...listen, insecure: true }, bare)).not.toThrow()
    }
  })

  test('a list of networks is as good as a key, unless it holds every address', () => {
    const listen = { ...local, hepUdp: ANYWHERE, hepTcp: ANYWHERE, hepTls: ANYWHERE }
    expect(() => checkExposure(listen, listed('10.20.0.0/16', '2001:db8::/32'))).not.toThrow()
    for (const networks of [['0.0.0.0/0'], ['10.20.0.0/16', '::/0']]) {
      expect(() => checkExposure(listen, listed(...networks))).toThrow('no list of the networks')
    }
  })

  test('HEP over TLS off loopback is closed by client certificates, and they close nothing else', () => {
    const listen = { ...local, hepTls: { host: '::', port: 9061 } }
    expect(() => checkExposure(listen, tls('ca.crt'))).not.toThrow()
    expect(() => checkExposure(listen, tls())).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('TLS on [::]:9061'),
        fix: expect.stringContaining('capture.tls.client_ca_file'),
      }),
    )
    expect(() => checkExposure({ ...listen, hepUdp: ANYWHERE }, tls('ca.crt'))).toThrow('UDP on 0.0.0.0:9060')
    expect(() => checkExposure({ ...listen, insecure: true }, tls())).not.toThrow()
  })

  test('a process without HTTP asks for HEP alone', () => {
    expect(() => checkHepExposure({ hepUdp: ANYWHERE, insecure: false }, bare)).toThrow('UDP on 0.0.0.0:9060')
    expect(() => checkHepExposure({ insecure: false }, bare)).not.toThrow()
  })

  test('both HEP sockets are named when both are open', () => {
    expect(() => checkExposure({ ...local, hepUdp: ANYWHERE, hepTcp: ANYWHERE }, bare)).toThrow(
      'UDP on 0.0.0.0:9060 and TCP on 0.0.0.0:9060',
    )
  })

  test('only addresses of loopback and the name localhost are loopback', () => {
    for (const host of ['127.0.0.1', '127.5.6.7', '::1', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1']) {
      expect(isLoopback(host), host).toBe(true)
    }
    for (const host of [
      '0.0.0.0',
      '::',
      '10.0.0.1',
      '127.0.0.1.example.com',
      'localhost.example.com',
      '::127.0.0.1',
    ]) {
      expect(isLoopback(host), host).toBe(false)
    }
  })

  test('an IPv6 address is shown in brackets', () => {
    expect(endpointText({ host: '::1', port: 80 })).toBe('[::1]:80')
    expect(endpointText(LOOPBACK)).toBe('127.0.0.1:9060')
  })
})
