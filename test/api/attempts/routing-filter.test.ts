/** What it finds among stored attempts: search.test.ts. */
import { describe, expect, test } from 'vitest'
import { routingConditions, routingFilterOf } from '../../../api/attempts/routing-filter.js'
import { LOOPBACK } from '../../../schemas/tokens.js'

const read = (written: Parameters<typeof routingFilterOf>[0]) => routingFilterOf(written, LOOPBACK)
const valuesOf = (rn: string) => read({ rn })[0]?.values

describe('search by routing', () => {
  test('a routing number is read without separators, in each form in which it may stand', () => {
    expect(valuesOf('+1 (215) 555-0000')).toEqual(['12155550000', '+12155550000'])
    expect(valuesOf('0012155550000')).toContain('+12155550000')
    expect(valuesOf('3f-00')).toEqual(['3F00'])
    expect(read({ tgrp: ['TG-1', 'tg-2,TG-3'] })).toEqual([
      { name: 'tgrp', values: ['tg-1', 'tg-2', 'tg-3'] },
    ])
    expect(read({})).toEqual([])
  })

  test.each(['', '+', 'alice', '+3F00', "1' OR 1=1", '1'.repeat(65)])('%j is none', (rn) => {
    expect(() => read({ rn })).toThrow('rn is no routing number')
  })

  test.each([{ rn: '+12155550000' }, { tgrp: 'TG-1' }])(
    '%j tells what is masked: not for a viewer',
    (written) => {
      expect(() => routingFilterOf(written, { ...LOOPBACK, role: 'viewer' })).toThrow(
        'needs the role investigator',
      )
      expect(routingFilterOf(written, { ...LOOPBACK, role: 'investigator' })).toHaveLength(1)
    },
  )

  test('values are parameters, and the first look goes by the prefix where there is one', () => {
    const { conditions, parameters } = routingConditions(read({ rn: '+12155550000', tgrp: "a'b" }), true)
    expect(parameters).toEqual({
      rn: ['12155550000', '+12155550000'],
      rn_prefixes: ['1215555', '+1215555'],
      tgrp: ["a'b"],
    })
    expect(conditions.join()).not.toContain("a'b")
    expect(routingConditions(read({ rn: '+12155550000' }), false).parameters).not.toHaveProperty(
      'rn_prefixes',
    )
    expect(routingConditions(read({ rn: '3F00' }), true).conditions).toHaveLength(1)
  })
})
