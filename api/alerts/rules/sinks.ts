/** Whom a rule tells: its own sinks, else those of its severity, else every sink. */

import type { Severity } from '../../../schemas/alert-hook.js'
import type { AlertsConfig } from '../../../schemas/alert-rules.js'

export function sinksOf(
  config: { alerts: Pick<AlertsConfig, 'sinks'>; sinks: readonly { id: string }[] },
  severity: Severity,
  own?: readonly string[],
): readonly string[] {
  return own ?? config.alerts.sinks[severity] ?? config.sinks.map(({ id }) => id)
}
