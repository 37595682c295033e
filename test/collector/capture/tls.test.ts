import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, vi } from 'vitest'
import type { FrameIntake } from '../../../collector/capture/frames.js'
import { AgentStreams, type StreamOptions } from '../../../collector/capture/streams.js'
import { listenTls, type TlsFiles, type TlsListener } from '../../../collector/capture/tls.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { Authority, type CertificateFiles } from '../../support/certificates.js'
import { missingPrograms, needs } from '../../support/outside-programs.js'
import { until } from './spool-support.js'

vi.setConfig({ testTimeout: 20_000 }) // Real sockets and files, on a machine that may be busy.
const test = needs('openssl')

const hep = (number: number, payloadBytes = 20) =>
  encodeHep3({ sourceAddress: '192.0.2.1', agentId: number, payload: Buffer.alloc(payloadBytes, 'x') })

let folder: string
let authority: Authority
let stranger: Authority
let server: CertificateFiles
let agentCertificate: CertificateFiles
beforeAll(() => {
  if (missingPrograms('openssl').length > 0) return
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-tls-'))
  authority = new Authority(folder, 'authority')
  stranger = new Authority(folder, 'stranger')
  server = authority.issue('collector')
  agentCertificate = authority.issue('agent')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const open: { listener: TlsListener; streams: AgentStreams; agents: Socket[] }[] = []
afterEach(async () => {
  for (const { agents, listener, streams } of open.splice(0)) {
    for (const agent of agents) agent.destroy()
    await Promise.all([listener.close(), streams.close()])
  }
})

interface Listening extends Partial<StreamOptions> {
  files?: Partial<TlsFiles>
  handshakeTimeoutMs?: number
}

async function listen({ files, handshakeTimeoutMs, ...options }: Listening = {}) {
  const frames: Buffer[] = []
  const refused: string[] = []
  const intake: FrameIntake = {
    isAllowed: (address) => address !== '127.0.0.3',
    take: (bytes, start, end, transport, address) => {
      expect([transport, address.startsWith('127.0.0.')]).toEqual(['tls', true])
      frames.push(Buffer.from(bytes.subarray(start, end)))
    },
    refuse: (reason, transport, address, bytes) => {
      expect([transport, address.startsWith('127.0.0.')]).toEqual(['tls', true])
      refused.push(bytes.length > 0 && reason === 'tls_refused' ? `${reason} ${bytes}` : reason)
    },
  }
  const streams = new AgentStreams({
    intake,
    onNotice: () => {},
    connectionsMax: 100,
    connectionsPerAddressMax: 100,
    idleTimeoutMs: 3_600_000,
    frameTimeoutMs: 30_000,
    ...options,
  })
  const listener = await listenTls({
    host: '127.0.0.1',
    port: 0,
    files: { certFile: server.cert, keyFile: server.key, clientCaFile: undefined, ...files },
    streams,
    intake,
    onNotice: () => {},
    ...(handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs }),
  })
  const agents: Socket[] = []
  open.push({ listener, streams, agents })
  /** Not waited for: who is refused under TLS 1.3 has finished its own handshake before it hears of it. */
  const dial = (how: ConnectionOptions = {}): TLSSocket => {
    const trusted = readFileSync(authority.cert)
    const socket = connect({ host: '127.0.0.1', port: listener.bound.port, ca: trusted, ...how })
    agents.push(socket)
    socket.on('error', () => {})
    return socket
  }
  const plain = (localAddress?: string): Socket => {
    const socket = connectTcp({ host: '127.0.0.1', port: listener.bound.port, localAddress })
    agents.push(socket)
    socket.on('error', () => {})
    return socket
  }
  const agent = async (how: ConnectionOptions = {}) => {
    const socket = dial(how)
    await once(socket, 'secureConnect')
    return socket
  }
  return { agent, dial, frames, listener, plain, refused, streams }
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) => socket.once('close', () => resolve()).resume())
const show = ({ cert, key }: CertificateFiles) => ({ cert: readFileSync(cert), key: readFileSync(key) })

describe('tls', () => {
  test('frames arrive whole and in order, cut anywhere, plain and in gzip', async () => {
    const { agent, frames, streams } = await listen()
    const socket = await agent()
    expect(socket.getProtocol()).toBe('TLSv1.3')
    const sent = [hep(1), hep(2, 40_000), hep(3)]
    const stream = Buffer.concat([...sent, gzipSync(hep(4))])
    for (let at = 0; at < stream.length; at += 9_000) socket.write(stream.subarray(at, at + 9_000))
    await until(() => frames.length === 4)
    expect(frames).toEqual([...sent, hep(4)])
    expect(streams.connectionsOpen).toBe(1)
    socket.end()
    await until(() => streams.connectionsOpen === 0)
  })

  test('TLS 1.2 is taken, TLS 1.1 is refused', async () => {
    const { agent, dial, frames, refused, streams } = await listen()
    const socket = await agent({ maxVersion: 'TLSv1.2' })
    expect(socket.getProtocol()).toBe('TLSv1.2')
    socket.write(hep(1))
    await until(() => frames.length === 1)
    const old = dial({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
    await closed(old)
    expect(refused).toEqual(['tls_refused ERR_SSL_UNSUPPORTED_PROTOCOL'])
    await until(() => streams.connectionsOpen === 1)
  })

  test('an agent with a certificate of the configured authority comes in', async () => {
    const { agent, frames, refused } = await listen({ files: { clientCaFile: authority.cert } })
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await agent({ ...show(agentCertificate), maxVersion })
      socket.write(hep(1))
    }
    await until(() => frames.length === 2)
    expect(refused).toEqual([])
  })

  test('no certificate, one of another authority, and an expired one are refused with what is wrong', async () => {
    const { dial, frames, refused, streams } = await listen({ files: { clientCaFile: authority.cert } })
    const shown: [ConnectionOptions, RegExp][] = [
      [{}, /^tls_refused .*(PEER_DID_NOT_RETURN|UNABLE_TO_GET_ISSUER_CERT)/],
      [show(stranger.issue('intruder')), /^tls_refused .*(UNABLE_TO_(GET_ISSUER|VERIFY)|SELF_SIGNED)/],
      [show(authority.issue('expired', -1)), /^tls_refused .*CERT_HAS_EXPIRED/],
    ]
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const [how, words] of shown) {
        refused.length = 0
        const socket = dial({ ...how, maxVersion })
        socket.write(hep(1))
        await closed(socket)
        await until(() => refused.length > 0)
        expect(refused).toEqual([expect.stringMatching(words)])
      }
    }
    await until(() => streams.connectionsOpen === 0)
    expect(frames).toEqual([])
  })

  test('plain text on the port of TLS is refused and counted, a probe without a byte is not', async () => {
    const { plain, refused, streams } = await listen()
    const probe = plain()
    await once(probe, 'connect')
    await until(() => streams.connectionsOpen === 1)
    probe.end()
    await closed(probe)
    await until(() => streams.connectionsOpen === 0)
    expect(refused).toEqual([])
    const socket = plain()
    socket.write(hep(1))
    await closed(socket)
    expect(refused).toEqual([expect.stringMatching(/^tls_refused ERR_SSL_/)])
  })

  test('a handshake that is not finished in time is refused, and its place is free again', async () => {
    const { plain, refused, streams } = await listen({ handshakeTimeoutMs: 50 })
    const socket = plain()
    socket.write(Buffer.from('16030100', 'hex'))
    await closed(socket)
    expect(refused).toEqual(['tls_refused ERR_TLS_HANDSHAKE_TIMEOUT'])
    await until(() => streams.connectionsOpen === 0)
  })

  test('limits and allowed networks hold before the handshake', async () => {
    const { agent, plain, refused, streams } = await listen({ connectionsPerAddressMax: 1 })
    await agent()
    await closed(plain())
    await closed(plain('127.0.0.3'))
    expect(refused).toEqual(['connection_limit', 'address_not_allowed'])
    expect(streams.connectionsOpen).toBe(1)
  })

  test('half a frame and silence are bounded as over TCP', async () => {
    const time = { ms: 0 }
    const { agent, refused, streams } = await listen({ nowMs: () => time.ms })
    const [slow, silent] = [await agent(), await agent()]
    slow.write(hep(1).subarray(0, 20))
    await until(() => streams.connectionsOpen === 2)
    await until(() => {
      time.ms += 30_000
      streams.sweep()
      return refused.length === 1
    })
    await closed(slow)
    time.ms += 3_600_000
    streams.sweep()
    await closed(silent)
    expect(refused).toEqual(['frame_timeout', 'idle_timeout'])
  })

  test('certificates are changed while a connection stays up', async () => {
    const [certFile, keyFile] = [join(folder, 'in-use.crt'), join(folder, 'in-use.key')]
    const install = ({ cert, key }: CertificateFiles) => {
      copyFileSync(cert, certFile)
      copyFileSync(key, keyFile)
    }
    install(server)
    const files = { certFile, keyFile, clientCaFile: undefined }
    const { agent, frames, listener, refused } = await listen({ files })
    const nameSeen = (socket: TLSSocket) => socket.getPeerCertificate().subject.CN
    const first = await agent()
    expect(nameSeen(first)).toBe('collector')

    install(authority.issue('renewed'))
    listener.reload(files)
    const second = await agent()
    expect(nameSeen(second)).toBe('renewed')

    writeFileSync(certFile, 'no certificate')
    expect(() => listener.reload(files)).toThrow(
      expect.objectContaining({
        code: 'TRUNKSCOPE_CAPTURE_TLS_FILES',
        message: expect.stringContaining(certFile),
      }),
    )
    const third = await agent()
    expect(nameSeen(third)).toBe('renewed')

    // From now on agents need a certificate; those that are in stay in.
    listener.reload({ certFile: server.cert, keyFile: server.key, clientCaFile: authority.cert })
    const fourth = await agent(show(agentCertificate))
    for (const socket of [first, second, third, fourth]) socket.write(hep(1))
    await until(() => frames.length === 4)
    expect(refused).toEqual([])
  })

  test('a session is not resumed: every connection shows its certificate', async () => {
    const { agent } = await listen()
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = await agent({ maxVersion })
      const session = first.getSession()
      first.destroy()
      const again = await agent({ maxVersion, ...(session === undefined ? {} : { session }) })
      expect(again.isSessionReused()).toBe(false)
    }
  })

  test('renegotiation is refused', async () => {
    const { frames, listener } = await listen()
    const client = spawn('openssl', [
      's_client',
      '-connect',
      `127.0.0.1:${listener.bound.port}`,
      '-tls1_2',
    ]) as ChildProcessWithoutNullStreams
    const exited = once(client, 'exit')
    let said = ''
    client.stdout.on('data', (text) => {
      said += text
    })
    client.stderr.on('data', (text) => {
      said += text
    })
    await until(() => said.includes('Verify return code'))
    client.stdin.write('R\n')
    await until(() => /no renegotiation/i.test(said))
    client.kill()
    await exited
    expect(frames).toEqual([])
  })

  test('certificates that cannot be used stop the start with an error that names the keys', async () => {
    for (const files of [
      { certFile: join(folder, 'nowhere.crt') },
      { keyFile: agentCertificate.key },
      { clientCaFile: server.key },
    ]) {
      await expect(listen({ files })).rejects.toMatchObject({
        code: 'TRUNKSCOPE_CAPTURE_TLS_FILES',
        message: expect.stringContaining('cert_file'),
      })
    }
  })
})
