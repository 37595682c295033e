/**
 * Can we listen where we are told to, and how large a receive buffer does the kernel grant? Sockets are bound for a moment
 * and closed; a port that is taken names who has it, as far as /proc tells.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { createServer, isIPv6 } from 'node:net'
import { basename, join } from 'node:path'
import { type Endpoint, endpointText } from '../../connect/exposure.js'
import { type Finding, fail, ok, sizeText, warn } from './finding.js'
import { textOf } from './machine.js'

export interface PortToCheck {
  /** "hep udp". */
  name: string
  transport: 'udp' | 'tcp'
  endpoint: Endpoint
  /** "--hep-udp". */
  option: string
}

export async function checkPort({ name, transport, endpoint, option }: PortToCheck): Promise<Finding> {
  const place = `${transport.toUpperCase()} ${endpointText(endpoint)}`
  const code = transport === 'udp' ? await bindUdp(endpoint) : await bindTcp(endpoint)
  switch (code) {
    case undefined:
      return ok(name, `${place} is free`)
    case 'EADDRINUSE':
      return taken(name, place, option, ownerOf(transport, endpoint.port))
    case 'EACCES':
      return fail(
        name,
        `${place}: this user may not listen there`,
        `Choose a port above 1023 with ${option}, or give the right: setcap cap_net_bind_service=+ep on node`,
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return fail(
        name,
        `${place} is no address of this machine`,
        `ip address shows which it has; choose one with ${option}`,
      )
    default:
      return fail(name, `${place} cannot be listened on (${code})`, `Choose another with ${option}`)
  }
}

function taken(name: string, place: string, option: string, owner: Owner | undefined): Finding {
  const fix = `Stop it, or choose another with ${option}`
  if (owner === undefined) {
    return warn(
      name,
      `${place} is taken by a process that this user may not look at`,
      `ss -lunpt as root shows whose it is; if it is not Trunkscope: ${fix.toLowerCase()}`,
    )
  }
  if (owner.isOurs) return ok(name, `${place} is ours: process ${owner.pid}`)
  return fail(name, `${place} is taken by ${owner.command}, process ${owner.pid}`, fix)
}

async function bindTcp({ host, port }: Endpoint): Promise<string | undefined> {
  const server = createServer()
  server.listen({ host, port, exclusive: true })
  const code = await once(server, 'listening').then(() => undefined, codeOf)
  server.close()
  return code
}

async function bindUdp({ host, port }: Endpoint): Promise<string | undefined> {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' })
  socket.bind({ address: host, port, exclusive: true })
  const code = await once(socket, 'listening').then(() => undefined, codeOf)
  socket.close()
  return code
}

function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message
}

interface Owner {
  pid: number
  command: string
  isOurs: boolean
}

/** Who listens on the port: its row in /proc/net has an inode, and a process has a descriptor of that inode. */
export function ownerOf(transport: 'udp' | 'tcp', port: number, proc = '/proc'): Owner | undefined {
  const inodes = new Set(
    [transport, `${transport}6`].flatMap((table) =>
      listeners(textOf(join(proc, 'net', table)) ?? '', transport, port),
    ),
  )
  for (const pid of namesIn(proc).filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of namesIn(join(proc, pid, 'fd'))) {
      if (!inodes.has(targetOf(join(proc, pid, 'fd', descriptor)))) continue
      const args = (textOf(join(proc, pid, 'cmdline')) ?? '').split('\0').filter((arg) => arg !== '')
      const isOurs = args.some((arg) => /^trunkscope(\.[jt]s)?$/.test(basename(arg)))
      return { pid: Number(pid), command: basename(args[0] ?? 'a program'), isOurs }
    }
  }
  return undefined
}

/** As /proc/<pid>/fd writes them: "socket:[12345]". */
function listeners(table: string, transport: 'udp' | 'tcp', port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const isListening = transport === 'udp' || fields[3] === '0A'
    return fields[1]?.endsWith(suffix) && isListening ? [`socket:[${fields[9]}]`] : []
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function targetOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Asks for the buffer as capture does and reads back what came of it. */
export async function checkReceiveBuffer(askedBytes: number, proc = '/proc'): Promise<Finding> {
  const name = 'udp buffer'
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  try {
    socket.setRecvBufferSize(askedBytes)
  } catch {
    // Some systems refuse instead of cutting; what stands then is read below.
  }
  const grantedBytes = socket.getRecvBufferSize()
  socket.close()
  const maxText = textOf(join(proc, 'sys', 'net', 'core', 'rmem_max'))
  const limit = maxText === undefined ? '' : ` (net.core.rmem_max is ${maxText.trim()})`
  const sentence = `asked ${sizeText(askedBytes)}, the kernel grants ${sizeText(grantedBytes)}${limit}`
  if (grantedBytes >= askedBytes) return ok(name, sentence)
  return warn(
    name,
    `${sentence}: a burst or a pause of a few milliseconds may overflow it`,
    `On the host: sysctl -w net.core.rmem_max=${askedBytes}, and for ever: ` +
      `echo net.core.rmem_max=${askedBytes} > /etc/sysctl.d/90-trunkscope.conf`,
  )
}
