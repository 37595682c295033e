/**
 * Every published number that is no KPI of the rollups, by what it is about. The reference in docs/kpi.md, /v1/catalog and the
 * scorecard read names, formulas, sources and versions here; a test holds the fields to the schemas of the answers.
 */
import type { EarlyMediaThresholds, FasThresholds } from './anomalies.js'
import { CANCEL_FIGURES } from './figures/cancels.js'
import { DESTINATION_FIGURES } from './figures/destinations.js'
import { earlyMediaFigures } from './figures/early-media.js'
import type { Figures } from './figures/figure.js'
import { IDENTITY_FIGURES } from './figures/identity.js'
import { TRUNK_FIGURES } from './figures/trunks.js'

export interface FigureSection {
  id: string
  title: string
  /** Documents that say more. */
  documents: readonly string[]
  figures: Figures
}

/** Attempts behind each of these numbers, whatever it is about. */
const COUNTED: Figures = {
  attempts: {
    name: 'Attempts',
    unit: 'count',
    formula:
      'Attempts that have ended (state closed), in the minute of their INVITE; what each answer narrows them to stands there.',
    source: 'metrics.md §0, our decision',
    version: 1,
    fields: [
      '/v1/kpis groups.attempts',
      '/v1/kpis groups.series.attempts',
      '/v1/cancels groups.attempts',
      '/v1/attestation directions.attempts',
      '/v1/attestation groups.attempts',
      '/v1/attestation outcomes.attempts',
      '/v1/early-media attempts',
      '/v1/destinations groups.attempts',
      '/v1/peers carriers.attempts',
    ],
  },
  not_ended: {
    name: 'Open and incomplete attempts',
    unit: 'count',
    formula: 'Attempts without an outcome yet, and attempts of which the capture lost a part: in no ratio.',
    source: 'metrics.md §0, our decision',
    version: 1,
    fields: [
      '/v1/kpis groups',
      '/v1/kpis groups.series',
      '/v1/attestation directions',
      '/v1/attestation groups',
      '/v1/destinations groups',
    ].flatMap((group) => [`${group}.open`, `${group}.incomplete`]),
  },
  responses: {
    name: 'Final responses',
    unit: 'count',
    formula: 'Attempts that have ended, by their final status code.',
    source: 'RFC 3261 §21',
    version: 1,
    fields: ['/v1/kpis groups.responses'],
  },
  dispositions: {
    name: 'Dispositions',
    unit: 'count',
    formula: 'Attempts that have ended, by the one class of the disposition table that each has.',
    source: 'metrics.md §2, our decision',
    version: 1,
    fields: ['/v1/kpis groups.dispositions'],
  },
}

/** Takes the thresholds that conditions name. */
export function figureCatalog({
  early_media,
  fas,
}: {
  early_media: EarlyMediaThresholds
  fas: FasThresholds
}): readonly FigureSection[] {
  return [
    { id: 'counted', title: 'Attempts', documents: [], figures: COUNTED },
    {
      id: 'cancels',
      title: '487s by cause, and legs of a call',
      documents: ['cancels.md', 'evidence.md'],
      figures: CANCEL_FIGURES,
    },
    {
      id: 'early_media',
      title: 'Early media and false answers',
      documents: ['early-media.md'],
      figures: earlyMediaFigures({ ...early_media, ...fas }),
    },
    {
      id: 'identity',
      title: 'STIR/SHAKEN',
      documents: ['attestation.md', 'identity.md'],
      figures: IDENTITY_FIGURES,
    },
    { id: 'trunks', title: 'Trunks', documents: ['trunks.md'], figures: TRUNK_FIGURES },
    {
      id: 'destinations',
      title: 'Numbers, destinations and peers',
      documents: ['numbers.md', 'peers.md'],
      figures: DESTINATION_FIGURES,
    },
  ]
}
