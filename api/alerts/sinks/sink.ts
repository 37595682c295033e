/**
 * A sink as it is spoken to: its configuration with what its secret files hold. `bin/connect/sink-secrets.ts` makes it.
 * None of it is logged but the id.
 */
import type { Notice } from '../../../schemas/alert-hook.js'
import type { AlertmanagerConfig, PagerDutyConfig, WebhookConfig } from '../../../schemas/sinks.js'

export type AlertmanagerSink = AlertmanagerConfig

export interface PagerDutySink extends PagerDutyConfig {
  routingKey: string
}

export interface StandardSink extends Omit<WebhookConfig, 'url' | 'template'> {
  template: 'standard'
  url: string
  /** Signing keys, decoded: two while the secret is being changed. */
  signingKeys: readonly Buffer[]
}

export interface SlackSink extends Omit<WebhookConfig, 'url' | 'template'> {
  template: 'slack'
  url: string
}

/** A folder that scorecards of a schedule are written to. */
export interface FolderSink {
  id: string
  type: 'folder'
  path: string
  allowPrivate: false
}

/** Spoken to over the wire. */
export type WireSink = AlertmanagerSink | PagerDutySink | StandardSink | SlackSink

export type Sink = WireSink | FolderSink

/** Alertmanager and PagerDuty know what fires and ends, and a scorecard does neither; a folder has no use for an alert. */
export function takes(sink: Sink, notice: Notice): boolean {
  if (sink.type === 'webhook') return true
  return (sink.type === 'folder') === (notice.kind === 'scorecard')
}

/** What goes over the wire: a POST of JSON. */
export interface OutgoingRequest {
  url: string
  headers: Readonly<Record<string, string>>
  body: string
}

/** A text of at most so many UTF-16 units, cut between characters, with a mark that it was. */
export function cutText(text: string, unitsMax: number): string {
  if (text.length <= unitsMax) return text
  const end = unitsMax - 1
  const splitsPair = /[\uD800-\uDBFF]/.test(text[end - 1] ?? '')
  return `${text.slice(0, splitsPair ? end - 1 : end)}…`
}

/** RFC 3339 of microseconds since 1970 UTC. */
export function rfc3339(timeUs: number): string {
  return new Date(Math.floor(timeUs / 1_000)).toISOString()
}

/** An address that can stand in a link, or undefined: what is no http(s) address would make the receiver refuse it all. */
export function linkOf(text: string | undefined): string | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined
  const url = new URL(text)
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined
}
