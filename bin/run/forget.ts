/**
 * `trunkscope forget`: the tables, the packs, and a word about what passes by retention.
 *
 * The report goes to stdout, progress to stderr, so that `--json` is one document. Neither repeats the number.
 */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { readNumber, storedFormsOf } from '../../api/attempts/number-filter.js'
import { canonicalNumber, NumberDigests } from '../../api/audit/number-digests.js'
import { maskedNumber } from '../../api/masking.js'
import { type ForgetReport, forget } from '../../collector/forget-role.js'
import { type AuditRow, storedAuditRow } from '../../schemas/audit.js'
import type { ForgetCommandOptions } from '../commands/forget.js'
import { auditKeys } from '../connect/audit-key.js'
import type { Engine } from '../connect/clickhouse.js'
import { withStore } from '../connect/open-store.js'
import { ProgressLine } from '../demo/progress.js'
import { type FilesWithNumber, packsWithNumber, spoolWithNumber } from './files-with-number.js'

/** As --json prints it. */
export interface ForgetDocument {
  number: string
  deleted: boolean
  calls: number
  attempts_blanked: number
  messages_deleted: number
  samples_deleted: number
  unended_attempts: number
  /** Of a dry run: where it stands. Else: where it still stands. */
  places: { table: string; column: string; rows: number }[]
  old_parts: number
  packs: { looked_at: number; holding: string[]; unread: { path: string; problem: string }[] } | null
  notes: string[]
}

export function runForget(options: ForgetCommandOptions): Promise<void> {
  return withStore(options, 'forget', (engine) => run(options, engine))
}

async function run(options: ForgetCommandOptions, engine: Engine): Promise<void> {
  const { number, dryRun, packsDir, dataDir, json } = options
  const digits = canonicalNumber(number)!
  const line = new ProgressLine(process.stderr)
  // Before anything is done: what nobody could find again is not done.
  await audit(options, engine, undefined)
  const report = await forget({
    client: engine.writer,
    insertFolder: engine.insertFolder,
    digits,
    forms: [...new Set([...storedFormsOf(digits), ...storedFormsOf(readNumber(number)!.digits)])],
    dryRun,
    isAlone: dataDir !== undefined,
    owner: `${hostname()} ${process.pid} ${randomUUID()}`,
    onProgress: ({ calls, of }) => line.show(`${calls} of ${of} calls`),
  })
  line.end(`${report.calls} calls`)
  const packs = packsDir === undefined ? undefined : await packsWithNumber(packsDir, digits)
  if (!dryRun) for (const path of packs?.holding ?? []) rmSync(path)
  if (!dryRun) await audit(options, engine, report.attempts)
  const document: ForgetDocument = {
    number: maskedNumber(number),
    deleted: !dryRun,
    calls: report.calls,
    attempts_blanked: report.attempts,
    messages_deleted: report.messages,
    samples_deleted: report.samples,
    unended_attempts: report.unended,
    places: report.places,
    old_parts: report.oldParts,
    packs:
      packs === undefined ? null : { looked_at: packs.files, holding: packs.holding, unread: packs.unread },
    notes: await notesOf(options, report, digits, packs),
  }
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : forgetText(document))
  if (!dryRun && (report.places.length > 0 || (packs?.unread.length ?? 0) > 0)) {
    throw Object.assign(
      new Error('The number is not gone everywhere: the report says where it still stands.'),
      {
        code: 'TRUNKSCOPE_FORGET_NOT_ALL',
        fix: 'Run the same command again; docs/privacy.md says what a run cannot reach',
      },
    )
  }
}

async function audit(
  { config, number, dataDir, dryRun }: ForgetCommandOptions,
  engine: Engine,
  attempts: number | undefined,
): Promise<void> {
  const digest = new NumberDigests(auditKeys(config, dataDir)).of(number)
  const row: AuditRow = {
    atMs: Date.now(),
    id: randomUUID().replaceAll('-', ''),
    token: 'command line',
    role: 'admin',
    carriers: [],
    address: hostname(),
    action: 'forget',
    route: 'trunkscope forget',
    status: 200,
    carrier: '',
    attemptId: '',
    filters: { step: dryRun ? 'dry run' : attempts === undefined ? 'begun' : 'done' },
    numbers: [maskedNumber(number)],
    numberDigests: digest === undefined ? [] : [digest.digest],
    keyId: digest?.keyId ?? '',
    rows: attempts,
  }
  await engine.writer.insert({ table: 'audit_trail', values: [storedAuditRow(row)], format: 'JSONEachRow' })
}

/** What a run cannot reach, and when it passes. */
async function notesOf(
  { config, dataDir, dryRun }: ForgetCommandOptions,
  report: ForgetReport,
  digits: string,
  packs: FilesWithNumber | undefined,
): Promise<string[]> {
  const notes: string[] = []
  if (report.unended > 0)
    notes.push(
      `${report.unended} of these attempts have no end yet. If their calls are still up, their next messages bring the number back: run this again when they are over.`,
    )
  if (dataDir === undefined) {
    notes.push(
      `Kafka keeps frames for ${config.kafka?.retention_hours ?? 24} h (kafka.retention_hours), and captures what Kafka has not taken yet: ` +
        'messages that are stored from there after this run bring the number back. Run this again after that time.',
    )
    if (!dryRun)
      notes.push(
        'The server removes the files of replaced parts by itself, 8 minutes after the last of them was replaced (old_parts_lifetime).',
      )
  } else {
    const spool = await spoolWithNumber(dataDir, digits)
    notes.push(
      spool.holding.length === 0
        ? `None of the ${spool.files} files of the spool holds the number.`
        : `${spool.holding.length} of the ${spool.files} files of the spool hold the number. They pass when what is in them is stored: ` +
            'start Trunkscope, stop it when it has caught up, and run this again.',
    )
    if (report.oldParts > 0)
      notes.push(`${report.oldParts} replaced parts are still in the files; the next start removes them.`)
  }
  if (packs === undefined) notes.push('Dispute packs were not looked at: name their folder with --packs.')
  notes.push(
    'Backups, and what was exported before, are out of reach: GET /v1/audit?number=… says who took what.',
  )
  return notes
}

export function forgetText(document: ForgetDocument): string {
  const { deleted, places, packs } = document
  const done = deleted ? '' : 'would be '
  const lines = [
    `${document.number} stands in ${document.calls} calls`,
    `  call_attempts    ${document.attempts_blanked} ${done}blanked`,
    `  sip_messages     ${document.messages_deleted} ${done}deleted`,
    `  rejected_frames  ${document.samples_deleted} ${done}deleted`,
  ]
  if (packs !== null) {
    lines.push(`  packs            ${packs.holding.length} of ${packs.looked_at} ${done}deleted`)
    for (const path of packs.holding) lines.push(`    ${path}`)
    for (const { path, problem } of packs.unread) lines.push(`    ${path} cannot be read: ${problem}`)
  }
  if (deleted) {
    lines.push(places.length === 0 ? 'No table holds it any more.' : 'It still stands in:')
  } else if (places.length > 0) {
    lines.push('It stands in:')
  }
  for (const { table, column, rows } of places) lines.push(`  ${table}.${column}: ${rows} rows`)
  lines.push(...document.notes)
  if (!deleted) lines.push('Nothing was changed. With --yes it is deleted.')
  return `${lines.join('\n')}\n`
}
