import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { FORMULAS } from '../../../api/tap/formulas.js'
import { VERDICTS } from '../../../api/tap/verdict.js'
import { TAP_METRICS } from '../../../schemas/own-metrics.js'

const page = readFileSync(join(import.meta.dirname, '../../../docs/tap-health.md'), 'utf8')

it('docs/tap-health.md tells every number with its unit, and every verdict', () => {
  for (const [name, { unit }] of Object.entries(FORMULAS)) {
    const row = page.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${name}\``))
    expect([name, row]).toEqual([name, expect.stringContaining(`| ${unit}`)])
  }
  for (const verdict of VERDICTS) expect(page).toContain(`| \`${verdict}\` |`)
  expect(page).toContain(`\`${TAP_METRICS.agents.name}{verdict}\``)
  expect(page).toContain(`\`${TAP_METRICS.agentVerdict.name}{agent,site,verdict}\``)
})
