/**
 * `sinks` of trunkscope.yaml: where alerts go. Alertmanager (v2), PagerDuty (Events v2), or a webhook that is signed
 * (Standard Webhooks) or speaks Slack's words.
 *
 * No secret stands here: routing key, signing secrets and an address that is a secret itself (Slack's) are in files
 * (bin/connect/sink-secrets.ts). One block with optional keys, so that a wrong key can be told from a forgotten one.
 *
 * Source   ecosystem.md §7.
 */
import { z } from 'zod'

export const SINK_TYPES = ['alertmanager', 'pagerduty', 'webhook'] as const
export const WEBHOOK_TEMPLATES = ['standard', 'slack'] as const
export const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue'

const sinkShape = z.strictObject({
  /** What `sinks` of a rule name. */
  id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
    message: 'is no id; write lower-case letters, digits, - and _, at most 63, for example on-call',
  }),
  type: z.enum(SINK_TYPES),
  /** Alertmanager: without /api/v2/alerts. PagerDuty: left out, its public address. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** Webhook: instead of url, where knowing the address is enough to write to it. */
  url_file: z.string().min(1).optional(),
  /** PagerDuty: the integration key. */
  routing_key_file: z.string().min(1).optional(),
  /** Webhook `standard`: one secret that begins with whsec_, or two, a line each, while it is being changed. */
  secret_file: z.string().min(1).optional(),
  /** Webhook. */
  template: z.enum(WEBHOOK_TEMPLATES).optional(),
  /** Alertmanager: how often it is told that an alert still fires; it forgets one after three times that. */
  resend_interval_s: z.int().min(30).max(180).optional(),
  /** The others: told again after so long while it fires. */
  repeat_interval_hours: z.int().min(1).max(168).optional(),
  /** May stand on this machine or in a private network. */
  allow_private: z.boolean().default(false),
})
type SinkShape = z.output<typeof sinkShape>

interface SinkBase {
  id: string
  allowPrivate: boolean
}

export interface AlertmanagerConfig extends SinkBase {
  type: 'alertmanager'
  url: string
  resendIntervalS: number
}

export interface PagerDutyConfig extends SinkBase {
  type: 'pagerduty'
  url: string
  routingKeyFile: string
  repeatIntervalHours: number
}

export interface WebhookConfig extends SinkBase {
  type: 'webhook'
  template: 'standard' | 'slack'
  url: string | undefined
  urlFile: string | undefined
  secretFile: string | undefined
  repeatIntervalHours: number
}

export type SinkConfig = AlertmanagerConfig | PagerDutyConfig | WebhookConfig

type OwnKey = Exclude<keyof SinkShape, 'id' | 'type' | 'allow_private'>

const OWN_KEYS: Record<SinkShape['type'], readonly OwnKey[]> = {
  alertmanager: ['url', 'resend_interval_s'],
  pagerduty: ['url', 'routing_key_file', 'repeat_interval_hours'],
  webhook: ['url', 'url_file', 'secret_file', 'template', 'repeat_interval_hours'],
}
const ALL_OWN_KEYS = [...new Set(Object.values(OWN_KEYS).flat())]

export const sinksSchema = z
  .array(sinkShape.superRefine(checkKeys).transform(asSink))
  .superRefine((sinks, context) => {
    sinks.forEach(({ id }, index) => {
      const first = sinks.findIndex((sink) => sink.id === id)
      if (first === index) return
      context.addIssue({
        code: 'custom',
        path: [index, 'id'],
        message: `is already the id of sinks[${first}]; every id stands once, so rename one`,
      })
    })
  })
  .default([])

/** Which keys belong to which kind. */
function checkKeys(sink: SinkShape, context: z.RefinementCtx): void {
  const mistake = (key: OwnKey, message: string) => context.addIssue({ code: 'custom', path: [key], message })
  for (const key of ALL_OWN_KEYS) {
    if (sink[key] === undefined || OWN_KEYS[sink.type].includes(key)) continue
    mistake(key, `means nothing to a sink of type ${sink.type}; it knows ${OWN_KEYS[sink.type].join(', ')}`)
  }
  if (sink.type === 'alertmanager' && sink.url === undefined)
    mistake('url', 'stands here; add url: http://alertmanager.example:9093')
  if (sink.type === 'pagerduty' && sink.routing_key_file === undefined)
    mistake('routing_key_file', 'stands here; add routing_key_file: /run/secrets/pagerduty')
  if (sink.type !== 'webhook') return
  if (sink.url === undefined && sink.url_file === undefined)
    mistake('url', 'stands here; add url: https://hooks.example/trunkscope, or url_file with it in a file')
  if (sink.url !== undefined && sink.url_file !== undefined)
    mistake('url_file', 'stands beside url; remove one of them')
  if (sink.template === 'slack' && sink.secret_file !== undefined)
    mistake('secret_file', 'means nothing to Slack, which checks no signature; remove it')
  if (sink.template !== 'slack' && sink.secret_file === undefined)
    mistake('secret_file', 'stands here; add secret_file: /run/secrets/webhook')
}

function asSink(sink: SinkShape): SinkConfig {
  const base = { id: sink.id, allowPrivate: sink.allow_private }
  const repeatIntervalHours = sink.repeat_interval_hours ?? 4
  switch (sink.type) {
    case 'alertmanager':
      return {
        ...base,
        type: sink.type,
        url: sink.url ?? '',
        resendIntervalS: sink.resend_interval_s ?? 60,
      }
    case 'pagerduty':
      return {
        ...base,
        type: sink.type,
        url: sink.url ?? PAGERDUTY_URL,
        routingKeyFile: sink.routing_key_file ?? '',
        repeatIntervalHours,
      }
    case 'webhook':
      return {
        ...base,
        type: sink.type,
        template: sink.template ?? 'standard',
        url: sink.url,
        urlFile: sink.url_file,
        secretFile: sink.secret_file,
        repeatIntervalHours,
      }
  }
}
