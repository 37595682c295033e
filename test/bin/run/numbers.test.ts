import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type buildProgram, runProgram } from '../../../bin/commands/program.js'
import { noticesOf, openNumbers } from '../../../bin/run/numbers.js'
import { runNumbersCheck } from '../../../bin/run/numbers-check.js'
import { configSchema } from '../../../schemas/config.js'

const HEADER = 'number,country,type,carrier'
let folder: string
let file: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-numbers-run-'))
  file = join(folder, 'numbers.csv')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const configOf = (numbers: string | undefined) =>
  configSchema.parse({
    ...(numbers === undefined ? {} : { numbers }),
    carriers: [{ id: 'alpha', peers: ['192.0.2.1/32'] }],
  })

describe('the inventory of a running process', () => {
  test('is read at the start, and rows that are wrong are a notice', async () => {
    writeFileSync(file, `${HEADER}\n+14155550100,,,alpha\nx,,,alpha\n`)
    const numbers = await openNumbers(configOf(file), () => 7)
    const loaded = numbers.loaded()
    expect(loaded).toMatchObject({
      file,
      loadedAtUs: 7_000,
      rows: 2,
      errorCounts: { bad_number: 1 },
      problem: '',
    })
    expect(loaded?.inventory.find('+14155550100')?.carrier).toBe('alpha')
    expect(noticesOf(loaded)).toEqual([expect.stringContaining('1 rows of')])
  })

  test('a file that cannot be read stops the start; one that breaks later leaves the inventory of before', async () => {
    await expect(openNumbers(configOf(join(folder, 'none.csv')))).rejects.toMatchObject({
      code: 'TRUNKSCOPE_CONFIG_NUMBERS_FILE',
    })
    writeFileSync(file, `${HEADER}\n+14155550100,,,alpha\n`)
    const numbers = await openNumbers(configOf(file))
    writeFileSync(file, 'broken')
    expect(await numbers.reload(configOf(file))).toEqual([
      expect.stringMatching(/has no column number.*the inventory of before still holds/),
    ])
    expect(numbers.loaded()?.problem).toMatch(/has no column number/)
    expect(numbers.loaded()?.inventory.find('+14155550100')?.carrier).toBe('alpha')
    writeFileSync(file, `${HEADER}\n+14155550101,,,alpha\n`)
    expect(await numbers.reload(configOf(file))).toEqual([])
    expect(numbers.loaded()).toMatchObject({ problem: '', rows: 1 })
    expect(numbers.loaded()?.inventory.find('+14155550100')).toBeUndefined()
  })

  test('without a file there is no inventory, and a reload may bring or take one', async () => {
    const numbers = await openNumbers(configOf(undefined))
    expect(numbers.loaded()).toBeUndefined()
    expect(await numbers.reload(configOf(join(folder, 'none.csv')))).toEqual([
      expect.stringMatching(/does not exist.*there is no inventory/),
    ])
    expect(await numbers.reload(configOf(file))).toEqual([])
    expect(numbers.loaded()?.rows).toBe(1)
    await numbers.reload(configOf(undefined))
    expect(numbers.loaded()).toBeUndefined()
  })
})

describe('trunkscope numbers check', () => {
  const check = async (content: string, options: { carriers?: string[]; json?: boolean } = {}) => {
    writeFileSync(file, content)
    let text = ''
    const error = await runNumbersCheck(
      { file, carriers: options.carriers, json: options.json === true },
      (more) => {
        text += more
      },
    ).catch((thrown: { code: string }) => thrown)
    return { text, code: error === undefined ? '' : error.code }
  }

  test('lists every row that is wrong with its line and column, counts them, and fails', async () => {
    const { text, code } = await check(`${HEADER}\n+14155550100,,,alpha\nx,,,alpha\n+14155550101,,,alpa\n`, {
      carriers: ['alpha'],
    })
    expect(code).toBe('TRUNKSCOPE_NUMBERS_WRONG_ROWS')
    expect(text).toContain(`${file}:3: number: "x" is no number`)
    expect(text).toContain(`${file}:4: carrier: no carrier has the id "alpa"; did you mean alpha?`)
    expect(text).toMatch(/ 1 {2}bad_number\n +1 {2}unknown_carrier\n3 rows: 1 numbers in 1 ranges/)
  })

  test('a file that is right is counted, and without a configuration that is said', async () => {
    const { text, code } = await check(`${HEADER}\n+1415555[0000-9999],,,alpha\n`)
    expect(code).toBe('')
    expect(text).toBe(
      'note: without --config carriers are not compared with those of the configuration\n1 rows: 10000 numbers in 1 ranges, 1 KiB of memory\n',
    )
  })

  test('as JSON', async () => {
    const { text } = await check(`${HEADER}\nx,,,alpha\n+14155550100,,,alpha\n`, { json: true })
    expect(JSON.parse(text)).toMatchObject({
      rows: 2,
      numbers: 1,
      counts: { bad_number: 1 },
      errors: [{ line: 2 }],
    })
  })

  test('is a subcommand: exit code 1 for wrong rows, with the fix', async () => {
    writeFileSync(file, `${HEADER}\nx,,,alpha\n+14155550100,,,alpha\n`)
    let out = ''
    let err = ''
    const output = {
      out: (text: string) => {
        out += text
      },
      err: (text: string) => {
        err += text
      },
    }
    const runners = {} as Parameters<typeof buildProgram>[0]
    expect(await runProgram(['numbers', 'check', file], runners, output)).toBe(1)
    expect(out).toContain(`${file}:2: number:`)
    expect(err).toMatch(/^error TRUNKSCOPE_NUMBERS_WRONG_ROWS: 1 of 2 rows/)
  })
})
