/** For whoever talks to a carrier: its numbers, how its attempts end, and whether it is one site or all of them. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { board } from './board.js'
import {
  attemptBars,
  attemptRate,
  cancelBars,
  captureLossLines,
  captureLossStat,
  DISPOSITIONS,
  outcomeBars,
} from './common-panels.js'
import { kpiGroup, kpiLines, kpiStat } from './kpi-panels.js'
import { suspicionRows } from './suspicion-panels.js'

export function carrier(): Dashboard {
  return board({
    name: 'carrier',
    description: 'One carrier, or some beside each other: what it delivers, how its attempts end, and where.',
    filters: ['carrier', 'site', 'direction'],
    time: { from: 'now-24h', to: 'now' },
    rows: [
      {
        title: 'The last hour of the range',
        height: 4,
        panels: [
          attemptRate(1, 3),
          kpiStat(2, 3, 'asr'),
          kpiStat(3, 3, 'ner'),
          kpiStat(4, 3, 'pre_ring_487_rate'),
          kpiStat(5, 3, 'pdd_p50'),
          kpiStat(6, 3, 'acd'),
          kpiStat(7, 3, 'attestation_a_rate'),
          captureLossStat(8, 3),
        ],
      },
      {
        title: 'Traffic',
        height: 8,
        panels: [attemptBars(10, 12, ['carrier', 'site']), attemptBars(11, 12, ['carrier', 'direction'])],
      },
      {
        title: 'Does it answer',
        height: 8,
        panels: [
          kpiLines(20, 6, 'asr', ['carrier']),
          kpiLines(21, 6, 'seer', ['carrier']),
          kpiLines(22, 6, 'ner', ['carrier', 'site']),
          captureLossLines(23, 6, ['carrier', 'site']),
        ],
      },
      {
        title: 'How attempts ended',
        height: 9,
        panels: [
          outcomeBars(30, 5, DISPOSITIONS),
          outcomeBars(31, 5, {
            title: 'Final responses',
            description: 'Closed attempts by final response; those without one are in none.',
            metric: 'trunkscope_responses_total',
            label: 'code',
            filter: 'final_code',
          }),
          outcomeBars(32, 5, {
            title: 'Why attempts were cancelled',
            description: 'Attempts with a CANCEL or a final 487, by sub-class, as they are judged.',
            metric: 'trunkscope_cancels_total',
            label: 'class',
            filter: 'cancel_class',
          }),
          kpiGroup(
            33,
            5,
            '487 and its parts',
            ['rate_487', 'abandon_rate', 'pre_ring_487_rate'],
            'Of all that is chosen together, over the hour before each point. Callers who give up while it rings are theirs; who gives up before anything rang speaks against the carrier.',
          ),
          captureLossLines(34, 4, ['direction']),
        ],
      },
      {
        title: '487 by cause',
        height: 8,
        panels: [cancelBars(35, 12, 'carrier'), cancelBars(36, 12, 'site')],
      },
      {
        title: 'What fails',
        height: 8,
        panels: [
          kpiLines(40, 6, 'pre_ring_487_rate', ['carrier', 'site']),
          kpiLines(41, 6, 'rate_5xx', ['carrier', 'site']),
          kpiLines(42, 6, 'no_response_rate', ['carrier', 'site']),
          captureLossLines(43, 6, ['site']),
        ],
      },
      {
        title: 'How long it takes, how long it lasts',
        height: 8,
        panels: [
          kpiGroup(
            50,
            8,
            'Post-dial delay',
            ['pdd_p50', 'pdd_p95', 'pdd_p99'],
            'Of all that is chosen together, over the hour before each point. Read from a histogram of about 20 edges: between two of them the value is a guess. Trunkscope itself answers from 300.',
          ),
          kpiLines(51, 6, 'acd', ['carrier']),
          kpiLines(52, 6, 'short_call_rate', ['carrier']),
          captureLossLines(53, 4, ['carrier']),
        ],
      },
      ...suspicionRows(),
    ],
  })
}
