/**
 * The demo's traffic in a process of its own, so that it never holds up the collector.
 *
 *   node dist/bin/demo/sender.js --to tcp://127.0.0.1:9060 --live udp://127.0.0.1:9060 [--seed 1] [--rate 8]
 *                                [--backfill-s 3600] [--keys FOLDER] [--no-trouble]
 *
 * The agents' shared secret, where the collector asks for one, comes from the environment (TRUNKSCOPE_AGENT_KEY):
 * a command line can be read by everybody on the machine.
 *
 * Writes one JSON object a line to stdout: `{"event":"progress", …}` (the fields of FeedReport), at last
 * `{"event":"stopped"}`, or `{"event":"failed","message":…}` with exit code 1. It stops on SIGINT and SIGTERM, and
 * when its parent is gone: stdin closes if it is a pipe, or stdout breaks.
 */
import { fstatSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type FeedOptions, feed } from './feed.js'
import { parseDestination } from './send.js'
import { readSigningKeys } from './signers.js'

export function feedOptionsOf(args: string[], nowUs: number): FeedOptions {
  const { values } = parseArgs({
    args,
    options: {
      to: { type: 'string', default: 'tcp://127.0.0.1:9060' },
      live: { type: 'string' },
      seed: { type: 'string', default: '1' },
      rate: { type: 'string', default: '8' },
      'backfill-s': { type: 'string', default: '3600' },
      keys: { type: 'string' },
      'no-trouble': { type: 'boolean', default: false },
    },
  })
  return {
    backfillTo: parseDestination(values.to),
    liveTo: parseDestination(values.live ?? values.to),
    seed: values.seed,
    rate: atLeast(values.rate, '--rate', Number.MIN_VALUE),
    backfillS: atLeast(values['backfill-s'], '--backfill-s', 0),
    nowUs,
    trouble: !values['no-trouble'],
    keys: values.keys === undefined ? undefined : readSigningKeys(values.keys),
    agentKey: process.env.TRUNKSCOPE_AGENT_KEY || undefined,
  }
}

function atLeast(text: string, option: string, least: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= least && value < Infinity) return value
  throw new RangeError(`${option} takes a number ${least === 0 ? 'from 0' : 'above 0'}, not '${text}'.`)
}

async function main(): Promise<void> {
  const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
  const stop = new AbortController()
  const abort = () => stop.abort()
  process.on('SIGINT', abort)
  process.on('SIGTERM', abort)
  process.stdout.on('error', abort)
  const stdin = fstatSync(0)
  if (stdin.isFIFO() || stdin.isSocket()) process.stdin.on('end', abort).on('error', abort).resume()
  try {
    const options = feedOptionsOf(process.argv.slice(2), Date.now() * 1_000)
    await feed(options, (report) => say({ event: 'progress', ...report }), stop.signal)
    say({ event: 'stopped' })
  } catch (error) {
    say({ event: 'failed', message: error instanceof Error ? error.message : String(error) })
    process.exitCode = 1
  }
  process.stdin.destroy() // An open pipe would keep the process.
}

await main()
