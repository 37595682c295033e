/** The answer of /v1/catalog: what each number means, from the same lists as docs/kpi.md, with the thresholds of this process. */
import { z } from 'zod'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { figureCatalog } from '../../schemas/figure-catalog.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'

const definition = {
  id: z.string(),
  name: z.string(),
  unit: z.string(),
  formula: z.string(),
  source: z.string().describe('Section of the standard, or "our decision".'),
  version: z.number().describe('Version of the formula.'),
}

export const catalogAnswer = z
  .object({
    kpis: z
      .array(
        z.object({
          ...definition,
          alias: z.string().nullable(),
          sql: z.string().describe('By the columns of call_attempts.'),
          floor: z.number().describe('Fewest attempts or measurements for a value.'),
          minute: z.enum(['start', 'end']).describe('Of the INVITE, or of the end of the call.'),
        }),
      )
      .describe('Of /v1/kpis: kept in rollups, so they can be asked over any range.'),
    figures: z
      .array(
        z.object({
          ...definition,
          about: z.string(),
          fields: z.array(
            z.object({ answer: z.string(), field: z.string().describe('And whatever stands below it.') }),
          ),
        }),
      )
      .describe('Of the other answers: counted when somebody asks.'),
  })
  .meta({ title: 'What each number means' })

export type CatalogAnswer = z.output<typeof catalogAnswer>

export function catalogOf({ thresholds }: Pick<TrunkscopeConfig, 'thresholds'>): CatalogAnswer {
  return {
    kpis: KPI_CATALOG.map(({ id, alias, name, unit, description, source, version, sql, floor, minute }) => ({
      id,
      alias: alias ?? null,
      name,
      unit,
      formula: description,
      source,
      version,
      sql: sql.replace(/\s+/g, ' '),
      floor,
      minute,
    })),
    figures: figureCatalog(thresholds).flatMap(({ id: about, figures }) =>
      Object.entries(figures).map(([id, { name, unit, formula, source, version, fields }]) => ({
        id,
        about,
        name,
        unit,
        formula,
        source,
        version,
        fields: fields.map((text) => {
          const [answer = '', field = ''] = text.split(' ')
          return { answer, field }
        }),
      })),
    ),
  }
}
