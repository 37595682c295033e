import { expect, test } from 'vitest'
import { needed } from '../../../bin/connect/needed.js'
import { configSchema } from '../../../schemas/config.js'

test('needed › a block that is there is given, one that is not is an error with the lines to write', () => {
  const config = configSchema.parse({ kafka: { brokers: ['kafka:9092'] } })
  expect(needed(config, 'kafka', 'store').brokers).toEqual(['kafka:9092'])
  expect(() => needed(config, 'clickhouse', 'store')).toThrow(
    expect.objectContaining({
      code: 'TRUNKSCOPE_CONFIG_BLOCK_MISSING',
      message: expect.stringContaining('trunkscope store needs clickhouse'),
      fix: expect.stringContaining('url: http'),
    }),
  )
})
