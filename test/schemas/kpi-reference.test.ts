import { expect, test } from 'vitest'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { kpiReference } from '../../schemas/kpi-reference.js'

test('the reference in docs/kpi.md is what the catalog says today', async () => {
  await expect(kpiReference()).toMatchFileSnapshot('../../docs/kpi.md')
})

test('it has a section for every number, with its formula', () => {
  const text = kpiReference()
  for (const { id, sql, source } of KPI_CATALOG) {
    expect(text).toContain(`\n## ${id}\n`)
    expect(text).toContain(source)
    expect(text.replace(/\s+/g, ' ')).toContain(sql.replace(/\s+/g, ' '))
  }
})
