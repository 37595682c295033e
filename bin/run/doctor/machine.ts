/**
 * The machine under the process: Node's version, the embedded engine, file descriptors, the clock, kernel drops. Reads
 * /proc and asks two programs; changes nothing and needs no rights. Where a system does not tell, that is said.
 *
 * Source   faults.md §2.1 for what Linux counts of UDP.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { parseUdpTable } from '../../../collector/capture/kernel-drops.js'
import { type Finding, fail, ok, warn } from './finding.js'

const NODE_OLDEST = [20, 19] as const

export function checkNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = NODE_OLDEST
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor))
    return ok('node', `Node ${version}`)
  return fail(
    'node',
    `Node ${version} is older than ${NODE_OLDEST.join('.')}`,
    'Install Node 22 or 24 (https://nodejs.org), or use the container image',
  )
}

/** Loads the engine as `start` does: present is not enough, it has to run on this platform. */
export function checkEngine(load: () => unknown = loadEngine): Finding {
  try {
    load()
    return ok('engine', 'the embedded ClickHouse engine (chdb) loads')
  } catch (error) {
    return fail(
      'engine',
      `the embedded ClickHouse engine (chdb) does not load: ${firstLine((error as Error).message)}`,
      'It needs Linux with glibc (x64, arm64) or macOS: npm install chdb; or configure clickhouse and run the roles',
    )
  }
}

function loadEngine(): unknown {
  return createRequire(import.meta.url)('chdb/connection')
}

/** Agents' connections, and what else is open at a time: segments of the spool, files of the engine, answers. */
const OTHER_DESCRIPTORS = 512

export function checkDescriptors(tcpConnectionsMax: number, proc = '/proc'): Finding {
  const name = 'descriptors'
  const [, soft] = /^Max open files\s+(\S+)/m.exec(textOf(join(proc, 'self', 'limits')) ?? '') ?? []
  if (soft === undefined) return ok(name, 'this system does not tell how many files may be open')
  const needed = tcpConnectionsMax + OTHER_DESCRIPTORS
  const limit = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
  if (limit >= needed) return ok(name, `${soft} files may be open, ${needed} are enough`)
  return warn(
    name,
    `${soft} files may be open; ${tcpConnectionsMax} connections of agents and the rest need ${needed}`,
    `ulimit -n ${needed}, LimitNOFILE=${needed} in a systemd unit, or fewer: capture.tcp_connections_max`,
  )
}

export interface ClockSources {
  /** Where systemd-timesyncd leaves its mark. */
  timesyncFolder: string
  /** Standard output of a program; undefined when it is missing, fails or hangs. */
  ask(program: string, args: string[]): Promise<string | undefined>
}

const CLOCK_SOURCES: ClockSources = {
  timesyncFolder: '/run/systemd/timesync',
  ask: async (program, args) => {
    try {
      return (await promisify(execFile)(program, args, { timeout: 2_000 })).stdout
    } catch {
      return undefined
    }
  },
}

/** Is the clock kept right by somebody? As far as it can be told without rights. */
export async function checkClock(sources: Partial<ClockSources> = {}): Promise<Finding> {
  const { timesyncFolder, ask } = { ...CLOCK_SOURCES, ...sources }
  const name = 'clock'
  if (existsSync(join(timesyncFolder, 'synchronized'))) return ok(name, 'synchronised by systemd-timesyncd')
  const kernel = await ask('timedatectl', ['show', '--property=NTPSynchronized', '--value'])
  if (kernel?.trim() === 'yes') return ok(name, 'synchronised (timedatectl)')
  const chrony = await ask('chronyc', ['-n', 'tracking'])
  if (/^Leap status\s*:\s*Normal/m.test(chrony ?? '')) return ok(name, 'synchronised by chrony')
  const fix = 'Run an NTP client: apt-get install chrony, or timedatectl set-ntp true; then look: timedatectl'
  if (kernel?.trim() === 'no' || chrony !== undefined) {
    return warn(name, 'is not synchronised; minutes and the skew of agents are measured against it', fix)
  }
  return warn(
    name,
    'it cannot be told here whether the clock is synchronised (a container has the clock of its host)',
    'Look on the host: timedatectl, or chronyc tracking',
  )
}

export interface DropSources {
  proc: string
  /** Between two looks: what grows in it is being lost now. */
  pause(): Promise<unknown>
}

const DROP_SOURCES: DropSources = { proc: '/proc', pause: () => sleep(1_000) }

/** What the kernel dropped before anybody could read it: at our port since it was opened, on the host now. */
export async function checkKernelDrops(port: number, sources: Partial<DropSources> = {}): Promise<Finding[]> {
  const { proc, pause } = { ...DROP_SOURCES, ...sources }
  const before = { port: portDrops(proc, port), host: hostDrops(proc) }
  if (before.host === undefined) return [ok('kernel drops', 'this system does not count them')]
  await pause()
  const now = { port: portDrops(proc, port), host: hostDrops(proc) ?? before.host }
  return [dropsOfPort(port, before.port, now.port), dropsOfHost(now.host - before.host, now.host)]
}

function dropsOfPort(port: number, before: number | undefined, now: number | undefined): Finding {
  const name = 'kernel drops'
  const fix =
    'Raise net.core.rmem_max and capture.receive_buffer_bytes, or let agents send over TCP, which loses nothing'
  if (now === undefined) return ok(name, `nobody listens on UDP port ${port} now`)
  if (before !== undefined && now > before) {
    return fail(
      name,
      `UDP port ${port} loses datagrams now: ${now - before} within a second, ${now} so far`,
      fix,
    )
  }
  if (now > 0)
    return warn(name, `UDP port ${port} has lost ${now} datagrams since it was opened; none just now`, fix)
  return ok(name, `UDP port ${port} has lost nothing since it was opened`)
}

function dropsOfHost(growth: number, total: number): Finding {
  const name = 'host drops'
  if (growth <= 0)
    return ok(name, `no full UDP receive buffer on this host now (${total} datagrams since it started)`)
  return warn(
    name,
    `${growth} datagrams were dropped within a second because a program's UDP receive buffer was full`,
    'ss -lunm shows whose: the socket whose skmem has a growing d',
  )
}

function portDrops(proc: string, port: number): number | undefined {
  const rows = ['udp', 'udp6']
    .flatMap((table) => parseUdpTable(textOf(join(proc, 'net', table)) ?? ''))
    .filter((row) => row.port === port)
  return rows.length === 0 ? undefined : rows.reduce((sum, row) => sum + row.drops, 0)
}

/** RcvbufErrors of /proc/net/snmp: a line of names, a line of values. */
function hostDrops(proc: string): number | undefined {
  const [names, values] = (textOf(join(proc, 'net', 'snmp')) ?? '')
    .split('\n')
    .filter((line) => line.startsWith('Udp:'))
    .map((line) => line.split(/\s+/))
  const at = names?.indexOf('RcvbufErrors') ?? -1
  const value = at < 0 ? Number.NaN : Number(values?.[at])
  return Number.isFinite(value) ? value : undefined
}

export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

export function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}
