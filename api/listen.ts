/**
 * Opens the socket of an app that `buildApp` made.
 *
 * Returns  the address as bound, "host:port", and a function that stops: it answers what it has begun and takes no more.
 * Throws   TRUNKSCOPE_API_PORT_IN_USE, TRUNKSCOPE_API_CANNOT_LISTEN, with what to do.
 */
import type { AddressInfo } from 'node:net'
import type { App } from './deps.js'
import { startError } from './errors.js'

export interface Listening {
  address: string
  close(): Promise<void>
}

export async function listen(app: App, where: { host: string; port: number }): Promise<Listening> {
  try {
    await app.listen(where)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const at = `${where.host}:${where.port}`
    throw startError(
      code === 'EADDRINUSE' ? 'TRUNKSCOPE_API_PORT_IN_USE' : 'TRUNKSCOPE_API_CANNOT_LISTEN',
      code === 'EADDRINUSE'
        ? `HTTP port ${at} is taken by another process; choose another with --http ${where.host}:${where.port + 1}`
        : `cannot listen on ${at} for HTTP (${message}); choose an address of this machine with --http HOST:PORT`,
      cause,
    )
  }
  const bound = app.server.address() as AddressInfo
  return {
    address: bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`,
    close: () => app.close(),
  }
}
