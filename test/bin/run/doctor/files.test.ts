import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checkCertificates, checkData, checkSecretFiles } from '../../../../bin/run/doctor/files.js'
import { configSchema } from '../../../../schemas/config.js'
import { needs } from '../../../support/outside-programs.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-doctor-'))
afterAll(() => rmSync(folder, { recursive: true }))
const DAY_MS = 86_400_000

describe('doctor › data folder and disk', () => {
  const config = configSchema.parse({})
  const free = (bytes: number) => ({ freeBytes: async () => bytes })

  test('a folder that is there, or can be made, is fine, and none is made', async () => {
    const [there, room] = await checkData(
      folder,
      configSchema.parse({ spool: { size_max_bytes: 1_048_576 } }),
    )
    expect(there).toMatchObject({ level: 'ok', sentence: `${folder} can be written` })
    expect(room).toMatchObject({ check: 'disk', level: 'ok' })
    const [later] = await checkData(join(folder, 'a', 'b'), config)
    expect(later).toMatchObject({ level: 'ok', sentence: expect.stringContaining('will be made') })
    expect(readdirSync(folder)).toEqual([])
  })

  test('a place that cannot be a folder is a failure', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    for (const path of [file, join(file, 'data')]) {
      expect(await checkData(path, config)).toMatchObject([
        { level: 'fail', fix: expect.stringContaining('--data DIR') },
      ])
    }
    rmSync(file)
  })

  test('less room than the spool may take is a warning, none at all a failure', async () => {
    const [, enough] = await checkData(folder, config, free(5_000_000_000))
    expect(enough?.level).toBe('ok')
    const [, tight] = await checkData(folder, config, free(4_000_000_000))
    expect(tight).toMatchObject({ level: 'warn', sentence: expect.stringContaining('grow by 4.0 GiB') })
    const [, full] = await checkData(folder, config, free(100_000_000))
    expect(full).toMatchObject({ level: 'fail', fix: expect.stringContaining('spool.size_max_bytes') })
  })

  test('what the retention still adds at the pace so far has to fit, too', async () => {
    const data = join(folder, 'growing')
    mkdirSync(join(data, 'clickhouse'), { recursive: true })
    mkdirSync(join(data, 'spool'))
    writeFileSync(join(data, 'clickhouse', 'part'), Buffer.alloc(20_000_000))
    writeFileSync(join(data, 'spool', 'segment'), Buffer.alloc(1_048_576))
    const small = configSchema.parse({ spool: { size_max_bytes: 1_048_576 }, retention: { raw_days: 102 } })
    // 20 MB in two days: a hundred days more are 1 GB.
    const nowMs = () => Date.now() + 2 * DAY_MS
    const [, fits] = await checkData(data, small, { ...free(1_100_000_000), nowMs })
    expect(fits).toMatchObject({ level: 'ok', sentence: expect.stringContaining('until 102 days are kept') })
    const [, tight] = await checkData(data, small, { ...free(900_000_000), nowMs })
    expect(tight?.level).toBe('warn')
    const [, firstDay] = await checkData(data, small, free(900_000_000))
    expect(firstDay?.level).toBe('ok')
  })
})

describe('doctor › certificates', () => {
  const test = needs('openssl')
  const make = (name: string) => {
    const [cert_file, key_file] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
    const subject = ['-subj', `/CN=${name}`, '-days', '90', '-nodes']
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', ...subject]
    execFileSync('openssl', [...args, '-keyout', key_file, '-out', cert_file], { stdio: 'ignore' })
    return { cert_file, key_file }
  }

  test('valid and matching is fine, 30 days before its end a warning, after it and before its begin a failure', () => {
    const files = { ...make('hep') }
    const at = (days: number) => checkCertificates(files, Date.now() + days * DAY_MS)[0]
    expect(at(0)?.level).toBe('ok')
    expect(at(70)).toMatchObject({ level: 'warn', fix: expect.stringContaining('SIGHUP') })
    expect(at(91)).toMatchObject({ level: 'fail', sentence: expect.stringContaining('expired') })
    expect(at(-2)).toMatchObject({ level: 'fail', fix: expect.stringContaining('clock') })
  })

  test('the key of another certificate, a file that is none, and a missing one are failures', () => {
    const [files, other] = [make('one'), make('other')]
    const nonsense = join(folder, 'nonsense.pem')
    writeFileSync(nonsense, 'no certificate')
    const sentence = (changed: Partial<typeof files>) => checkCertificates({ ...files, ...changed })[0]!
    expect(sentence({ key_file: other.key_file }).sentence).toContain('is not the key of')
    for (const changed of [
      { cert_file: nonsense },
      { key_file: nonsense },
      { cert_file: join(folder, 'missing') },
      { key_file: join(folder, 'missing') },
    ]) {
      expect(sentence(changed)).toMatchObject({ level: 'fail', fix: expect.stringContaining('PEM') })
    }
  })

  test('the authority of the agents is looked at as well', () => {
    const files = make('server')
    const findings = checkCertificates(
      { ...files, client_ca_file: make('ca').cert_file },
      Date.now() + 70 * DAY_MS,
    )
    expect(findings).toMatchObject([{ check: 'tls certificate' }, { check: 'tls client ca', level: 'warn' }])
  })
})

describe('doctor › secret files', () => {
  const secret = (name: string, text: string, mode: number) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  test('each file that holds a secret is looked at: readable by its group is fine, by everybody a warning', () => {
    const config = {
      clickhouse: { password_file: secret('group', 'x'.repeat(32), 0o440), ca_file: '/nowhere' },
      kafka: { sasl: { password_file: secret('everybody', 'x'.repeat(32), 0o644) } },
    }
    expect(checkSecretFiles(config)).toMatchObject([
      { level: 'ok', sentence: expect.stringContaining('clickhouse.password_file') },
      { level: 'warn', fix: expect.stringContaining('chmod o-rwx') },
    ])
  })

  test('an empty one and a missing one are failures', () => {
    const config = { agent_key_file: secret('empty', '\n', 0o400), tokens_file: join(folder, 'missing') }
    expect(checkSecretFiles(config)).toMatchObject([
      { level: 'fail', sentence: expect.stringContaining('empty') },
      { level: 'fail', sentence: expect.stringContaining('ENOENT') },
    ])
  })
})
