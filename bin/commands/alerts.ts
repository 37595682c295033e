/** `trunkscope alerts`: what an operator does about alerts by hand. */
import { type Command, Option } from 'commander'
import type { SinkConfig } from '../../schemas/sinks.js'
import { readConfig } from '../connect/config.js'
import { nearest } from '../connect/nearest.js'
import { UsageError } from './options.js'

export interface AlertsTestOptions {
  sink: SinkConfig
}

export type RunAlertsTest = (options: AlertsTestOptions, write: (text: string) => void) => Promise<void>

const HELP = `
Sends a test alert that fires (rule TrunkscopeTest, a ticket, of no carrier) and resolves it at once; says what the sink
answered, and what to do when it did not take it. It needs no data and no running Trunkscope.

PagerDuty opens an incident and closes it. Alertmanager shows the alert and notifies by its own rules: what is resolved
within group_wait is told to nobody.

Examples:
  trunkscope alerts test --sink pagerduty --config trunkscope.yaml`

export function addAlertsCommand(
  program: Command,
  write: (text: string) => void,
  run: RunAlertsTest = async (...given) => (await import('../run/alerts-test.js')).runAlertsTest(...given),
): void {
  const alerts = program
    .command('alerts')
    .summary('try a sink of alerts')
    .description('What can be done about alerts by hand.')
  alerts
    .command('test')
    .summary('send a test alert to a sink, and resolve it')
    .description('Sends one test alert to a sink of the configuration, and resolves it.')
    .addOption(new Option('--sink <ID>', 'which of sinks in the configuration').makeOptionMandatory())
    .addOption(new Option('-c, --config <FILE>', 'the configuration with the sink').env('TRUNKSCOPE_CONFIG'))
    .addHelpText('after', HELP)
    .action(async (given: { sink: string; config?: string }) => {
      const { sinks } = readConfig(given.config || undefined)
      const sink = sinks.find(({ id }) => id === given.sink)
      if (sink === undefined) throw noSuchSink(given.sink, sinks)
      await run({ sink }, write)
    })
}

function noSuchSink(id: string, sinks: readonly SinkConfig[]): UsageError {
  const known = sinks.map((sink) => sink.id)
  if (known.length === 0) {
    return new UsageError(
      `There is no sink ${id}: the configuration has none.`,
      'Give the configuration with --config FILE, or write sinks into it; docs/sinks.md has examples',
    )
  }
  const meant = nearest(id, known)
  return new UsageError(
    `There is no sink ${id}.`,
    `${meant === undefined ? '' : `Did you mean ${meant}? `}The configuration has ${known.join(', ')}`,
  )
}
