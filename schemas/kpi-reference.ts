/**
 * The reference of every number as Markdown, from the catalog: `docs/kpi.md` is this text, and a test holds them equal.
 *
 * Returns  one section for each KPI, in the order of the catalog.
 */
import type { Kpi } from './kpi/kpi.js'
import { KPI_CATALOG, LOW_CONFIDENCE_BELOW } from './kpi-catalog.js'

export function kpiReference(): string {
  return `${[INTRODUCTION, table(), ...KPI_CATALOG.map(section)].join('\n\n')}\n`
}

const INTRODUCTION = `# The numbers

Made from \`schemas/kpi-catalog.ts\`; change it there, then \`npx vitest run test/schemas/kpi-reference.test.ts -u\`. Each number is defined once:
its rule in TypeScript, its SQL beside it, and a text of calls in \`test/kpi/\` that both must agree on.

Every number is about closed attempts of carriers' legs. Open ones and those that the capture lost a part of (\`incomplete\`) are counted beside
it and are in none. Each comes with its numerator, denominator, exclusions, Wilson interval at 95 % and version. Below its floor it is
\`null\` with a reason; below ${LOW_CONFIDENCE_BELOW} attempts it is marked as of low confidence.`

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
