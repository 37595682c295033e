/**
 * A trunk group of two carriers, or twice of one: whose a leg is would be whoever stands first. Looks at the data as written;
 * what has the wrong shape is passed over here.
 */
import { trunkGroupKey } from '../../sip/uri.js'
import type { Mistake } from './config-shape.js'
import { type ConfigPath, pathText } from './config-text.js'

export function trunkGroupMistakes(data: unknown): Mistake[] {
  const seen = new Map<string, ConfigPath>()
  return listOf(data, 'carriers').flatMap((carrier, index) =>
    listOf(carrier, 'trunk_groups').flatMap((group, at): Mistake[] => {
      const { tgrp, context } = (group ?? {}) as Record<string, unknown>
      if (typeof tgrp !== 'string' || typeof context !== 'string') return []
      const path = ['carriers', index, 'trunk_groups', at]
      const key = trunkGroupKey({ group: tgrp, context })
      const first = seen.get(key)
      if (first === undefined) {
        seen.set(key, path)
        return []
      }
      return [
        {
          code: 'TRUNKSCOPE_CONFIG_DUPLICATE',
          path,
          problem: `${tgrp} in ${context} stands already at ${pathText(first)}; a trunk group is one carrier's, so remove one (case and separators do not tell them apart)`,
        },
      ]
    }),
  )
}

function listOf(data: unknown, key: string): unknown[] {
  const list = (data as Record<string, unknown> | null | undefined)?.[key]
  return Array.isArray(list) ? list : []
}
