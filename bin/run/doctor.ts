/**
 * `trunkscope doctor`: what could be wrong on this machine with this configuration, one finding a line, each with its fix.
 * Looks and asks; changes nothing. A role that runs may go on running.
 *
 * Throws   TRUNKSCOPE_DOCTOR_FAILED after printing when a check failed, so that the command ends with 1.
 */
import { stripVTControlCharacters } from 'node:util'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { DoctorOptions } from '../commands/doctor.js'
import { listenOptions } from '../commands/listening.js'
import { UsageError } from '../commands/options.js'
import { ConfigError, readConfig } from '../connect/config.js'
import { ExposureError } from '../connect/exposure.js'
import { checkClickHouse } from './doctor/clickhouse.js'
import { checkCertificates, checkData, checkSecretFiles } from './doctor/files.js'
import { type Check, type Finding, fail, ok, runChecks } from './doctor/finding.js'
import { checkKafka } from './doctor/kafka.js'
import { checkClock, checkDescriptors, checkEngine, checkKernelDrops, checkNode } from './doctor/machine.js'
import { checkPort, checkReceiveBuffer } from './doctor/ports.js'
import { checkSchedules } from './doctor/scorecards.js'

/** For one check; they run side by side. */
const LIMIT_MS = 10_000

export async function runDoctor(
  options: DoctorOptions,
  write: (text: string) => void = (text) => process.stdout.write(text),
): Promise<void> {
  const findings = await examine(options)
  write(options.json ? `${JSON.stringify({ findings }, null, 2)}\n` : table(findings))
  const failed = findings.filter(({ level }) => level === 'fail').length
  if (failed === 0) return
  throw Object.assign(new Error(`${failed} of ${findings.length} checks failed.`), {
    code: 'TRUNKSCOPE_DOCTOR_FAILED',
    fix: 'Each says what to do; then run trunkscope doctor again',
  })
}

export async function examine(options: DoctorOptions): Promise<Finding[]> {
  const { config, findings } = configuration(options)
  return [...findings, ...(await runChecks(checksFor(options, config), LIMIT_MS))]
}

/** With a broken file the rest is examined with the defaults: there may be more to mend. */
function configuration(options: DoctorOptions): { config: TrunkscopeConfig; findings: Finding[] } {
  const findings: Finding[] = []
  let config: TrunkscopeConfig
  try {
    config = readConfig(options.configPath, process.env, () => {})
    findings.push(ok('configuration', summary(options.configPath, config)))
  } catch (error) {
    const fix = 'Mend it; where a process runs, it goes on with what it read before'
    findings.push(...mistakesOf(error).map((sentence) => fail('configuration', sentence, fix)))
    return { config: readConfig(undefined, {}), findings }
  }
  try {
    listenOptions(options, config)
    findings.push(ok('exposure', 'what would listen off loopback has its secret'))
  } catch (error) {
    if (!(error instanceof ExposureError) && !(error instanceof UsageError)) throw error
    findings.push(fail('exposure', error.message, error.fix))
  }
  return { config, findings }
}

/** Throws what is none of the configuration's. */
function mistakesOf(error: unknown): string[] {
  if (error instanceof ConfigError) {
    return error.mistakes.map(
      ({ where, path, problem }) => `${where}: ${path === '' ? '' : `${path} `}${problem}`,
    )
  }
  const { code, message } = error as { code?: unknown; message: string }
  // A file that the configuration names: agent_key_file, tokens_file.
  if (String(code).startsWith('TRUNKSCOPE_CONFIG_')) return [message]
  throw error
}

function summary(path: string | undefined, config: TrunkscopeConfig): string {
  const { sites, carriers, customers } = config
  const from = path ?? 'no file: defaults and the environment'
  const mode = config.kafka === undefined && config.clickhouse === undefined ? 'embedded' : 'cluster'
  return `${from}; ${mode}; ${sites.length} sites, ${carriers.length} carriers, ${customers.length} customers`
}

function checksFor(options: DoctorOptions, config: TrunkscopeConfig): Check[] {
  const { capture, kafka, clickhouse } = config
  const checks: Check[] = [
    { name: 'node', run: () => [checkNode()] },
    { name: 'descriptors', run: () => [checkDescriptors(capture.tcp_connections_max)] },
    { name: 'clock', run: async () => [await checkClock()] },
    { name: 'data folder', run: () => checkData(options.dataDir, config) },
    ...portsOf(options).map((port) => ({ name: port.name, run: async () => [await checkPort(port)] })),
    { name: 'udp buffer', run: async () => [await checkReceiveBuffer(capture.receive_buffer_bytes)] },
    { name: 'kernel drops', run: () => checkKernelDrops(options.hepUdp.port) },
    { name: 'secret file', run: () => checkSecretFiles(config) },
    { name: 'scorecards', run: () => checkSchedules(config.scorecards.schedules) },
  ]
  if (kafka === undefined && clickhouse === undefined) {
    checks.push({ name: 'engine', run: () => [checkEngine()] })
  }
  const { tls } = capture
  if (tls !== undefined) checks.push({ name: 'tls certificate', run: () => checkCertificates(tls) })
  if (kafka !== undefined) checks.push({ name: 'kafka', run: () => checkKafka(kafka) })
  if (clickhouse !== undefined) checks.push({ name: 'clickhouse', run: () => checkClickHouse(clickhouse) })
  return checks
}

function portsOf({ hepUdp, hepTcp, hepTls, http }: DoctorOptions) {
  const tcp = 'tcp' as const
  return [
    { name: 'hep udp', transport: 'udp' as const, endpoint: hepUdp, option: '--hep-udp' },
    { name: 'hep tcp', transport: tcp, endpoint: hepTcp, option: '--hep-tcp' },
    ...(hepTls === undefined
      ? []
      : [{ name: 'hep tls', transport: tcp, endpoint: hepTls, option: '--hep-tls' }]),
    { name: 'http', transport: tcp, endpoint: http, option: '--http' },
  ]
}

/** File names and errors of others may hold anything, terminal commands included. */
export function table(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.flatMap(({ level, check, sentence, fix }) => [
    `${level.padEnd(4)}  ${check.padEnd(width)}  ${sentence}`,
    ...(fix === undefined ? [] : [`${' '.repeat(width + 8)}fix: ${fix}`]),
  ])
  return lines.map((line) => `${stripVTControlCharacters(line).replace(/\p{Cc}/gu, ' ')}\n`).join('')
}
