import { describe, expect, test, vi } from 'vitest'
import { addDoctorCommand, type DoctorOptions } from '../../../bin/commands/doctor.js'
import { givenTo, withoutVariables } from '../../support/command-line.js'

withoutVariables()

const run = async (...args: string[]) =>
  (await givenTo<DoctorOptions>(['doctor', ...args], (program, run) =>
    addDoctorCommand(program, { doctor: run }),
  ))!

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
