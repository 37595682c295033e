import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DoctorOptions } from '../../../bin/commands/doctor.js'
import type { Finding } from '../../../bin/run/doctor/finding.js'
import { examine, runDoctor, table } from '../../../bin/run/doctor.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-doctor-'))
afterAll(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('TRUNKSCOPE_')) vi.stubEnv(name, undefined)
  }
})
afterEach(() => vi.unstubAllEnvs())

const LOOPBACK = { host: '127.0.0.1', port: 0 }

function options(changed: Partial<DoctorOptions> = {}): DoctorOptions {
  const listen = { hepUdp: LOOPBACK, hepTcp: LOOPBACK, http: LOOPBACK, insecure: false }
  return { ...listen, configPath: undefined, dataDir: join(folder, 'data'), json: false, ...changed }
}

function configFile(text: string): string {
  const path = join(folder, 'trunkscope.yaml')
  writeFileSync(path, text)
  return path
}

const find = (findings: readonly Finding[], check: string) => findings.filter((one) => one.check === check)

describe('doctor', () => {
  test('looks at everything the embedded mode needs, and leaves nothing behind', async () => {
    const findings = await examine(options({ configPath: configFile('carriers: []\n') }))
    const checks = new Set(findings.map(({ check }) => check))
    for (const check of [
      'configuration',
      'exposure',
      'node',
      'descriptors',
      'clock',
      'data folder',
      'disk',
    ]) {
      expect(checks).toContain(check)
    }
    for (const check of ['hep udp', 'hep tcp', 'http', 'udp buffer', 'kernel drops', 'engine']) {
      expect(checks).toContain(check)
    }
    expect(checks).not.toContain('kafka')
    expect(readdirSync(folder)).toEqual(['trunkscope.yaml'])
  })

  test('whatever is not ok has its fix', async () => {
    const findings = await examine(options({ hepUdp: { host: '192.0.2.1', port: 9060 } }))
    expect(findings.some(({ level }) => level === 'fail')).toBe(true)
    expect(findings.filter(({ level, fix }) => level !== 'ok' && !fix)).toEqual([])
  })

  test('a broken configuration is a finding for every mistake, and the rest is looked at all the same', async () => {
    const configPath = configFile(
      'carriers:\n  - id: alpha\n    peer: [198.51.100.10/32]\nspool: { size_max: 5 }\n',
    )
    const findings = await examine(options({ configPath }))
    expect(find(findings, 'configuration')).toMatchObject([
      { level: 'fail', sentence: expect.stringContaining('trunkscope.yaml:3') },
      { level: 'fail', sentence: expect.stringContaining('trunkscope.yaml:4') },
    ])
    expect(find(findings, 'udp buffer')).toHaveLength(1)
  })

  test('HTTP off loopback without a token, and TLS without a certificate, are failures of exposure', async () => {
    const open = await examine(options({ http: { host: '0.0.0.0', port: 0 } }))
    expect(find(open, 'exposure')).toMatchObject([
      { level: 'fail', fix: expect.stringContaining('trunkscope token') },
    ])
    const tls = await examine(options({ hepTls: LOOPBACK }))
    expect(find(tls, 'exposure')).toMatchObject([{ level: 'fail', fix: expect.stringContaining('capture') }])
    expect(find(tls, 'hep tls')).toHaveLength(1)
  })

  test('Kafka and ClickHouse are looked at where the configuration names them, and the engine is not', async () => {
    const configPath = configFile(
      'kafka: { brokers: ["127.0.0.1:1"] }\nclickhouse: { url: "http://127.0.0.1:1" }\n',
    )
    const findings = await examine(options({ configPath }))
    expect(find(findings, 'kafka broker')).toMatchObject([{ level: 'fail' }])
    expect(find(findings, 'clickhouse')).toMatchObject([{ level: 'fail' }])
    expect(find(findings, 'engine')).toEqual([])
  })

  test('a failure is printed first and then ends the command with 1', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const hepUdp = { host: '127.0.0.1', port: socket.address().port }
    let printed = ''
    const ran = runDoctor(options({ hepUdp, json: true }), (text) => {
      printed += text
    })
    await expect(ran).rejects.toMatchObject({ code: 'TRUNKSCOPE_DOCTOR_FAILED' })
    socket.close()
    const { findings } = JSON.parse(printed) as { findings: Finding[] }
    expect(find(findings, 'hep udp')).toMatchObject([{ level: 'fail' }])
  })

  test('one finding a line, its fix below, and no control character of others', () => {
    const text = table([
      { check: 'node', level: 'ok', sentence: 'Node 22' },
      { check: 'udp buffer', level: 'warn', sentence: 'a \u001b[31mred\u001b[0m\nline', fix: 'mend it' },
    ])
    expect(text).toBe(
      'ok    node        Node 22\nwarn  udp buffer  a red line\n                  fix: mend it\n',
    )
  })
})
