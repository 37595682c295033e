/** What a sink of any kind is sent. Pure. */
import type { AlertNotice } from '../../../schemas/alert-hook.js'
import { alertmanagerRequest } from './alertmanager.js'
import { pagerDutyRequest } from './pagerduty.js'
import type { OutgoingRequest, Sink } from './sink.js'
import { slackRequest, webhookRequest } from './webhook.js'

/**
 * @param notices several only for sinks that take several: Alertmanager and Slack
 * @param repeat 0 for the notice itself
 */
export function requestFor(
  sink: Sink,
  notices: readonly [AlertNotice, ...AlertNotice[]],
  nowMs: number,
  repeat = 0,
): OutgoingRequest {
  if (sink.type === 'alertmanager') return alertmanagerRequest(sink, notices, nowMs)
  if (sink.type === 'pagerduty') return pagerDutyRequest(sink, notices[0])
  if (sink.template === 'slack') return slackRequest(sink, notices)
  return webhookRequest(sink, notices[0], nowMs, repeat)
}
