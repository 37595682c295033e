/**
 * The sinks of the configuration with what their secret files hold: as they are spoken to (api/alerts/sinks/sink.ts). Read at the
 * start and at every reload, so that a secret is changed without a restart.
 *
 * Throws   TRUNKSCOPE_CONFIG_SECRET_FILE when a file cannot be read or does not hold what it should. No text of it is
 *          repeated.
 */
import { readFileSync } from 'node:fs'
import type { WireSink } from '../../api/alerts/sinks/sink.js'
import type { PagerDutyConfig, SinkConfig, WebhookConfig } from '../../schemas/sinks.js'

export function sinksWithSecrets(sinks: readonly SinkConfig[]): WireSink[] {
  return sinks.map((sink) => {
    if (sink.type === 'alertmanager') return sink
    return sink.type === 'pagerduty' ? { ...sink, routingKey: routingKeyOf(sink) } : webhookOf(sink)
  })
}

const ROUTING_KEY = /^[A-Za-z0-9_-]{20,64}$/

function routingKeyOf(sink: PagerDutyConfig): string {
  const place = `sinks: ${sink.id}: routing_key_file`
  const [key, second] = linesOf(
    sink.routingKeyFile,
    place,
    'the integration key of an Events API v2 integration',
  )
  if (second !== undefined || !ROUTING_KEY.test(key!)) {
    throw secretError(
      `${place}: ${sink.routingKeyFile} holds no integration key; write the 32 letters and digits that PagerDuty shows ` +
        'under Integrations, Events API v2, in one line',
    )
  }
  return key!
}

function webhookOf(sink: WebhookConfig): WireSink {
  const { template: _, url: __, ...rest } = sink
  const url = sink.url ?? secretUrlOf(sink)
  if (sink.template === 'slack') return { ...rest, template: 'slack', url }
  return { ...rest, template: 'standard', url, signingKeys: signingKeysOf(sink) }
}

function secretUrlOf(sink: WebhookConfig): string {
  const place = `sinks: ${sink.id}: url_file`
  const path = sink.urlFile ?? ''
  const [text, second] = linesOf(path, place, 'the address of the webhook')
  const url = second === undefined && URL.canParse(text!) ? new URL(text!) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw secretError(`${place}: ${path} holds no address; write one that begins with https:// in one line`)
  }
  return url.href
}

/** Bounds of the specification of Standard Webhooks. */
const SIGNING_KEY_BYTES = { min: 24, max: 64 }
const MAKE_SECRET = 'make one with: echo "whsec_$(openssl rand -base64 32)"'

function signingKeysOf(sink: WebhookConfig): Buffer[] {
  const place = `sinks: ${sink.id}: secret_file`
  const path = sink.secretFile ?? ''
  const lines = linesOf(path, place, 'a secret that begins with whsec_', MAKE_SECRET)
  if (lines.length > 2) {
    throw secretError(
      `${place}: ${path} holds ${lines.length} secrets; write one, or two while it is being changed: the new and the old`,
    )
  }
  return lines.map((line, index) => {
    const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? []
    const key = Buffer.from(base64 ?? '', 'base64')
    const { min, max } = SIGNING_KEY_BYTES
    if (base64 === undefined || key.length < min || key.length > max) {
      throw secretError(
        `${place}: secret ${index + 1} of ${path} is not whsec_ and base64 of ${min} to ${max} bytes; ${MAKE_SECRET}`,
      )
    }
    return key
  })
}

function linesOf(path: string, place: string, what: string, make = `write ${what} into it`): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw secretError(
      `${place}: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code}); let the user that runs Trunkscope ` +
        `read it, or ${make}`,
      cause,
    )
  }
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (lines.length === 0) throw secretError(`${place}: ${path} is empty; ${make}`)
  return lines
}

function secretError(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: 'TRUNKSCOPE_CONFIG_SECRET_FILE' })
}
