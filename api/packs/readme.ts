/** README.txt of a pack: what it is, how to check it, and what is not in it. */
import { wilsonInterval } from '../kpi/interval.js'
import { TOKENS_MAX } from './attempt-evidence.js'
import type { PackContents } from './contents.js'
import { PREFIXES_MAX, totalOf } from './counts.js'
import { LISTED_MAX } from './failed-attempts.js'
import type { DirectionTokens } from './identity-window.js'
import { MESSAGES_MAX } from './sample-calls.js'

export function readmeText(pack: PackContents): string {
  return `${[head(pack), result(pack), credit(pack), files(pack), identity(pack), evidence(pack), calls(pack), missing(pack), CHECK, again(pack)].join('\n\n')}\n`
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
counts.csv/json  attempts and failures by class, day, hour, site, direction, final response, Q.850 cause, disposition,
                 cancel class, prefix (prefix: the ${PREFIXES_MAX} with the most failures; at most seven digits, never the last four; from ten attempts on)
scorecard.*      the numbers of the scorecard over exactly this window, and the targets
credit.json      the service credit, tier by tier
attempts.csv     ${listed} of ${failures} failed attempts, by minute and id${listed < failures ? `; the first ${LISTED_MAX}, the others are in the counts` : ''}
identity.csv     every Identity token of these attempts: claimed, signed, verified; the same in sums in identity.json
calls/           the sample calls: ladder as a drawing (.svg), record, ladder and messages as text (.txt)
calls.pcap       the messages of the sample calls; opens in Wireshark. Link type raw IP: nobody captured link headers
tap.csv          what each capture agent saw and missed in the window
formulas.txt     definitions, sources and versions of every number and class
manifest.json    what was asked, what was found, and SHA-256 of every file
SHA256SUMS       the same sums, and that of the manifest, for sha256sum`
}

function identity({ tokens, identity: own }: PackContents): string {
  const window =
    tokens.directions.length === 0
      ? `No token of this carrier was looked at in the window, and ${tokens.carrying} attempts carry one: what they claim stands in attempts.csv (attestation), unchecked.`
      : [
          `Tokens of ${tokens.lookedAt} attempts of the window were looked at, failed or not; ${tokens.carrying} carry one by their own record:`,
          ...tokens.directions.map(directionLine),
          ...tokens.rows.map(
            ({ id, value, numerator, denominator, interval, version }) =>
              `  ${id} (version ${version}), inbound: ${numerator === undefined ? value : denominator === 0 ? 'not defined, 0 of 0' : `${percent(value ?? 0)}, ${numerator} of ${denominator}`}${interval === null ? '' : `, 95 % interval ${percent(interval[0])} to ${percent(interval[1])}`}`,
          ),
        ].join('\n')
  const cut = own.cut === 0 ? '' : ` ${own.cut} attempts have more than ${TOKENS_MAX} tokens, and are cut.`
  return `IDENTITY
Three words stay apart. Claimed is what the token says of itself; anybody can write that. Signed is what its signature says: valid,
invalid, or not checked, which says nothing against it. Verified is the verdict of the steps of RFC 8224 §6.2 together.
${window}
identity.csv has ${own.rows} rows of the failed attempts${own.left === 0 ? '' : `; ${own.left} more did not fit and are in identity.json only as sums`}.${cut}
${own.tokens} tokens, nested ones among them: ${wordsOf(own.signed)} (signature); ${wordsOf(own.verified)} (verified).${countsLine('  Why not valid', own.reasons)}${countsLine('  Found besides', own.findings)}
Reasons, findings and formulas stand in formulas.txt.`
}

function directionLine({
  direction,
  tokens,
  claimed,
  signed,
  verified,
  reasons,
  findings,
}: DirectionTokens): string {
  const levels = ['A', 'B', 'C'].map((level) => `${level} ${claimed[level] ?? 0}`).join(', ')
  return `  ${direction}: ${tokens} tokens; claimed ${levels}; signed: ${wordsOf(signed)}; verified: ${wordsOf(verified)}${countsLine('    Why not valid', reasons)}${countsLine('    Found besides', findings)}`
}

type Counts = Readonly<Record<string, number | undefined>>

function wordsOf(counts: Counts): string {
  return Object.entries(counts)
    .map(([name, times]) => `${name.replaceAll('_', ' ')} ${times}`)
    .join(', ')
}

/** On a line of its own; nothing for no counts. */
function countsLine(what: string, counts: Counts): string {
  const entries = Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1))
  return entries.length === 0
    ? ''
    : `\n${what}: ${entries.map(([name, times]) => `${name} ${times}`).join(', ')}`
}

function evidence({ evidence: found, listed }: PackContents): string {
  const looked = listed - found.notLookedAt
  return `BLAME AND SUSPICIONS, of the ${listed} attempts in attempts.csv
cancel_blame says whose fault a CANCEL or 487 is (formulas.txt): ${wordsOf(found.blames) || 'none was given up'}.
verdict says where other legs of the call revised what this leg alone would say: ${wordsOf(found.verdicts) || 'nowhere'}. Other carriers are not named.
suspicions are drawn from signalling only, about early media and false answers. They are never a verdict, and count in no failure class:${countsLine('  Attempts with each', found.suspicions) || ' none.'}
${looked} attempts were looked at${found.byRecord === 0 ? '' : `, ${found.byRecord} of them when their messages were gone already`}${found.notLookedAt === 0 ? '' : `; ${found.notLookedAt} were not, and say not_looked_at`}. A FAS score compares carriers with one another and is not in the pack.`
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
gives the same bytes as long as no attempt of the window, and nothing that was found about it, has changed, with the same configuration, the same version of Trunkscope,
the same rights of who asks (all carriers, or some) and while the messages are kept. When an attempt was stored since, the
request is refused. So it is when tokens or early media were judged anew since: a certificate that comes to hand later does that.
Two packs with the same attempts_digest (${state.digest}) rest on the same attempts, two with the same
evidence_digest (${state.evidenceDigest}) on the same findings.`
}

export function percent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(3))} %`
}
