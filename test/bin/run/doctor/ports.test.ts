import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checkPort, checkReceiveBuffer, ownerOf } from '../../../../bin/run/doctor/ports.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-doctor-'))
afterAll(() => rmSync(folder, { recursive: true }))

const at = (transport: 'udp' | 'tcp', port: number, host = '127.0.0.1') => ({
  name: `hep ${transport}`,
  transport,
  endpoint: { host, port },
  option: `--hep-${transport}`,
})

describe('doctor › ports', () => {
  test('a free port is free, and stays so', async () => {
    for (const transport of ['udp', 'tcp'] as const) {
      expect((await checkPort(at(transport, 0))).level).toBe('ok')
    }
  })

  test('a port of another program is a failure that names it and the option', async () => {
    const udp = createSocket('udp4').bind(0, '127.0.0.1')
    await once(udp, 'listening')
    const tcp = createServer().listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const findings = [
      await checkPort(at('udp', udp.address().port)),
      await checkPort(at('tcp', (tcp.address() as AddressInfo).port)),
    ]
    udp.close()
    tcp.close()
    for (const finding of findings) {
      expect(finding).toMatchObject({
        level: 'fail',
        sentence: expect.stringContaining(`process ${process.pid}`),
        fix: expect.stringMatching(/--hep-(udp|tcp)/),
      })
    }
  })

  test('an address of another machine is a failure', async () => {
    for (const transport of ['udp', 'tcp'] as const) {
      const finding = await checkPort(at(transport, 0, '192.0.2.1'))
      expect(finding).toMatchObject({
        level: 'fail',
        sentence: expect.stringContaining('no address of this machine'),
      })
    }
  })

  test('whose a port is: the listener with its inode, and whether its command is trunkscope', () => {
    const proc = join(folder, 'proc')
    const tcp = (port: string, state: string, inode: number) =>
      `   0: 00000000:${port} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  0 0 ${inode} 1 0 100 0 0 10 0\n`
    mkdirSync(join(proc, 'net'), { recursive: true })
    // 2364 is 9060, 1F90 is 8080; 01 is an established connection, 0A listens.
    writeFileSync(
      join(proc, 'net', 'tcp'),
      `head\n${tcp('2364', '01', 1)}${tcp('2364', '0A', 2)}${tcp('1F90', '0A', 3)}${tcp('0050', '0A', 4)}`,
    )
    const make = (pid: number, inode: number, ...args: string[]) => {
      mkdirSync(join(proc, String(pid), 'fd'), { recursive: true })
      symlinkSync(`socket:[${inode}]`, join(proc, String(pid), 'fd', '17'))
      writeFileSync(join(proc, String(pid), 'cmdline'), `${args.join('\0')}\0`)
    }
    make(100, 1, '/usr/bin/heplify')
    make(200, 2, 'node', '/trunkscope/dist/bin/trunkscope.js', 'capture')
    make(300, 3, '/usr/sbin/nginx', '-g')
    expect(ownerOf('tcp', 9060, proc)).toEqual({ pid: 200, command: 'node', isOurs: true })
    expect(ownerOf('tcp', 8080, proc)).toEqual({ pid: 300, command: 'nginx', isOurs: false })
    expect(ownerOf('tcp', 80, proc)).toBeUndefined()
  })
})

describe('doctor › udp buffer', () => {
  test('a buffer the kernel grants is fine; one beyond its limit is a warning with the sysctl', async () => {
    expect((await checkReceiveBuffer(65_536)).level).toBe('ok')
    const asked = 1_073_741_824
    expect(await checkReceiveBuffer(asked)).toMatchObject({
      level: 'warn',
      sentence: expect.stringContaining('asked 1.0 GiB'),
      fix: expect.stringContaining(`sysctl -w net.core.rmem_max=${asked}`),
    })
  })

  test('the limit is named where the system shows it', async () => {
    const core = join(folder, 'limits', 'sys', 'net', 'core')
    mkdirSync(core, { recursive: true })
    writeFileSync(join(core, 'rmem_max'), '212992\n')
    expect((await checkReceiveBuffer(65_536, join(folder, 'limits'))).sentence).toContain(
      'rmem_max is 212992',
    )
    expect((await checkReceiveBuffer(65_536, join(folder, 'nowhere'))).sentence).not.toContain('rmem_max')
  })
})
