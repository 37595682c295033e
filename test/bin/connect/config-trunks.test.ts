import { describe, expect, test } from 'vitest'
import { trunkGroupMistakes } from '../../../bin/connect/config-trunks.js'
import { configSchema } from '../../../schemas/config.js'

const carriers = (...groups: unknown[]) => ({
  carriers: groups.map((trunk_groups, at) => ({ id: `c${at}`, peers: [`192.0.2.${at}/32`], trunk_groups })),
})

describe('trunk groups in the configuration', () => {
  test('a group of two carriers is a mistake, whatever its case and separators', () => {
    const [mistake, ...others] = trunkGroupMistakes(
      carriers([{ tgrp: 'TG-1', context: '+1-630' }], [{ tgrp: 'tg-1', context: '+1630' }]),
    )
    expect(others).toEqual([])
    expect(mistake).toEqual({
      code: 'TRUNKSCOPE_CONFIG_DUPLICATE',
      path: ['carriers', 1, 'trunk_groups', 0],
      problem: expect.stringContaining('carriers[0].trunk_groups[0]'),
    })
  })

  test('the same label in another context is another group', () => {
    const data = carriers([{ tgrp: 'TG-1', context: '+1-630' }], [{ tgrp: 'TG-1', context: 'example.com' }])
    expect(trunkGroupMistakes(data)).toEqual([])
    expect(configSchema.safeParse(data).success).toBe(true)
  })

  test('what has the wrong shape is passed over here, and refused by the schema', () => {
    for (const data of [
      null,
      {},
      { carriers: 7 },
      carriers(undefined, null, 'x', [null, { tgrp: 1, context: 2 }, {}]),
    ]) {
      expect(trunkGroupMistakes(data)).toEqual([])
    }
    for (const group of [
      { tgrp: '', context: '+1' },
      { tgrp: 'a;b', context: '+1' },
      { tgrp: 'TG', context: 'a b' },
      { tgrp: 'TG', context: '1-630' + ' ' },
      { tgrp: 'TG' },
    ]) {
      expect(configSchema.safeParse(carriers([group])).success).toBe(false)
    }
  })
})
