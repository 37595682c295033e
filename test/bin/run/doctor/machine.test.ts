import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import {
  checkClock,
  checkDescriptors,
  checkEngine,
  checkKernelDrops,
  checkNode,
} from '../../../../bin/run/doctor/machine.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-doctor-'))
const proc = join(folder, 'proc')
afterAll(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  rmSync(proc, { recursive: true, force: true })
  mkdirSync(join(proc, 'net'), { recursive: true })
  mkdirSync(join(proc, 'self'))
})

describe('doctor › node', () => {
  test('the Node of this test is recent enough, 20.18 and 18 are not', () => {
    expect(checkNode().level).toBe('ok')
    for (const version of ['20.18.3', '18.20.4']) {
      expect(checkNode(version)).toMatchObject({ level: 'fail', fix: expect.stringContaining('Install') })
    }
    expect(['20.19.0', '22.0.0', '24.1.0'].map((version) => checkNode(version).level)).toEqual([
      'ok',
      'ok',
      'ok',
    ])
  })
})

describe('doctor › engine', () => {
  test('the engine that is installed loads; one that is missing is a failure with the way to get it', () => {
    expect(checkEngine().level).toBe('ok')
    const missing = () => {
      throw new Error("Cannot find module 'chdb/connection'\nRequire stack: …")
    }
    expect(checkEngine(missing)).toMatchObject({
      level: 'fail',
      sentence: expect.stringContaining("Cannot find module 'chdb/connection'"),
      fix: expect.stringContaining('npm install chdb'),
    })
  })
})

describe('doctor › descriptors', () => {
  const limits = (soft: string) =>
    writeFileSync(
      join(proc, 'self', 'limits'),
      `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft}                 524288               files\n`,
    )

  test('enough, unlimited, and a system that does not tell are fine', () => {
    expect(checkDescriptors(1_024, proc).level).toBe('ok')
    for (const soft of ['1536', 'unlimited']) {
      limits(soft)
      expect(checkDescriptors(1_024, proc).level).toBe('ok')
    }
    expect(checkDescriptors(1).level).toBe('ok')
  })

  test('fewer than the connections of agents need is a warning with the number to set', () => {
    limits('1024')
    expect(checkDescriptors(1_024, proc)).toMatchObject({
      level: 'warn',
      fix: expect.stringContaining('LimitNOFILE=1536'),
    })
  })
})

describe('doctor › clock', () => {
  const answers = (texts: Record<string, string>) => async (program: string) => texts[program]
  const nowhere = join(folder, 'nowhere')

  test('the mark of systemd-timesyncd, timedatectl or chrony shows a clock that is kept', async () => {
    const timesyncFolder = join(folder, 'timesync')
    mkdirSync(timesyncFolder, { recursive: true })
    writeFileSync(join(timesyncFolder, 'synchronized'), '')
    expect((await checkClock({ timesyncFolder, ask: answers({}) })).level).toBe('ok')
    const byTimedatectl = { timesyncFolder: nowhere, ask: answers({ timedatectl: 'yes\n' }) }
    expect((await checkClock(byTimedatectl)).level).toBe('ok')
    const byChrony = {
      timesyncFolder: nowhere,
      ask: answers({ chronyc: 'Stratum : 3\nLeap status     : Normal\n' }),
    }
    expect((await checkClock(byChrony)).level).toBe('ok')
  })

  test('a clock that nobody keeps is a warning', async () => {
    const texts: Record<string, string>[] = [
      { timedatectl: 'no\n' },
      { chronyc: 'Leap status     : Not synchronised\n' },
    ]
    for (const text of texts) {
      const finding = await checkClock({ timesyncFolder: nowhere, ask: answers(text) })
      expect(finding).toMatchObject({ level: 'warn', fix: expect.stringContaining('chrony') })
    }
  })

  test('where nothing tells, it says where to look', async () => {
    const finding = await checkClock({ timesyncFolder: nowhere, ask: answers({}) })
    expect(finding).toMatchObject({ level: 'warn', fix: expect.stringContaining('on the host') })
  })
})

describe('doctor › kernel drops', () => {
  const HEAD =
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n'
  const socket = (port: number, drops: number) =>
    ` 1234: 0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4711 2 0000000000000000 ${drops}\n`
  const write = (drops: number | undefined, hostDrops: number) => {
    writeFileSync(
      join(proc, 'net', 'udp'),
      HEAD + socket(53, 9) + (drops === undefined ? '' : socket(9060, drops)),
    )
    writeFileSync(
      join(proc, 'net', 'snmp'),
      `Ip: Forwarding\nIp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 9 1 0 9 ${hostDrops} 0\n`,
    )
  }
  const pause = async () => {}

  test('a port that lost nothing, and a port nobody listens on, are fine', async () => {
    write(0, 5)
    expect((await checkKernelDrops(9060, { proc, pause })).map(({ level }) => level)).toEqual(['ok', 'ok'])
    write(undefined, 5)
    const [port] = await checkKernelDrops(9060, { proc, pause })
    expect(port).toMatchObject({ level: 'ok', sentence: 'nobody listens on UDP port 9060 now' })
  })

  test('losses of the past are a warning, losses while we look a failure', async () => {
    write(17, 17)
    expect(await checkKernelDrops(9060, { proc, pause })).toMatchObject([
      { check: 'kernel drops', level: 'warn', sentence: expect.stringContaining('17 datagrams') },
      { check: 'host drops', level: 'ok' },
    ])
    const losing = async () => write(29, 31)
    expect(await checkKernelDrops(9060, { proc, pause: losing })).toMatchObject([
      {
        check: 'kernel drops',
        level: 'fail',
        sentence: expect.stringContaining('12 within a second, 29 so far'),
      },
      { check: 'host drops', level: 'warn', sentence: expect.stringMatching(/^14 datagrams/) },
    ])
  })

  test('a system without these counters says so', async () => {
    expect(await checkKernelDrops(9060, { proc: join(folder, 'nowhere'), pause })).toMatchObject([
      { level: 'ok' },
    ])
  })
})
