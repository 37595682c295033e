import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { addDoctorCommand, type DoctorOptions } from '../../../bin/commands/doctor.js'

beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('TRUNKSCOPE_')) vi.stubEnv(name, undefined)
  }
})
afterEach(() => vi.unstubAllEnvs())

async function run(...args: string[]): Promise<DoctorOptions> {
  let ran: DoctorOptions | undefined
  const program = new Command().exitOverride()
  addDoctorCommand(program, {
    doctor: async (options) => {
      ran = options
    },
  })
  await program.parseAsync(['doctor', ...args], { from: 'user' })
  return ran!
}

describe('trunkscope doctor', () => {
  test('without options it looks at what start would use', async () => {
    expect(await run()).toMatchObject({
      configPath: undefined,
      dataDir: './trunkscope-data',
      hepUdp: { host: '127.0.0.1', port: 9060 },
      hepTcp: { host: '127.0.0.1', port: 9060 },
      http: { host: '127.0.0.1', port: 8080 },
      insecure: false,
      json: false,
    })
  })

  test('takes the options and variables of the role that is to run, and reads no file itself', async () => {
    vi.stubEnv('TRUNKSCOPE_CONFIG', '/nowhere/trunkscope.yaml')
    vi.stubEnv('TRUNKSCOPE_INSECURE', '1')
    expect(await run('--hep-udp', '0.0.0.0:9061', '--data', '/srv', '--json')).toMatchObject({
      configPath: '/nowhere/trunkscope.yaml',
      dataDir: '/srv',
      hepUdp: { host: '0.0.0.0', port: 9061 },
      insecure: true,
      json: true,
    })
  })
})
