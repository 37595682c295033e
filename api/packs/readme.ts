/** README.txt and formulas.txt of a pack: what it is, how to check it, what the words mean, and what is not in it. */
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { wilsonInterval } from '../kpi/interval.js'
import { appendixOf } from '../scorecards/scorecard.js'
import type { PackContents } from './contents.js'
import { PREFIXES_MAX, totalOf } from './counts.js'
import { LISTED_MAX } from './failed-attempts.js'
import { MESSAGES_MAX } from './sample-calls.js'

export function readmeText(pack: PackContents): string {
  return `${[head(pack), result(pack), credit(pack), files(pack), calls(pack), missing(pack), CHECK, again(pack)].join('\n\n')}\n`
}

function head({ carrier, from, to, asOf, classes, version }: PackContents): string {
  return `DISPUTE PACK
Carrier        ${carrier.name}${carrier.name === carrier.id ? '' : ` (${carrier.id})`}${carrier.is_configured ? '' : ', not in the configuration'}
Window         ${from} to ${to}, the end not part of it. All times are UTC.
As of          ${asOf}
About          attempts ${classes.map(({ words }) => words).join('; or ')}
Made by        Trunkscope ${version}, from SIP messages mirrored at the leg between the SBC and the carrier`
}

function result({ counts, state, targets }: PackContents): string {
  const { attempts, failures } = totalOf(counts)
  const interval = wilsonInterval(failures, attempts)
  if (state.attempts === 0) {
    return `RESULT
No attempt of this carrier was seen in the window: nothing is known of it, neither good nor bad.`
  }
  const ratio =
    interval === null
      ? 'No attempt has ended, so there is no ratio.'
      : `That is ${percent(failures / attempts)}, 95 % interval ${percent(interval[0])} to ${percent(interval[1])} (Wilson)${attempts < 100 ? ', of low confidence: below 100 attempts' : ''}.`
  return `RESULT
${failures} of ${attempts} attempts that have ended failed as above. ${ratio}
${targets.length === 0 ? 'No target is configured for this carrier.' : `Contracted targets over this window:\n${targets.map((target) => `  ${target.target}: promised ${target.bound === 'at_least' ? 'at least' : 'at most'} ${target.promised}, delivered ${target.delivered ?? 'not measured'}: ${target.status.replaceAll('_', ' ')}${target.status === 'not_measured' ? '' : target.is_certain ? ', for certain' : ', may be chance'}`).join('\n')}`}`
}

function credit({ credit: due }: PackContents): string {
  if (!due.is_configured) {
    return `SERVICE CREDIT
No credit is configured for this carrier (carriers[].credits), so none is computed.`
  }
  const tiers = due.targets.flatMap(({ target, delivered, interval, tiers: list }) => [
    `  ${target}: delivered ${delivered ?? 'not measured'}${interval === null ? ', without an interval' : `, 95 % interval ${interval[0]} to ${interval[1]}`}`,
    ...list.map(
      ({ bound, value, percent: share, reached }) =>
        `    ${bound} ${value}: ${share} %: ${TIER_WORDS[reached]}`,
    ),
  ])
  const amount =
    due.amount === null
      ? due.amount_note
      : `${due.amount.certain} ${due.amount.currency} for certain, ${due.amount.point_estimate} ${due.amount.currency} by the measured value. ${due.amount_note}`
  return `SERVICE CREDIT
For certain: ${due.certain_percent} % of the charge of the period. By the measured value: ${due.point_estimate_percent} %.
"For certain" counts a tier only where the whole 95 % interval lies beyond it; the measured value may be there by chance.
The period is the window of this pack, which is ${due.period.is_calendar_month ? 'a calendar month (UTC)' : 'no calendar month (UTC): a contract that bills by the month needs a pack of the month'}.
${tiers.join('\n')}
${amount}`
}

const TIER_WORDS = {
  certain: 'reached for certain',
  point_estimate: 'reached by the measured value, may be chance',
  no: 'not reached',
  not_measured: 'not measured',
} as const

function files({ counts, listed }: PackContents): string {
  const { failures } = totalOf(counts)
  return `FILES
report.html      the same to read and to print
counts.csv/json  attempts and failures by class, day, hour, site, direction, final response, Q.850 cause, disposition, prefix
                 (prefix: the ${PREFIXES_MAX} with the most failures; at most seven digits, never the last four; from ten attempts on)
scorecard.*      the numbers of the scorecard over exactly this window, and the targets
credit.json      the service credit, tier by tier
attempts.csv     ${listed} of ${failures} failed attempts, by minute and id${listed < failures ? `; the first ${LISTED_MAX}, the others are in the counts` : ''}
calls/           the sample calls: ladder as a drawing (.svg), record, ladder and messages as text (.txt)
calls.pcap       the messages of the sample calls; opens in Wireshark. Link type raw IP: nobody captured link headers
tap.csv          what each capture agent saw and missed in the window
formulas.txt     definitions, sources and versions of every number and class
manifest.json    what was asked, what was found, and SHA-256 of every file
SHA256SUMS       the same sums, and that of the manifest, for sha256sum`
}

function calls({ calls: sample, request, counts }: PackContents): string {
  const { failures } = totalOf(counts)
  return `SAMPLE CALLS
${sample.given} calls of ${failures} failed attempts (${request.calls} were asked for): those with the smallest attempt ids. An id is a SHA-256 of leg, Call-ID
and From tag, so nobody chose them; sort attempts.csv by attempt_id to check. ${sample.without_messages === 0 ? 'All have messages.' : `${sample.without_messages} have no messages: raw messages are kept for a shorter time than attempts.`}
${sample.cut === 0 ? '' : `${sample.cut} have more than ${MESSAGES_MAX} messages, and are cut.\n`}Messages are those between the SBC and this carrier; other legs of the call are not in the pack. They are as captured, but for
credentials and keys, which are blanked before anything is stored, and messages that cannot be read, which are left out.`
}

function missing({ state, tap, rows }: PackContents): string {
  const loss = rows.find(({ id }) => id === 'capture_loss')
  const tapWords =
    tap === null
      ? 'What the capture agents saw and missed is not told to a token of some carriers; tap.csv is empty.'
      : tap.length === 0
        ? 'No capture agent was heard of in the window.'
        : `Capture agents: ${tap.length}. At the end of the window ${tap.filter(({ verdict_at_end }) => verdict_at_end === 'ok').length} were ok; frames refused ${sum(tap, 'refused')}, messages unreadable ${sum(tap, 'unreadable')}, cut ${sum(tap, 'truncated')}. tap.csv has each.`
  return `WHAT DOES NOT COUNT, AND WHAT MAY BE MISSING
${state.open} attempts have no outcome yet (open), ${state.incomplete} were captured in part (incomplete): both are in no ratio.${loss === undefined || loss.value === null ? '' : ` Capture loss: ${percent(loss.value)} of all attempts.`}
Calls that were cancelled because they were completed elsewhere are in no failure class.
${tapWords}
Everything is measured from signalling at one leg: no media was looked at, and nothing here is end to end.`
}

function sum(tap: NonNullable<PackContents['tap']>, column: 'refused' | 'unreadable' | 'truncated'): number {
  return tap.reduce((total, agent) => total + agent[column], 0)
}

const CHECK = `HOW TO CHECK IT
In this folder: sha256sum -c SHA256SUMS
Counts of failures follow from attempts.csv (where it holds all of them) and the classes in formulas.txt, every attempt in calls/
from its messages in calls.pcap. Attempts that did not fail are counted only: their rows are not in the pack.`

function again({ repeat, state }: PackContents): string {
  return `THE SAME PACK AGAIN
${repeat}
gives the same bytes as long as no attempt of the window has changed, with the same configuration, the same version of Trunkscope,
the same rights of who asks (all carriers, or some) and while the messages are kept. When an attempt was stored since, the
request is refused. Two packs with the same attempts_digest (${state.digest}) rest on the same attempts.`
}

export function percent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(3))} %`
}

export function formulasText({ classes, targets, credit: due }: PackContents): string {
  const { formulas, not_measured } = appendixOf([...targets, ...due.targets].map(({ kpi }) => kpi))
  const sql = new Map(KPI_CATALOG.map((kpi) => [kpi.id, kpi.sql]))
  const numbers = [...new Map(formulas.map((formula) => [formula.id, formula])).values()].map((formula) =>
    [
      `${formula.id}, version ${formula.version}: ${formula.name} (${formula.unit})`,
      `  ${formula.formula}`,
      `  Source: ${formula.source}. Fewest for a value: ${formula.floor}.`,
      ...(sql.has(formula.id) ? [sql.get(formula.id)!.replace(/^ */gm, '    ')] : []),
    ].join('\n'),
  )
  return `FAILURE CLASSES OF THIS PACK
Conditions on the columns of attempts.csv, over attempts that have ended.

${classes.map(({ id, words, sql: condition, kpi }) => `${id}: attempts ${words}\n    ${condition}${kpi === undefined ? '' : `\n  The KPI that is nearest: ${kpi}, with its own exclusions.`}`).join('\n\n')}

NUMBERS
What an attempt is in a number, by the columns of attempts.csv; intervals are Wilson score intervals at 95 %, of quantiles the
values at the ranks around them.

${numbers.join('\n\n')}

NOT MEASURED
${not_measured.map(({ id, name, why }) => `${id} (${name}): ${why}`).join('\n')}
`
}
