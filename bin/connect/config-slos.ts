/**
 * What is wrong with `slos` and `maintenance` although their shape is right: ids that stand twice, carriers and sites that
 * nobody configured, times that end before they begin, windows longer than their minutes are kept. What has the wrong shape
 * is passed over here.
 */
import { keptOf, type Retention } from '../../schemas/retention.js'
import type { Mistake } from './config-shape.js'
import { type ConfigPath, pathText } from './config-text.js'
import { nearest } from './nearest.js'

type Block = Record<string, unknown>

export function sloMistakes(data: unknown): Mistake[] {
  const slos = blocksOf(data, 'slos')
  const maintenance = blocksOf(data, 'maintenance')
  return [
    ...repeatedIds(slos),
    ...[...slos, ...maintenance].flatMap((entry) => [
      ...unknownNames(data, entry, 'carriers'),
      ...unknownNames(data, entry, 'sites'),
    ]),
    ...slos.flatMap((entry) => longerThanKept(data, entry)),
    ...maintenance.flatMap(endsBeforeItBegins),
  ]
}

interface Entry {
  path: ConfigPath
  block: Block
}

function blocksOf(data: unknown, key: string): Entry[] {
  const list = (data as Block | null)?.[key]
  if (!Array.isArray(list)) return []
  return list.flatMap((block, index) =>
    typeof block === 'object' && block !== null ? [{ path: [key, index], block: block as Block }] : [],
  )
}

function repeatedIds(slos: readonly Entry[]): Mistake[] {
  const seen = new Map<unknown, ConfigPath>()
  return slos.flatMap(({ path, block: { id } }) => {
    const first = seen.get(id)
    if (typeof id !== 'string' || first === undefined) {
      seen.set(id, path)
      return []
    }
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_DUPLICATE' as const,
        path: [...path, 'id'],
        problem: `${id} is already the id of ${pathText(first)}; every objective has its own, so rename one`,
      },
    ]
  })
}

function unknownNames(data: unknown, { path, block }: Entry, key: 'carriers' | 'sites'): Mistake[] {
  const names = block[key]
  if (!Array.isArray(names)) return []
  const known = blocksOf(data, key).flatMap((entry) =>
    typeof entry.block.id === 'string' ? [entry.block.id] : [],
  )
  const what = key === 'carriers' ? 'carrier' : 'site'
  return names.flatMap((name, index) => {
    if (typeof name !== 'string' || known.includes(name)) return []
    const meant = nearest(name, known)
    const fix =
      meant !== undefined
        ? `did you mean ${meant}?`
        : known.length > 0
          ? `write one of ${known.join(', ')}`
          : `add it under ${key}, or leave ${key} out, which means all`
    return [
      {
        code:
          key === 'carriers'
            ? ('TRUNKSCOPE_CONFIG_UNKNOWN_CARRIER' as const)
            : ('TRUNKSCOPE_CONFIG_UNKNOWN_SITE' as const),
        path: [...path, key, index],
        problem: `no ${what} has the id ${name}; ${fix}`,
      },
    ]
  })
}

/** Maintenance is cut out of a window by the minute. */
function longerThanKept(data: unknown, { path, block: { window_days: days } }: Entry): Mistake[] {
  const keptDays = minutesDaysOf((data as Block).retention)
  if (typeof days !== 'number' || keptDays === undefined || days <= keptDays) return []
  return [
    {
      code: 'TRUNKSCOPE_CONFIG_BAD_VALUE',
      path: [...path, 'window_days'],
      problem:
        `is ${days}, but minutes are kept for ${keptDays} days (retention.minutes_days, and not longer than attempts); ` +
        `write ${keptDays} or less, or keep them longer`,
    },
  ]
}

function minutesDaysOf(written: unknown): number | undefined {
  try {
    return keptOf((written ?? {}) as Retention).minutesDays
  } catch {
    return undefined // Its shape is wrong, and that is told elsewhere.
  }
}

function endsBeforeItBegins({ path, block: { from, to } }: Entry): Mistake[] {
  const [begins, ends] = [timeOf(from), timeOf(to)]
  if (begins === undefined || ends === undefined || ends > begins) return []
  return [
    {
      code: 'TRUNKSCOPE_CONFIG_BAD_VALUE',
      path: [...path, 'to'],
      problem: `${String(to)} is not after from (${String(from)}); write the later time here, with its offset from UTC`,
    },
  ]
}

function timeOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}
