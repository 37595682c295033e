/**
 * PagerDuty's Events API v2 as its documentation describes it, on loopback: refuses what the real one refuses, and keeps
 * incidents by `dedup_key`. Source: https://developer.pagerduty.com/docs/send-alert-event (fields, bounds, 202, 400, 429).
 */
import { Receiver } from './receiver.js'

const ROUTING_KEY = 'R0123456789ABCDEF0123456789ABCDE'

export interface Incident {
  summary: string
  state: 'open' | 'resolved'
  triggers: number
}

export class PagerDutyDouble {
  static readonly routingKey = ROUTING_KEY
  readonly incidents = new Map<string, Incident>()
  /** What was wrong with the events that were answered 400. */
  readonly mistakes: string[] = []
  /** Answers of the next requests, instead of looking at them: 429, 500 … */
  readonly instead: { status: number; headers?: Record<string, string> }[] = []
  readonly receiver: Receiver

  private constructor(receiver: Receiver) {
    this.receiver = receiver
    receiver.behaviour = ({ body }, response) => {
      const other = this.instead.shift()
      if (other !== undefined) {
        response.writeHead(other.status, other.headers).end()
        return
      }
      const mistake = mistakeOf(body)
      if (mistake !== undefined) {
        this.mistakes.push(mistake)
        response.writeHead(400, { 'content-type': 'application/json' })
        response.end(
          JSON.stringify({ status: 'invalid event', message: 'Event object is invalid', errors: [mistake] }),
        )
        return
      }
      const event = JSON.parse(body) as Event
      this.#take(event)
      response.writeHead(202, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({ status: 'success', message: 'Event processed', dedup_key: event.dedup_key }),
      )
    }
  }

  static async start(): Promise<PagerDutyDouble> {
    return new PagerDutyDouble(await Receiver.start())
  }

  get url(): string {
    return `http://127.0.0.1:${this.receiver.port}/v2/enqueue`
  }

  #take({ dedup_key: key, event_action: action, payload }: Event): void {
    const incident = this.incidents.get(key)
    if (action !== 'trigger') {
      if (incident !== undefined) incident.state = 'resolved'
      return
    }
    const isOpen = incident?.state === 'open'
    this.incidents.set(key, {
      summary: payload!.summary,
      state: 'open',
      triggers: isOpen ? incident.triggers + 1 : 1,
    })
  }

  stop(): Promise<void> {
    return this.receiver.stop()
  }
}

interface Event {
  routing_key: string
  event_action: 'trigger' | 'acknowledge' | 'resolve'
  dedup_key: string
  payload?: { summary: string; source: string; severity: string; timestamp?: string }
}

const isText = (value: unknown, charactersMax: number) =>
  typeof value === 'string' && value.length > 0 && value.length <= charactersMax

function mistakeOf(body: string): string | undefined {
  if (Buffer.byteLength(body) > 512 * 1_024) return 'event is larger than 512 KB'
  let event: Record<string, unknown>
  try {
    event = JSON.parse(body) as Record<string, unknown>
  } catch {
    return 'invalid JSON'
  }
  if (event.routing_key !== ROUTING_KEY) return "'routing_key' is missing or invalid"
  if (!['trigger', 'acknowledge', 'resolve'].includes(String(event.event_action)))
    return "'event_action' is missing or invalid"
  if (event.dedup_key !== undefined && !isText(event.dedup_key, 255)) return "'dedup_key' is too long"
  if (event.event_action !== 'trigger')
    return event.dedup_key === undefined ? "'dedup_key' is missing" : undefined
  const payload = event.payload
  if (typeof payload !== 'object' || payload === null) return "'payload' is missing"
  const { component, custom_details, group, severity, source, summary, timestamp } = payload as Record<
    string,
    unknown
  >
  if (!isText(summary, 1_024)) return "'payload.summary' is missing or too long"
  if (!isText(source, 1_024)) return "'payload.source' is missing or blank"
  if (!['critical', 'error', 'warning', 'info'].includes(String(severity)))
    return "'payload.severity' is invalid"
  if (timestamp !== undefined && Number.isNaN(Date.parse(String(timestamp))))
    return "'payload.timestamp' is no time"
  if ([component, group].some((value) => value !== undefined && typeof value !== 'string'))
    return 'component and group are texts'
  if (custom_details !== undefined && typeof custom_details !== 'object')
    return "'custom_details' is no object"
  const links = event.links ?? []
  if (!Array.isArray(links) || links.some((link) => typeof (link as { href?: unknown }).href !== 'string'))
    return "'links' need an href"
  return undefined
}
