import {
  ANOMALY_CODES,
  anomalyRule,
  conditionText,
  type EarlyMediaThresholds,
  FAS_CODES,
  FAS_PARTS,
  type FasThresholds,
} from '../anomalies.js'
import { type Figure, type Figures, SCORECARD_ROWS } from './figure.js'

const ours = { source: 'metrics.md §5, our decision', version: 1 } as const

export const FAS_FIGURES = {
  fas_score: {
    name: 'FAS score, 0 to 100',
    unit: 'points',
    formula:
      'Suspicion of false answer supervision, from signalling only: points of the rules that hold on each destination prefix, and their mean weighted by answers (docs/early-media.md). Outbound attempts.',
    source: 'metrics.md §5 and §9, our decision',
    version: 1,
    fields: ['/v1/fas carriers.score', '/v1/fas groups.score', SCORECARD_ROWS],
  },
  early_media: {
    name: 'Early media anomalies',
    unit: 'ratio',
    formula:
      'Outbound attempts with a suspicion EM_… of weight warn or high / outbound attempts that rang. From signalling only.',
    source: 'metrics.md §5 and §9, our decision',
    version: 1,
    fields: [SCORECARD_ROWS],
  },
} as const satisfies Figures

/** Suspicions about early media and false answers (docs/early-media.md), with thresholds as they are. */
export function earlyMediaFigures(thresholds: EarlyMediaThresholds & FasThresholds): Figures {
  const suspicions = ANOMALY_CODES.map((code): [string, Figure] => {
    const rule = anomalyRule(code)
    return [
      code,
      {
        name: rule.name,
        unit: 'ratio',
        formula: `${conditionText(rule, thresholds)} Over attempts with the base ${rule.base}.`,
        source: rule.source,
        version: rule.version,
        fields: ['/v1/early-media groups'],
      },
    ]
  })
  const parts = FAS_CODES.map((code): [string, Figure] => {
    const { name, source, version } = FAS_PARTS[code]
    return [
      `fas_part_${code.slice('FAS_'.length).toLowerCase()}`,
      {
        name,
        unit: 'points',
        formula: `${conditionText(FAS_PARTS[code], thresholds)} ${FAS_PARTS[code].points} points.`,
        source,
        version,
        fields: ['/v1/fas groups.parts.points', '/v1/fas parts.points'],
      },
    ]
  })
  return {
    ...Object.fromEntries(suspicions),
    early_media_not_looked_at: {
      ...ours,
      name: 'Not looked at yet',
      unit: 'count',
      formula: 'Attempts that have ended in minutes that the pass has not looked at: in no share.',
      fields: ['/v1/early-media not_looked_at'],
    },
    ...FAS_FIGURES,
    ...Object.fromEntries(parts),
    fas_answers: {
      ...ours,
      name: 'Answers behind a FAS score',
      unit: 'count',
      formula: `Outbound attempts that were answered, and below the line of the ASR; those of prefixes with ${thresholds.answers_min} answers or more have a score.`,
      fields: [
        '/v1/fas carriers.answers',
        '/v1/fas carriers.answers_scored',
        '/v1/fas groups.answers',
        '/v1/fas groups.attempts',
      ],
    },
    fas_prefixes: {
      ...ours,
      name: 'Prefixes behind a FAS score',
      unit: 'count',
      formula: `Prefixes with a score, and those of them with ${thresholds.flagged_score} points or more.`,
      fields: ['/v1/fas carriers.prefixes_scored', '/v1/fas carriers.prefixes_flagged'],
    },
  }
}
