/**
 * A sink as it is spoken to: its configuration with what its secret files hold. `bin/connect/sink-secrets.ts` makes it.
 * None of it is logged but the id.
 */
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

export type Sink = AlertmanagerSink | PagerDutySink | StandardSink | SlackSink

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
