/** What a sink of any kind is sent. Pure. */
import type { AlertNotice, Notice } from '../../../schemas/alert-hook.js'
import { alertmanagerRequest } from './alertmanager.js'
import { pagerDutyRequest } from './pagerduty.js'
import type { OutgoingRequest, WireSink } from './sink.js'
import { slackRequest, webhookRequest } from './webhook.js'

/**
 * @param notices several only for sinks that take several: Alertmanager and Slack
 * @param repeat 0 for the notice itself
 */
export function requestFor(
  sink: WireSink,
  notices: readonly [Notice, ...Notice[]],
  nowMs: number,
  repeat = 0,
): OutgoingRequest {
  // The queue hands over what the sink takes: of these two, alerts (`takes`).
  if (sink.type === 'alertmanager') return alertmanagerRequest(sink, notices as readonly AlertNotice[], nowMs)
  if (sink.type === 'pagerduty') return pagerDutyRequest(sink, notices[0] as AlertNotice)
  if (sink.template === 'slack') return slackRequest(sink, notices)
  return webhookRequest(sink, notices[0], nowMs, repeat)
}
