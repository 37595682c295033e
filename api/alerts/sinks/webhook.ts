/**
 * Webhooks: Standard Webhooks, signed, or the words of Slack.
 *
 * Standard   `webhook-id: <key>.<transition>` stays over all tries of a notice, so that a receiver takes it once; timestamp and
 *            signature are those of the try. While the secret is being changed there are two signatures.
 * Slack      one message for the notices given (those of a carrier), in its markup; it checks no signature.
 *
 * A scorecard that was made is told in the same two ways, once, with what it says and where it lies, and not itself.
 *
 * Takes    notices and the time; pure. Returns the request.
 * Source   https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md;
 *          https://docs.slack.dev/messaging/formatting-message-text
 */
import { createHmac } from 'node:crypto'
import type { AlertNotice, Notice, ScorecardNotice } from '../../../schemas/alert-hook.js'
import { cutText, linkOf, type OutgoingRequest, rfc3339, type SlackSink, type StandardSink } from './sink.js'

const JSON_TYPE = { 'content-type': 'application/json' }

/** @param repeat 0 for the notice itself; its repeats while it fires are messages of their own */
export function webhookRequest(
  sink: StandardSink,
  notice: Notice,
  nowMs: number,
  repeat = 0,
): OutgoingRequest {
  const id = `${notice.key}.${notice.transition}${repeat === 0 ? '' : `.r${repeat}`}`
  const timestamp = String(Math.floor(nowMs / 1_000))
  const body = JSON.stringify(notice.kind === 'scorecard' ? scorecardBody(notice) : alertBody(notice, repeat))
  return {
    url: sink.url,
    headers: {
      ...JSON_TYPE,
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': sink.signingKeys
        .map((key) => signatureOf(key, `${id}.${timestamp}.${body}`))
        .join(' '),
    },
    body,
  }
}

function alertBody(notice: AlertNotice, repeat: number) {
  return {
    type: `alert.${notice.status}`,
    timestamp: rfc3339(
      notice.status === 'firing' ? notice.startsAtUs : (notice.endsAtUs ?? notice.startsAtUs),
    ),
    data: {
      key: notice.key,
      transition: notice.transition,
      repeat,
      status: notice.status,
      rule: notice.rule,
      severity: notice.severity,
      labels: notice.labels,
      annotations: notice.annotations,
      details: notice.details,
      starts_at: rfc3339(notice.startsAtUs),
      ends_at: notice.endsAtUs === undefined ? null : rfc3339(notice.endsAtUs),
    },
  }
}

function scorecardBody(notice: ScorecardNotice) {
  return {
    type: 'scorecard.made',
    timestamp: rfc3339(notice.madeAtUs),
    data: {
      key: notice.key,
      schedule: notice.rule,
      fired_at: rfc3339(notice.firedAtUs),
      made_at: rfc3339(notice.madeAtUs),
      summary: notice.annotations.summary,
      link: notice.annotations.link ?? null,
      ...notice.headline,
      documents: notice.documents,
    },
  }
}

function signatureOf(key: Buffer, signed: string): string {
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
}

/** Slack cuts a message at 40,000 characters and recommends 4,000. */
const SLACK_TEXT_UNITS_MAX = 4_000
const SLACK_LINE_UNITS_MAX = 600

export function slackRequest(sink: SlackSink, notices: readonly Notice[]): OutgoingRequest {
  const texts = notices.map(slackText)
  const kept: string[] = []
  for (const text of texts) {
    if (kept.join('\n').length + text.length > SLACK_TEXT_UNITS_MAX && kept.length > 0) break
    kept.push(text)
  }
  if (kept.length < texts.length) kept.push(`… and ${texts.length - kept.length} more`)
  return { url: sink.url, headers: JSON_TYPE, body: JSON.stringify({ text: kept.join('\n') }) }
}

function slackText(notice: Notice): string {
  return notice.kind === 'scorecard' ? slackScorecard(notice) : slackAlert(notice)
}

function slackScorecard({ annotations }: ScorecardNotice): string {
  const link = linkOf(annotations.link)
  const line = `*Scorecard* ${slackSafe(annotations.summary)}`
  return link === undefined ? line : `${line}\n<${slackLink(link)}|open it>`
}

function slackAlert({ annotations, rule, severity, status }: AlertNotice): string {
  const link = linkOf(annotations.link)
  const runbook = linkOf(annotations.runbook_url)
  const lines = [
    `*${status === 'firing' ? `FIRING ${severity}` : 'resolved'}* ${slackSafe(annotations.summary || rule)}`,
    status === 'firing' ? slackSafe(annotations.likely_cause) : '',
    status === 'firing' ? slackSafe(annotations.escalation) : '',
    [
      link === undefined ? '' : `<${slackLink(link)}|attempts>`,
      runbook === undefined ? '' : `<${slackLink(runbook)}|runbook>`,
    ]
      .filter((part) => part !== '')
      .join(' · '),
  ]
  return lines.filter((line) => line !== '').join('\n')
}

/** Text from the wire must not become a link, a mention of everybody, or a line of its own. */
function slackSafe(text: string | undefined): string {
  return cutText((text ?? '').replace(/\p{Cc}+/gu, ' '), SLACK_LINE_UNITS_MAX)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
}

const slackLink = (url: string) => url.replace(/[<>|]/g, (character) => encodeURIComponent(character))
