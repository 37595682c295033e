import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readConfig } from '../../../bin/connect/config.js'
import { creditMistakes } from '../../../bin/connect/config-credits.js'

const problems = (credits: unknown, targets?: unknown) =>
  creditMistakes({ carriers: [{ id: 'alpha', credits, targets }] }).map(({ problem }) => problem)

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-credits-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('service credits of a configuration', () => {
  test('tiers by target; a worse result gives more', () => {
    expect(
      problems(
        [
          { target: 'ner', below: 0.95, percent: 5 },
          { target: 'ner', below: 0.9, percent: 10 },
          { target: 'pdd_p95_s', above: 8, percent: 3 },
          { target: 'pdd_p95_s', above: 6, percent: 1 },
        ],
        { ner: 0.95, pdd_p95_s: 6 },
      ),
    ).toEqual([])
  })

  test('a name that is no KPI, a bound on the wrong side, none, and one out of its unit', () => {
    const of = (entry: object) => problems([{ percent: 5, ...entry }])
    expect(of({ target: 'nerr', below: 1 })).toEqual(['nerr is no KPI with a target; did you mean ner?'])
    expect(of({ target: 'pdd_p95', above: 6 })).toEqual([
      'pdd_p95 is no KPI with a target; did you mean pdd_p95_s?',
    ])
    expect(of({ target: 'ner', above: 0.9 })).toEqual([
      'of ner more is better, so a credit is due below a value; write below',
    ])
    expect(of({ target: 'rate_5xx', below: 0.1 })).toEqual([
      'of rate_5xx less is better, so a credit is due above a value; write above',
    ])
    expect(of({ target: 'ner' })).toEqual([
      'is missing; write the value from which the credit is due, for example below: 0.95',
    ])
    expect(of({ target: 'ner', below: 95 })).toEqual(['is 95, and no share of 1; write 0.95 for 95 %'])
    expect(of({ target: 'pdd_p95_s', above: 0 })).toEqual(['is 0, and no time; write seconds, for example 8'])
  })

  test('tiers that contradict one another, or the target', () => {
    const two = (below: number, percent: number) => [
      { target: 'ner', below: 0.95, percent: 5 },
      { target: 'ner', below, percent },
    ]
    expect(problems(two(0.95, 6))).toEqual(['ner below 0.95 stands twice; remove one of the two'])
    expect(problems(two(0.9, 5))).toEqual([
      'is 5 for ner below 0.9, and 5 for below 0.95; the worse result has to give the higher credit',
    ])
    expect(problems(two(0.9, 10), { ner: 0.92 })[0]).toContain(
      'is 0.95, but the target of ner is 0.92: a credit would be due although the target is met; write below: 0.92',
    )
  })

  test('what has the wrong shape is passed over', () => {
    for (const data of [
      null,
      [],
      { carriers: 1 },
      { carriers: [null, 1, { credits: 1 }, { credits: [null, 1, {}] }] },
    ]) {
      expect(creditMistakes(data)).toEqual([])
    }
    expect(problems([{ target: 'ner', below: '0.9', percent: 'x' }])).toEqual([])
  })

  test('the error names the line', () => {
    const file = join(folder, 'trunkscope.yaml')
    const write = (lines: string[]) =>
      writeFileSync(
        file,
        ['carriers:', '  - id: alpha', '    peers: [198.51.100.10/32]', ...lines].join('\n'),
      )
    const fails = (lines: string[]) => {
      write(lines)
      try {
        readConfig(file, {})
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }
    const credit = (text: string) => [
      '    credits:',
      '      - { target: ner, below: 0.95, percent: 5 }',
      `      - ${text}`,
    ]
    expect(fails(credit('{ target: ner, below: 0.9, percent: 2 }'))).toMatch(
      /yaml:6: carriers\[0\]\.credits\[1\]\.percent: is 2 for ner/,
    )
    expect(fails(credit('{ target: ner, percent: 2 }'))).toMatch(
      /yaml:6: carriers\[0\]\.credits\[1\]\.below: is missing/,
    )
    expect(fails(credit('{ target: ner, belw: 0.9, percent: 10 }'))).toMatch(/yaml:6: .*did you mean below/s)
    expect(fails(credit('{ target: ner, below: 0.9, percent: 110 }'))).toMatch(/yaml:6: .*percent/)
    expect(fails(['    monthly_charge: { amount: 100, currency: euro }'])).toMatch(/yaml:4: .*ISO 4217/)
    expect(fails(['    monthly_charge: { amount: 0, currency: EUR }'])).toMatch(
      /yaml:4: carriers\[0\]\.monthly_charge\.amount/,
    )
    write([
      '    monthly_charge: { amount: 100.5, currency: EUR }',
      ...credit('{ target: ner, below: 0.9, percent: 10 }'),
    ])
    expect(readConfig(file, {}).carriers[0]).toMatchObject({
      monthly_charge: { amount: 100.5, currency: 'EUR' },
      credits: [{ percent: 5 }, { percent: 10 }],
    })
  })
})
