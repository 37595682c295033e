/**
 * `trunkscope alerts test`: one test alert, fired and resolved, straight to the sink.
 *
 * Throws   TRUNKSCOPE_ALERTS_TEST_FAILED when the sink did not take it, with what to do about it.
 */
import { randomBytes } from 'node:crypto'
import { type Answer, post, sentenceOf } from '../../api/alerts/sinks/post.js'
import { requestFor } from '../../api/alerts/sinks/request.js'
import type { WireSink } from '../../api/alerts/sinks/sink.js'
import type { AlertNotice } from '../../schemas/alert-hook.js'
import type { SinkConfig } from '../../schemas/sinks.js'
import type { AlertsTestOptions } from '../commands/alerts.js'
import { sinksWithSecrets } from '../connect/sink-secrets.js'

export async function runAlertsTest(
  { sink }: AlertsTestOptions,
  write: (text: string) => void,
): Promise<void> {
  const [spoken] = sinksWithSecrets([sink])
  const key = randomBytes(16).toString('hex')
  const startsAtUs = Date.now() * 1_000
  write(`sink ${sink.id}: ${kindOf(sink)} at ${new URL(spoken!.url).host}\n`)
  await tell(spoken!, testNotice(sink.id, key, startsAtUs, 'firing'), write)
  await tell(spoken!, testNotice(sink.id, key, startsAtUs, 'resolved'), write)
  write(
    sink.type === 'alertmanager'
      ? 'Alertmanager took it. Whom it tells is decided there: amtool config routes test alertname=TrunkscopeTest severity=ticket\n'
      : 'The sink takes alerts.\n',
  )
}

const kindOf = (sink: SinkConfig) =>
  sink.type === 'webhook'
    ? `webhook (${sink.template})`
    : sink.type === 'pagerduty'
      ? 'PagerDuty'
      : 'Alertmanager'

function testNotice(
  sink: string,
  key: string,
  startsAtUs: number,
  status: AlertNotice['status'],
): AlertNotice {
  return {
    key,
    transition: status === 'firing' ? 1 : 2,
    status,
    rule: 'TrunkscopeTest',
    severity: 'ticket',
    sinks: [sink],
    labels: { alertname: 'TrunkscopeTest', severity: 'ticket' },
    annotations: { summary: 'Test alert of Trunkscope: nothing is wrong, and it is resolved at once' },
    details: {},
    startsAtUs,
    endsAtUs: status === 'resolved' ? Date.now() * 1_000 : undefined,
  }
}

async function tell(sink: WireSink, notice: AlertNotice, write: (text: string) => void): Promise<void> {
  const request = requestFor(sink, [notice], Date.now())
  const answer = await post(request, { allowPrivate: sink.allowPrivate })
  const sentence = sentenceOf(answer)
  write(`  ${notice.status.padEnd(8)}  ${sentence}\n`)
  if (answer.kind === 'answered' && answer.status >= 200 && answer.status < 300) return
  throw Object.assign(new Error(`sink ${sink.id} did not take the test alert: ${sentence}`), {
    code: 'TRUNKSCOPE_ALERTS_TEST_FAILED',
    fix: fixOf(sink, answer),
  })
}

function fixOf(sink: WireSink, answer: Answer): string {
  if (answer.kind === 'failed') return fixOfFailure(answer.sentence)
  const { status } = answer
  if (status >= 300 && status < 400)
    return 'Write the address it redirects to as url: redirects are not followed'
  if (status === 401 || status === 403) {
    return sink.type === 'pagerduty'
      ? 'PagerDuty does not let this integration in: check routing_key_file'
      : 'The receiver wants to be asked otherwise: check the secret, and whether a proxy before it asks for a login'
  }
  if (status === 404 || status === 405) {
    return sink.type === 'alertmanager'
      ? 'Nothing answers at /api/v2/alerts there: url is the address before it, with the prefix if it has one'
      : 'Nothing takes alerts at this address: check its path'
  }
  if (status === 410)
    return 'The receiver says that it is gone for good: make a new one, and write its address'
  if (status === 429) return 'It takes no more for the moment: wait a minute and try again'
  if (status >= 500) return 'The receiver itself fails: its log says why'
  return sink.type === 'pagerduty'
    ? 'PagerDuty refuses the event: routing_key_file must hold the key of an integration of the type Events API v2'
    : sink.type === 'webhook' && sink.template === 'slack'
      ? 'Slack refuses the message: check that the webhook still has its channel'
      : 'The receiver refuses the message: its log says why; a webhook for Slack needs template: slack'
}

function fixOfFailure(sentence: string): string {
  if (sentence.includes('allow_private'))
    return 'A sink in your own network is fine: allow_private: true says that you mean it'
  if (sentence.includes('not resolved'))
    return 'Check the host name in the address, and the name servers of this machine'
  if (sentence.includes('within'))
    return 'Check that a firewall lets this machine reach it; what is slower than that counts as down'
  if (sentence.includes('ECONNREFUSED'))
    return 'Nothing listens there: check the port, and that the receiver runs'
  if (/CERT|SIGNATURE|ALTNAME|ISSUER/.test(sentence)) {
    return 'Its certificate is not trusted here: NODE_EXTRA_CA_CERTS=/path/ca.pem in the environment adds an authority'
  }
  return 'Check the address, and that it is https where TLS is spoken and http where not'
}
