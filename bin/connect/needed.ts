/**
 * A block of the configuration that a role of the cluster cannot do without.
 *
 * Throws   TRUNKSCOPE_CONFIG_BLOCK_MISSING with the lines to write.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'

const LINES = {
  kafka: 'kafka:\n  brokers: [kafka-1.example:9092]',
  clickhouse: 'clickhouse:\n  url: http://clickhouse.example:8123',
} as const

export function needed<Key extends keyof typeof LINES>(
  config: TrunkscopeConfig,
  key: Key,
  role: string,
): NonNullable<TrunkscopeConfig[Key]> {
  const block = config[key]
  if (block !== undefined) return block as NonNullable<TrunkscopeConfig[Key]>
  throw Object.assign(
    new Error(`trunkscope ${role} needs ${key} in the configuration, and it is not there.`),
    {
      code: 'TRUNKSCOPE_CONFIG_BLOCK_MISSING',
      fix: `Write into the file given with --config:\n${LINES[key]}\nor start without a cluster: trunkscope start`,
    },
  )
}
