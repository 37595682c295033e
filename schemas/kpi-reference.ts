/**
 * The reference of every number as Markdown, from the catalog: `docs/kpi.md` is this text, and a test holds them equal.
 *
 * Returns  one section for each KPI, in the order of the catalog, then the figures of schemas/figure-catalog.ts: they are counted
 *          when somebody asks, in no rollup, and so are no KPIs.
 */
import { ANOMALY_CODES, anomalyRule, conditionText, FAS_CODES, FAS_PARTS } from './anomalies.js'
import { configSchema, type TrunkscopeConfig } from './config.js'
import { type FigureSection, figureCatalog } from './figure-catalog.js'
import type { Kpi } from './kpi/kpi.js'
import { KPI_CATALOG, LOW_CONFIDENCE_BELOW } from './kpi-catalog.js'

export function kpiReference(): string {
  const { thresholds } = configSchema.parse({})
  const parts = [
    INTRODUCTION,
    table(),
    ...KPI_CATALOG.map(section),
    FIGURES,
    ...figureCatalog(thresholds).flatMap(figures),
    ...suspicions(thresholds),
  ]
  return `${parts.join('\n\n')}\n`
}

const INTRODUCTION = `# The numbers

Made from \`schemas/kpi-catalog.ts\`; change it there, then \`npx vitest run test/schemas/kpi-reference.test.ts -u\`. Each number is defined once:
its rule in TypeScript, its SQL beside it, and a text of calls in \`test/kpi/\` that both must agree on.

Every number is about closed attempts of carriers' legs. Open ones and those that the capture lost a part of (\`incomplete\`) are counted beside
it and are in none. Each comes with its numerator, denominator, exclusions, Wilson interval at 95 % and version. Below its floor it is
\`null\` with a reason; below ${LOW_CONFIDENCE_BELOW} attempts it is marked as of low confidence. What else is published stands under [Figures](#figures).`

function table(): string {
  const rows = KPI_CATALOG.map(
    (kpi) => `| [\`${kpi.id}\`](#${kpi.id}) | ${kpi.name} | ${kpi.unit} | ${kpi.floor} | ${kpi.version} |`,
  )
  return ['| id | name | unit | floor | version |', '|---|---|---|---|---|', ...rows].join('\n')
}

function section(kpi: Kpi): string {
  const facts = [
    ['also called', kpi.alias === undefined ? undefined : `\`${kpi.alias}\``],
    ['unit', kpi.unit === 'ratio' ? 'ratio, 0 to 1' : 'seconds'],
    ['counted in the minute of', kpi.minute === 'start' ? 'the INVITE' : 'the end of the call'],
    ['floor', `${kpi.floor} ${kpi.kind === 'ratio' ? 'in the denominator' : 'measured'}`],
    ['version', String(kpi.version)],
    ['source', kpi.source],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`- ${name}: ${value}`]))
  return [
    `## ${kpi.id}`,
    `**${kpi.name}.** ${kpi.description}`,
    facts.join('\n'),
    `${METHOD[kpi.kind]}:`,
    `\`\`\`sql\n${kpi.sql.replace(/^ {2,}/gm, '    ')}\n\`\`\``,
  ].join('\n\n')
}

const METHOD: Record<Kpi['kind'], string> = {
  ratio: 'What an attempt is in it, by the columns of `call_attempts`',
  quantile: 'Nearest rank over this column of `call_attempts`, in milliseconds; from rollups within 2 %',
  mean: 'Mean of this over the attempts that have it, in milliseconds',
}

const FIGURES = `## Figures

Numbers that are counted when somebody asks, from \`schemas/figure-catalog.ts\`: each with the answers that have it; pages, alerts and scorecards read
the same. Ratios carry their counts and the Wilson interval at 95 %. \`/v1/catalog\` has all of them with the fields, and with the thresholds of the process
that is asked.`

/** Suspicions, and what a score is made of, have tables of their own. */
function figures({ title, documents, figures: list }: FigureSection): string[] {
  const more = documents.map((name) => `[${name}](${name})`).join(', ')
  const rows = Object.entries(list).flatMap(([id, { name, unit, formula, source, version, fields }]) => {
    if ((ANOMALY_CODES as readonly string[]).includes(id) || id.startsWith('fas_part_')) return []
    const answers = [...new Set(fields.map((field) => `\`${field.split(' ')[0]}\``))].join(', ')
    return [`| \`${id}\` | ${name} | ${unit} | ${formula} | ${source} | ${version} | ${answers} |`]
  })
  return [
    `### ${title}`,
    ...(more === '' ? [] : [`More: ${more}.`]),
    ['| id | name | unit | formula | source | version | in |', '|---|---|---|---|---|---|---|', ...rows].join(
      '\n',
    ),
  ]
}

function suspicions({ early_media, fas }: TrunkscopeConfig['thresholds']): string[] {
  const thresholds = { ...early_media, ...fas }
  const rules = ANOMALY_CODES.map((code) => {
    const rule = anomalyRule(code)
    const more = rule.isBaselineOnly ? ' Only its change against the four weeks before says something.' : ''
    return `| \`${code}\` | ${rule.name} | ${conditionText(rule, thresholds)}${more} | ${rule.severity} | ${rule.base} | ${rule.reads} | ${rule.source} | ${rule.version} |`
  })
  const parts = FAS_CODES.map((code) => {
    const part = FAS_PARTS[code]
    return `| \`${code}\` | ${part.name} | ${conditionText(part, thresholds)} | ${part.points} | ${part.source} | ${part.version} |`
  })
  return [
    `## Suspicions

Early media and false answers ([early-media.md](early-media.md)), from \`schemas/anomalies.ts\`: from signalling only, never a verdict. Thresholds are the
defaults of \`thresholds.early_media\` and \`thresholds.fas\`. Counted in \`/v1/early-media\` over their base, with the Wilson interval at 95 %; the weight
is the heaviest that one may have.`,
    [
      '| code | name | condition | weight | base | reads | source | version |',
      '|---|---|---|---|---|---|---|---|',
      ...rules,
    ].join('\n'),
    `## fas_score

**FAS score, 0 to 100.** Of a carrier on a destination prefix: the points of the parts that hold, over closed outbound attempts of a window; none below
${thresholds.answers_min} answers. Flagged from ${thresholds.flagged_score}. Of a carrier: the mean of its prefixes, weighted by answers; flagged when flagged prefixes have ${thresholds.flagged_share_ratio * 100} % of its
answers or more. In \`/v1/fas\` and, by week, in the scorecard.`,
    ['| part | name | condition | points | source | version |', '|---|---|---|---|---|---|', ...parts].join(
      '\n',
    ),
  ]
}
