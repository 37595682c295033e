// tidy: tested by test/bin/run/recompute.test.ts
/**
 * `trunkscope recompute`: fold, report, ask, swap.
 *
 * The report goes to stdout, progress and the question to stderr, so that `--json` is one document.
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { hashOf } from '../../collector/bus/partition.js'
import { Recompute, type RecomputeProgress } from '../../collector/recompute-role.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import type { RecomputeCommandOptions } from '../commands/recompute.js'
import { version } from '../commands/version.js'
import type { Engine } from '../connect/clickhouse.js'
import { withStore } from '../connect/open-store.js'
import { ProgressLine } from '../demo/progress.js'
import { type RecomputeReport, recomputeReportOf, recomputeText } from './recompute-report.js'

export function runRecompute(options: RecomputeCommandOptions): Promise<void> {
  return withStore(options, 'recompute', (engine) => recompute(options, engine))
}

async function recompute(options: RecomputeCommandOptions, engine: Engine): Promise<void> {
  const { config, fromS, toS, dryRun, json, yes } = options
  if (!dryRun && !yes && !isAskable()) throw notConfirmed('Nobody can be asked here.')
  const line = new ProgressLine(process.stderr)
  // Without a file of a cluster there is one partition, as in `trunkscope start`.
  const basePartitions = options.dataDir === undefined ? (config.kafka?.base_partitions ?? 1) : 1
  const job = await Recompute.open({
    writer: engine.writer,
    insertFolder: engine.insertFolder,
    config,
    rules: rulesOf(),
    fromS,
    toS,
    nowS: Math.floor(Date.now() / 1_000),
    owner: `${hostname()} ${process.pid} ${randomUUID()}`,
    busPartitionOf: (callId) => hashOf(Buffer.from(callId, 'latin1')) % basePartitions,
    isAlone: options.dataDir !== undefined,
    onProgress: (progress) => line.show(sentenceOf(progress)),
  })
  const report = recomputeReportOf(await job.fold())
  line.end(`${report.messages.folded} messages folded`)
  // Of an interrupted run that had its yes the rest is done, whatever is asked now: half a swap is no answer.
  if (dryRun && !job.isAgreed) {
    await job.drop()
    print(report, json)
    return
  }
  const hasChanges = report.attempts.changed + report.attempts.added + report.attempts.removed > 0
  const mustAsk = hasChanges && !yes && !job.isAgreed
  if (mustAsk) process.stderr.write(recomputeText(report))
  if (mustAsk && !(await isAgreed())) {
    await job.drop()
    print(report, json)
    return
  }
  const done = recomputeReportOf(await job.swap())
  line.end('swapped')
  print(done, json)
}

/** The version that folds, and the formulas that count. */
function rulesOf(): string {
  return [version(), ...KPI_CATALOG.map((kpi) => `${kpi.id}@${kpi.version}`)].join(' ')
}

function sentenceOf({ step, done, of }: RecomputeProgress): string {
  const percent = Math.min(100, Math.floor((100 * done) / Math.max(1, of)))
  return step === 'fold'
    ? `folded ${done} messages of about ${of}, ${percent} %`
    : `swapped ${done} of ${of} parts, ${percent} %`
}

function print(report: RecomputeReport, json: boolean): void {
  const said = report.swapped
    ? 'The new numbers stand.\n'
    : 'Nothing was changed. Without --dry-run, and after a yes, the new numbers take the place of the old ones.\n'
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${recomputeText(report)}${said}`)
}

const isAskable = () => process.stdin.isTTY === true && process.stderr.isTTY === true

async function isAgreed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    // Ctrl-C and Ctrl-D close it without an answer.
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
    const asked = terminal.question('Put the new numbers in place of the old ones? [y/N] ')
    const answer = await Promise.race([asked, closed])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}

function notConfirmed(sentence: string): Error {
  return Object.assign(new Error(sentence), {
    code: 'TRUNKSCOPE_RECOMPUTE_NOT_CONFIRMED',
    fix: 'Add --dry-run to see what would move, or --yes to put the new numbers in place',
  })
}
