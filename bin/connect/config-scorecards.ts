/**
 * What makes no sense under `scorecards` of a configuration: carriers and sinks that do not exist, sinks that take no
 * scorecard, expressions that are no cron or never fire, zones that nobody knows. Looks at the data as written; what has the
 * wrong shape is passed over here.
 */
import { cronProblem, zoneProblem } from '../../api/scorecards/schedule.js'
import { folderSinkId } from '../../schemas/scorecard-schedule.js'
import { type Mistake, valueAt } from './config-shape.js'
import { type ConfigPath, pathText } from './config-text.js'
import { nearest } from './nearest.js'

interface Block {
  path: ConfigPath
  block: Record<string, unknown>
}

export function scorecardMistakes(data: unknown, nowMs = Date.now()): Mistake[] {
  const schedules = blocksOf(data, ['scorecards', 'schedules'])
  const sinks = blocksOf(data, ['sinks'])
  const carriers = idsOf(blocksOf(data, ['carriers']))
  return [
    ...repeatedIds(schedules),
    ...schedules.flatMap(({ path, block }) => [
      ...timingMistakes(path, block, nowMs),
      ...unknownCarriers([...path, 'carriers'], block.carriers, carriers),
      ...sinkMistakes([...path, 'sinks'], block.sinks, sinks),
      ...takenFolderName(path, block, idsOf(sinks)),
      ...nothingToMake(path, block),
    ]),
  ]
}

function blocksOf(data: unknown, path: ConfigPath): Block[] {
  const list = valueAt(data, path)
  if (!Array.isArray(list)) return []
  return list.flatMap((block: unknown, index) =>
    typeof block === 'object' && block !== null
      ? [{ path: [...path, index], block: block as Record<string, unknown> }]
      : [],
  )
}

function idsOf(blocks: readonly Block[]): string[] {
  return blocks.flatMap(({ block: { id } }) => (typeof id === 'string' ? [id] : []))
}

function bad(path: ConfigPath, problem: string): Mistake {
  return { code: 'TRUNKSCOPE_CONFIG_BAD_VALUE', path, problem }
}

function repeatedIds(schedules: readonly Block[]): Mistake[] {
  const seen = new Map<unknown, ConfigPath>()
  return schedules.flatMap(({ path, block: { id } }) => {
    if (typeof id !== 'string') return []
    const first = seen.get(id)
    if (first === undefined) {
      seen.set(id, path)
      return []
    }
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_DUPLICATE' as const,
        path: [...path, 'id'],
        problem: `${id} is already the id of ${pathText(first)}; what was made is known by the id of its schedule, so rename one`,
      },
    ]
  })
}

function timingMistakes(
  path: ConfigPath,
  { cron, time_zone: zone = 'UTC' }: Block['block'],
  nowMs: number,
): Mistake[] {
  if (typeof zone !== 'string') return []
  const ofZone = zoneProblem(zone)
  const found = ofZone === undefined ? [] : [bad([...path, 'time_zone'], ofZone)]
  if (typeof cron !== 'string') return found
  const ofCron = cronProblem(cron, ofZone === undefined ? zone : 'UTC', nowMs)
  return ofCron === undefined ? found : [...found, bad([...path, 'cron'], ofCron)]
}

function unknownCarriers(path: ConfigPath, names: unknown, known: readonly string[]): Mistake[] {
  if (!Array.isArray(names)) return []
  return names.flatMap((name: unknown, index) =>
    typeof name !== 'string' || known.includes(name)
      ? []
      : [
          {
            code: 'TRUNKSCOPE_CONFIG_UNKNOWN_CARRIER' as const,
            path: [...path, index],
            problem: `no carrier has the id ${name}; ${fixOf(name, known, 'carriers')}`,
          },
        ],
  )
}

function fixOf(name: string, known: readonly string[], list: string): string {
  const meant = nearest(name, known)
  if (meant !== undefined) return `did you mean ${meant}?`
  return known.length === 0
    ? `add it under ${list}`
    : `write one of ${known.join(', ')}, or add it under ${list}`
}

const WHY_NOT: Readonly<Record<string, string>> = {
  alertmanager: 'Alertmanager knows what fires and ends, and would forget a scorecard after minutes',
  pagerduty: 'PagerDuty would open an incident for each scorecard, and nothing would end it',
}

function sinkMistakes(path: ConfigPath, names: unknown, sinks: readonly Block[]): Mistake[] {
  if (!Array.isArray(names)) return []
  return names.flatMap((name: unknown, index) => {
    if (typeof name !== 'string') return []
    const sink = sinks.find(({ block: { id } }) => id === name)
    if (sink === undefined) {
      return [bad([...path, index], `no sink has the id ${name}; ${fixOf(name, idsOf(sinks), 'sinks')}`)]
    }
    const why = WHY_NOT[String(sink.block.type)]
    if (why === undefined) return []
    return [
      bad(
        [...path, index],
        `${name} takes no scorecards: ${why}; name a sink of type webhook, or write folder`,
      ),
    ]
  })
}

function takenFolderName(
  path: ConfigPath,
  { id, folder }: Block['block'],
  sinks: readonly string[],
): Mistake[] {
  if (typeof id !== 'string' || folder === undefined || !sinks.includes(folderSinkId(id))) return []
  return [
    bad(
      [...path, 'id'],
      `${id} has a folder, whose deliveries stand under ${folderSinkId(id)}, and a sink has that id; rename one`,
    ),
  ]
}

function nothingToMake(path: ConfigPath, { carriers, side_by_side: all }: Block['block']): Mistake[] {
  if (!Array.isArray(carriers) || carriers.length > 0 || all !== false) return []
  return [
    bad(
      [...path, 'carriers'],
      'is empty and side_by_side is false: nothing is made; name carriers, or remove one of the two',
    ),
  ]
}
