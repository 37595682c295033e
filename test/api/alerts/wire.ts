/** Sinks of tests, and a wire that answers from a list and keeps what was sent. */
import type { Answer, Post } from '../../../api/alerts/sinks/post.js'
import type { OutgoingRequest, Sink } from '../../../api/alerts/sinks/sink.js'
import type { AlertNotice } from '../../../schemas/alert-hook.js'

export const hook = (url = 'https://hooks.example/x', id = 'hook'): Sink => ({
  id,
  type: 'webhook',
  template: 'standard',
  allowPrivate: true,
  url,
  urlFile: undefined,
  secretFile: undefined,
  signingKeys: [Buffer.alloc(32, 7)],
  repeatIntervalHours: 4,
})
export const slack: Sink = {
  id: 'slack',
  type: 'webhook',
  template: 'slack',
  allowPrivate: true,
  url: 'https://hooks.slack.example/x',
  urlFile: undefined,
  secretFile: undefined,
  repeatIntervalHours: 4,
}
export const alertmanager: Sink = {
  id: 'am',
  type: 'alertmanager',
  allowPrivate: true,
  url: 'http://am.example:9093',
  resendIntervalS: 60,
}

/** Answers from a list, 200 after its end, and keeps what was sent. */
export class Wire {
  readonly sent: OutgoingRequest[] = []
  answers: (Answer | number)[]
  always: number | ((request: OutgoingRequest) => number) = 200

  constructor(...answers: (Answer | number)[]) {
    this.answers = answers
  }

  readonly post: Post = async (request) => {
    this.sent.push(request)
    const always = typeof this.always === 'function' ? this.always(request) : this.always
    const next = this.answers.shift() ?? always
    return typeof next === 'number' ? { kind: 'answered', status: next, retryAfterMs: undefined } : next
  }

  get ids(): string[] {
    return this.sent.map(({ headers }) => headers['webhook-id']!)
  }
}

/** Whose alerts each request to Alertmanager held. */
export function carriersOf(requests: readonly OutgoingRequest[]): string[][] {
  return requests.map(({ body }) =>
    (JSON.parse(body) as { labels: AlertNotice['labels'] }[]).map(({ labels }) => labels.carrier!),
  )
}
