/** Every file of test/kpi: a call flow and its numbers, played in every way through the rules and through the store. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KPI_CATALOG } from '../schemas/kpi-catalog.js'
import { openTestEngine, type TestEngine } from './support/engine.js'
import { type Flow, flowOf } from './support/kpi-flow.js'
import { parseKpiFile } from './support/kpi-language.js'
import { gapOf, RULE_FAMILIES, type RuleFamily } from './support/kpi-rules.js'
import { type Findings, play, type Way } from './support/kpi-run.js'

const FOLDER = join(import.meta.dirname, 'kpi')
/** A whole minute, and an hour of no significance. */
const START_US = Date.UTC(2026, 8, 14, 9, 0) * 1_000

const WAYS: readonly Way[] = [
  { name: 'in order', seed: 1 },
  { name: 'shuffled', seed: 2, shuffled: true },
  { name: 'shuffled another way', seed: 3, shuffled: true },
  { name: 'every frame doubled', seed: 4, doubled: true },
  { name: 'doubled and shuffled', seed: 5, doubled: true, shuffled: true },
  { name: 'cut in two by a restart', seed: 6, cut: true },
  { name: 'cut by a restart and shuffled', seed: 7, cut: true, shuffled: true },
]

interface Case {
  name: string
  sentence: string
  flow: Flow | undefined
  problem: unknown
}

const cases = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.kpi'))
  .sort()
  .map((name, index): Case => {
    try {
      const file = parseKpiFile(name, readFileSync(join(FOLDER, name), 'utf8'))
      return {
        name,
        sentence: file.sentence,
        flow: flowOf(file, index + 1, START_US, FOLDER),
        problem: undefined,
      }
    } catch (problem) {
      return { name, sentence: 'can be read', flow: undefined, problem }
    }
  })

/**
 * Flows that share their thresholds play together in one store; those that ask at moments of their own apart from the
 * many that ask at the end, and those that compare attempts alone, because all have the same numbers. What is asked of a
 * suspicion compares none.
 */
const together = new Map<string, Flow[]>()
for (const { flow } of cases) {
  if (flow === undefined) continue
  const { name, thresholds, evaluations, withEvidence } = flow.file
  const isOfOne = evaluations.every(({ asks }) =>
    asks.kind === 'rule'
      ? asks.rule.family === 'suspicion' || asks.rule.family === 'flag'
      : asks.kind === 'attempt' && asks.column === 'suspicions',
  )
  const company = JSON.stringify([
    thresholds,
    new Set(evaluations.map((one) => one.atUs)).size > 1,
    !withEvidence ? '' : isOfOne ? 'suspicions' : name,
  ])
  together.set(company, [...(together.get(company) ?? []), flow])
}

let engine: TestEngine

beforeAll(async () => {
  engine = await openTestEngine()
}, 60_000)

afterAll(() => engine.discard())

describe('kpi', () => {
  for (const { id } of KPI_CATALOG) {
    const name = `${id.replaceAll('_', '-')}.kpi`
    test(`${id} is proven by ${name}`, () => {
      const file = cases.find((one) => one.name === name)?.flow?.file
      const proves = file?.evaluations.some(({ asks }) => asks.kind === 'kpi' && asks.kpi.id === id)
      expect(proves, `test/kpi/${name} has no line 'eval ${id} …'`).toBe(true)
    })
  }
})

/**
 * Every code that says something of a call, by the lists of the source (metrics.md §2, §4, §5 and the attestations of §6): a new
 * one fails here until calls show it. What a check of signatures finds needs keys, not flows: test/evidence/identity/every-code.test.ts.
 */
describe('every rule code has calls that show it, calls that do not, and where it hangs on a number both sides of it', () => {
  const lines = cases.flatMap(({ flow }) =>
    (flow?.file.evaluations ?? []).flatMap(({ asks }) => (asks.kind === 'rule' ? [asks.rule] : [])),
  )
  for (const [family, codes] of Object.entries(RULE_FAMILIES) as [RuleFamily, readonly string[]][]) {
    test.each(codes)(`${family} %s`, (code) => {
      expect(gapOf(family, code, lines)).toBe('')
    })
  }
})

for (const way of WAYS) {
  describe(`kpi, ${way.name}`, () => {
    const findings: Findings = new Map()
    const foundIn = (name: string) => (findings.get(name) ?? []).slice(0, 20).join('\n')

    beforeAll(async () => {
      for (const flows of together.values()) {
        for (const [name, found] of await play(engine, flows, START_US, way)) {
          findings.set(name, [...(findings.get(name) ?? []), ...found])
        }
      }
    }, 120_000)

    for (const { name, sentence, problem } of cases) {
      test(`${sentence} (${name})`, () => {
        if (problem !== undefined) throw problem
        expect(foundIn(name)).toBe('')
      })
    }

    test('rules, rollups and the SQL over attempts agree on everything else', () => {
      expect(foundIn('')).toBe('')
    })
  })
}
