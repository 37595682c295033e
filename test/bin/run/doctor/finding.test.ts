import { describe, expect, test } from 'vitest'
import { ok, runChecks, sizeText } from '../../../../bin/run/doctor/finding.js'

describe('doctor checks', () => {
  test('findings come in the order of the checks, however long each takes', async () => {
    let finishFirst: () => void = () => {}
    const first = new Promise<void>((resolve) => {
      finishFirst = resolve
    })
    const findings = await runChecks(
      [
        {
          name: 'slow',
          run: async () => {
            await first
            return [ok('slow', 'done')]
          },
        },
        {
          name: 'fast',
          run: () => {
            finishFirst()
            return [ok('fast', 'done'), ok('fast too', 'done')]
          },
        },
      ],
      10_000,
    )
    expect(findings.map(({ check }) => check)).toEqual(['slow', 'fast', 'fast too'])
  })

  test('a check that hangs fails by its time limit and holds up no other', async () => {
    const findings = await runChecks(
      [
        { name: 'hangs', run: () => new Promise(() => {}) },
        { name: 'answers', run: () => [ok('answers', 'done')] },
      ],
      20,
    )
    expect(findings).toMatchObject([
      { check: 'hangs', level: 'fail', sentence: 'no answer within 0.02 s' },
      { check: 'answers', level: 'ok' },
    ])
  })

  test('a check that throws is a finding, not the end', async () => {
    const findings = await runChecks(
      [
        {
          name: 'broken',
          run: () => {
            throw new Error('a slip')
          },
        },
      ],
      1_000,
    )
    expect(findings).toMatchObject([
      { check: 'broken', level: 'fail', sentence: expect.stringContaining('a slip') },
    ])
  })

  test('sizes carry their unit', () => {
    expect([sizeText(0), sizeText(8_388_608), sizeText(4_294_967_296)]).toEqual([
      '0.0 MiB',
      '8.0 MiB',
      '4.0 GiB',
    ])
  })
})
