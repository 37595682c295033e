/** Panels on what callers met before an answer: how long they waited, and suspicions about early media and false answers. */
import { captureLossLines } from './common-panels.js'
import { increase, perBar, timeToCancel } from './expressions.js'
import { attemptsLink, SPAN } from './kpi-panels.js'
import type { PanelLink, PanelSpec } from './panel.js'

type Placed = PanelSpec & { width: number }

const SUSPICIONS = 'trunkscope_suspicions_total'
/** Fewer answers say little. */
const ANSWERS_MIN = 100
/** Both are about calls that we hand over: inbound it is our own side that answers. */
const FAS_RULES = ['FAS_NO_PROGRESS', 'FAS_EARLY_ANSWER'] as const

const PAGE: PanelLink = {
  title: 'Early media in Trunkscope',
  url: `\${trunkscope}/early-media?carrier=\${carrier:csv}&${SPAN}`,
}

const TO_CANCEL = {
  kind: 'lines',
  unit: 's',
  min: 0,
} as const
const TO_CANCEL_SENTENCE =
  'From the INVITE to the CANCEL of the attempts that were given up in the hour before each point. Read from a histogram of about 20 edges: between two of them the value is a guess.'

function toCancelByCarrier(id: number, width: number): Placed {
  return {
    ...TO_CANCEL,
    id,
    width,
    title: 'Time to CANCEL by carrier',
    description: `${TO_CANCEL_SENTENCE} The median, from 20 of them on. Above the patience of callers, with many PRE_RING_CANCEL, it is a carrier that does not ring.`,
    queries: [{ expr: timeToCancel(0.5, ['carrier']), legend: '{{carrier}}' }],
    links: [attemptsLink(['carrier'])],
  }
}

function toCancelGroup(id: number, width: number): Placed {
  return {
    ...TO_CANCEL,
    id,
    width,
    title: 'Time to CANCEL',
    description: `${TO_CANCEL_SENTENCE} Of all that is chosen together: the median from 20 of them on, the 95th percentile from 100.`,
    queries: [
      { expr: timeToCancel(0.5, []), legend: 'Median' },
      { expr: timeToCancel(0.95, []), legend: '95th percentile' },
    ],
    links: [attemptsLink([])],
  }
}

function suspicionBars(id: number, width: number, by: 'carrier' | 'rule'): Placed {
  return {
    kind: 'bars',
    id,
    width,
    title: `Suspicions by ${by}`,
    description:
      'Suspicions about early media and false answers, a minute or two behind the calls. From signalling only: no message proves that media flowed or who answered. An attempt may have several; some are common on sound connections, and only a change says something. The bars add up to the sum in the legend.',
    unit: 'short',
    decimals: 0,
    min: 0,
    empty: 'nothing suspected',
    queries: [{ expr: perBar(SUSPICIONS, [by]), legend: `{{${by}}}` }],
    links: [PAGE],
  }
}

function falseAnswers(id: number, width: number): Placed {
  const where = 'carrier=~"$carrier",site=~"$site",direction!="inbound"'
  const suspected = increase(SUSPICIONS, ['carrier'], `rule=~"${FAS_RULES.join('|')}",${where}`)
  const answers = increase('trunkscope_dispositions_total', ['carrier'], `disposition="ANSWERED",${where}`)
  return {
    kind: 'lines',
    id,
    width,
    title: 'Suspected false answers by carrier',
    description: `${FAS_RULES.join(' and ')} over the answers of calls that are handed over, in the hour before each point, whatever direction is chosen; from ${ANSWERS_MIN} answers on. One such answer shows nothing: the score by prefix, which compares carriers, stands in Trunkscope itself.`,
    unit: 'percentunit',
    min: 0,
    empty: 'nothing suspected',
    queries: [
      {
        expr: `${suspected} / ${answers} and on (carrier) (${answers} >= ${ANSWERS_MIN})`,
        legend: '{{carrier}}',
      },
    ],
    links: [PAGE],
  }
}

/** Rows of the dashboard of a carrier. */
export function suspicionRows() {
  return [
    {
      title: 'How long callers wait until they give up',
      height: 8,
      panels: [
        toCancelByCarrier(60, 9),
        toCancelGroup(61, 9),
        captureLossLines(62, 6, ['carrier', 'direction']),
      ],
    },
    {
      title: 'Early media and false answers: suspicions',
      height: 9,
      panels: [
        suspicionBars(70, 7, 'rule'),
        suspicionBars(71, 7, 'carrier'),
        falseAnswers(72, 6),
        captureLossLines(73, 4, ['site', 'direction']),
      ],
    },
  ]
}
