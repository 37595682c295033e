/**
 * HEP over TLS 1.2 and 1.3, on a listener of its own. A connection that comes through the handshake is a stream like any
 * other (`streams.ts`); before that it already counts against the limits.
 *
 * Where `clientCaFile` is given, an agent must show a certificate of one of these authorities. Renegotiation and
 * resumption are off: connections live for hours, and a resumed one would not show its certificate again.
 *
 * Takes    where to listen, and the files. `reload` reads the files again: connections that stand go on, new ones meet
 *          the new certificates. Files that cannot be used change nothing.
 * Throws   `listenTls` rejects with TRUNKSCOPE_CAPTURE_TLS_FILES, TRUNKSCOPE_CAPTURE_PORT_IN_USE or
 *          TRUNKSCOPE_CAPTURE_BIND_FAILED. A handshake that fails is a reason (`tls_refused`), not an error; what went
 *          wrong stands in its sample. A connection that closes without having sent a byte is a probe and not counted.
 * Source   faults.md §3.4 and §4.1.
 */
import { constants, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { CaptureError } from './capture-error.js'
import { type BoundAddress, type FrameIntake, plainAddress } from './frames.js'
import type { AgentConnection, AgentStreams } from './streams.js'
import { type ListenerOptions, listenForStreams, type TcpListener } from './tcp.js'

export interface TlsFiles {
  certFile: string
  keyFile: string
  clientCaFile: string | undefined
}

export interface TlsOptions extends ListenerOptions {
  files: TlsFiles
  /** Time for the handshake. */
  handshakeTimeoutMs?: number
}

const HANDSHAKE_TIMEOUT_MS = 10_000

export class TlsListener {
  readonly #streams: AgentStreams
  readonly #intake: FrameIntake
  readonly #handshakeTimeoutMs: number
  readonly #inHandshake = new Map<string, AgentConnection>()
  /** Does the handshakes of the connections that come now; it listens nowhere itself. */
  #handshakes: Server
  #listener: TcpListener | undefined

  constructor(options: TlsOptions) {
    this.#streams = options.streams
    this.#intake = options.intake
    this.#handshakeTimeoutMs = options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS
    this.#handshakes = this.#serverFor(options.files)
  }

  async listen(options: ListenerOptions): Promise<void> {
    this.#listener = await listenForStreams(options, 'tls', '--hep-tls', (socket) => this.#accept(socket))
  }

  get bound(): BoundAddress {
    return this.#listener!.bound
  }

  /** Throws TRUNKSCOPE_CAPTURE_TLS_FILES and keeps what it has. */
  reload(files: TlsFiles): void {
    this.#handshakes = this.#serverFor(files)
  }

  async close(): Promise<void> {
    await this.#listener?.close()
  }

  #serverFor(files: TlsFiles): Server {
    const { certFile, clientCaFile, keyFile } = files
    const asksForCertificate = clientCaFile !== undefined
    let server: Server
    try {
      server = createServer({
        cert: readFileSync(certFile),
        key: readFileSync(keyFile),
        ...(asksForCertificate ? { ca: authorities(clientCaFile) } : {}),
        requestCert: asksForCertificate,
        rejectUnauthorized: false, // Looked at below, where the agent's address is known.
        minVersion: 'TLSv1.2',
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
        handshakeTimeout: this.#handshakeTimeoutMs,
      })
    } catch (error) {
      throw tlsFilesError(files, error)
    }
    server.on('secureConnection', (socket) => this.#onSecure(socket, asksForCertificate))
    server.on('tlsClientError', (error, socket) => this.#onFailure(error, socket))
    return server
  }

  #accept(socket: Socket): void {
    const connection = this.#streams.admit(socket, 'tls')
    if (connection === undefined) return
    const key = keyOf(socket)
    this.#inHandshake.set(key, connection)
    socket.once('close', () => this.#inHandshake.delete(key))
    this.#handshakes.emit('connection', socket)
  }

  #onSecure(socket: TLSSocket, asksForCertificate: boolean): void {
    const key = keyOf(socket)
    const connection = this.#inHandshake.get(key)
    this.#inHandshake.delete(key)
    socket.on('error', () => {}) // 'close' follows.
    if (connection !== undefined && (!asksForCertificate || socket.authorized)) {
      this.#streams.read(connection, socket)
      return
    }
    const { authorizationError } = socket as unknown as { authorizationError: string | Error | undefined }
    if (connection !== undefined) this.#refuse(connection.address, String(authorizationError))
    socket.destroy()
  }

  #onFailure(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const connection = this.#inHandshake.get(keyOf(socket))
    const address = connection?.address ?? plainAddress(socket.remoteAddress ?? '')
    const isProbe = error.code === 'ECONNRESET' && socket.bytesRead === 0
    if (!isProbe) this.#refuse(address, error.code ?? error.message)
    socket.destroy()
  }

  #refuse(address: string, what: string): void {
    this.#intake.refuse('tls_refused', 'tls', address, Buffer.from(what))
  }
}

/** OpenSSL takes a file without a certificate for an empty list, and would refuse everybody in silence. */
function authorities(file: string): Buffer {
  const pem = readFileSync(file)
  new X509Certificate(pem)
  return pem
}

/** One listener: the far address and port name a connection. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}|${remotePort}`
}

function tlsFilesError({ certFile, clientCaFile, keyFile }: TlsFiles, cause: unknown): CaptureError {
  const { message } = cause as Error
  return new CaptureError(
    'TRUNKSCOPE_CAPTURE_TLS_FILES',
    `The certificates for HEP over TLS cannot be used (${message}). Check capture.tls: cert_file ${certFile}, key_file ` +
      `${keyFile}${clientCaFile === undefined ? '' : `, client_ca_file ${clientCaFile}`}. They are PEM, the key has no ` +
      'pass phrase and belongs to the certificate, and the user that runs Trunkscope may read them.',
    { cause },
  )
}

export async function listenTls(options: TlsOptions): Promise<TlsListener> {
  const listener = new TlsListener(options)
  await listener.listen(options)
  return listener
}
