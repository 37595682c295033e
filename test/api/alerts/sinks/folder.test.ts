import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Outbox } from '../../../../api/alerts/outbox.js'
import { fileWriter } from '../../../../api/alerts/sinks/folder.js'
import type { FolderSink } from '../../../../api/alerts/sinks/sink.js'
import { identityOf, writeDocuments } from '../../../../api/scorecards/documents.js'
import type { ScorecardNotice } from '../../../../schemas/alert-hook.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../../support/engine.js'
import { notice } from '../notice.js'
import { HEADLINE, SUBJECT, scorecardNoticeOf } from '../scorecard-notice.js'

const BODY = Buffer.from('<!doctype html>the scorecard of alpha')
const NOBODY = 65_534
const NAME = 'scorecard-2026-W47-alpha.html'

let engine: TestEngine
let folder: string
let nowMs = Date.parse('2026-11-23T06:00:05Z')

beforeAll(async () => {
  engine = await openTestEngine()
  await writeDocuments(
    engine.writer,
    SUBJECT,
    { week: '2026-W47', madeAtMs: nowMs, asOfUs: nowMs * 1_000, headline: HEADLINE },
    [{ format: 'html', fileName: NAME, body: BODY }],
  )
})
afterAll(() => engine.discard())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-files-'))
})
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true })
  await engine.writer.command({ query: 'TRUNCATE TABLE alert_deliveries' })
})

const told = (changes: Partial<ScorecardNotice['documents'][number]> = {}): ScorecardNotice => ({
  ...scorecardNoticeOf({ sinks: ['folder_weekly'] }),
  documents: [
    {
      id: identityOf(SUBJECT, 'html'),
      format: 'html',
      file_name: NAME,
      sha256: createHash('sha256').update(BODY).digest('hex'),
      size_bytes: BODY.length,
      ...changes,
    },
  ],
})
const write = (to = folder, what: Parameters<ReturnType<typeof fileWriter>>[1] = told()) =>
  fileWriter(engine.writer)(to, what)
const failing = async (to: string) => {
  const outcome = await write(to)
  return outcome.kind === 'failed' ? outcome.sentence : outcome.kind
}

describe('a folder as a sink', () => {
  test('holds the document as it is stored, for its owner only, and nothing else', async () => {
    expect(await write()).toMatchObject({ kind: 'answered', status: 200 })
    expect(readdirSync(folder)).toEqual([NAME])
    expect(readFileSync(join(folder, NAME))).toEqual(BODY)
    expect(statSync(join(folder, NAME)).mode & 0o777).toBe(0o600)
    const { mtimeMs, ino } = statSync(join(folder, NAME))
    await write()
    expect(statSync(join(folder, NAME))).toMatchObject({ mtimeMs, ino })
  })

  test('a file of the same name with other content is replaced; what a link points to stays', async () => {
    const elsewhere = join(folder, 'elsewhere')
    writeFileSync(elsewhere, 'not ours')
    symlinkSync(elsewhere, join(folder, NAME))
    // What a process that was killed left half written.
    writeFileSync(join(folder, `.${NAME}.${process.pid}.part`), 'half of it')
    await write()
    expect(readFileSync(join(folder, NAME))).toEqual(BODY)
    expect(readFileSync(elsewhere, 'utf8')).toBe('not ours')
    expect(readdirSync(folder).sort()).toEqual(['elsewhere', NAME])
  })

  test('what somebody can mend is a failure that says what, and leaves nothing half written', async () => {
    expect(await failing(join(folder, 'gone'))).toContain('does not exist; make it, or mount the disk')
    expect(existsSync(join(folder, 'gone'))).toBe(false)
    writeFileSync(join(folder, 'file'), '')
    expect(await failing(join(folder, 'file'))).toContain('is no folder')
    mkdirSync(join(folder, 'taken', NAME), { recursive: true })
    expect(await failing(join(folder, 'taken'))).toContain('holds a folder with the name of a document')
    expect(readdirSync(join(folder, 'taken'))).toEqual([NAME])
    // Nobody may write there, root included.
    expect(await failing('/proc')).toMatch(
      /\/proc (does not exist|may not be written|is on a disk|cannot be written)/,
    )
  })

  test('a folder without the right to write is a failure', async () => {
    const isRoot = process.getuid!() === 0
    chmodSync(folder, 0o500)
    if (isRoot) chownSync(folder, NOBODY, NOBODY)
    // Root may write anywhere: as soon as the document is read, it is nobody.
    const client = new Proxy(engine.writer, {
      get: (target, name) =>
        name !== 'query'
          ? Reflect.get(target, name)
          : async (asked: Parameters<typeof target.query>[0]) => {
              const rows = await (await target.query(asked)).json()
              if (isRoot) process.seteuid!(NOBODY)
              return { json: async () => rows }
            },
    })
    try {
      const outcome = await fileWriter(client)(folder, told())
      expect(outcome).toMatchObject({
        kind: 'failed',
        sentence: expect.stringContaining('may not be written'),
      })
    } finally {
      if (isRoot) process.seteuid!(0)
      chmodSync(folder, 0o700)
    }
    expect(readdirSync(folder)).toEqual([])
  })

  test('what no try will mend is refused: not kept, not the one that was told, no name of ours, an alert', async () => {
    const refused = async (what: Parameters<typeof write>[1]) => {
      const outcome = await write(folder, what)
      return outcome.kind === 'refused' ? outcome.sentence : outcome.kind
    }
    expect(await refused(told({ id: 'f'.repeat(32) }))).toBe('the document is not kept any more')
    expect(await refused(told({ sha256: '0'.repeat(64) }))).toBe('the document is not the one that was told')
    for (const name of [
      '../scorecard-x.html',
      'scorecard-a/b.html',
      'scorecard-..html',
      '.scorecard-x.html',
      '',
    ]) {
      expect(await refused(told({ file_name: name }))).toBe('the document has no name of ours')
    }
    expect(await refused(notice())).toBe('a folder takes scorecards only')
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('a folder behind the outbox', () => {
  const sinkOf = (path: string): FolderSink => ({
    id: 'folder_weekly',
    type: 'folder',
    path,
    allowPrivate: false,
  })
  const open = (sink: FolderSink) =>
    Outbox.open({ client: engine.writer, sinks: [sink], log: () => {}, nowMs: () => nowMs, random: () => 1 })
  const rows = () =>
    rowsOf<{ state: string; tries: number; last_error: string }>(
      engine.writer,
      'SELECT state, tries, last_error FROM alert_deliveries FINAL',
    )

  test('one that is missing is tried again, shown, and filled when it is there', async () => {
    const path = join(folder, 'mounted-later')
    const outbox = await open(sinkOf(path))
    await outbox.put([told()])
    await outbox.deliverDue()
    expect(await rows()).toEqual([
      { state: 'retrying', tries: 1, last_error: `${path} does not exist; make it, or mount the disk` },
    ])
    expect(outbox.sinks).toMatchObject([
      { id: 'folder_weekly', type: 'folder', state: 'failing', waiting: 1 },
    ])
    await outbox.close()
    mkdirSync(path)
    nowMs += 3_600_000
    const next = await open(sinkOf(path))
    await next.deliverDue()
    expect(await rows()).toEqual([{ state: 'delivered', tries: 2, last_error: '' }])
    expect(next.sinks).toMatchObject([{ state: 'ok', waiting: 0, firing: 0 }])
    await next.close()
    expect(readFileSync(join(path, NAME))).toEqual(BODY)
  })

  test('a disk that is full is tried again', async () => {
    const outbox = await Outbox.open({
      client: engine.writer,
      sinks: [sinkOf(folder)],
      log: () => {},
      nowMs: () => nowMs,
      random: () => 1,
      writeFiles: async () => ({ kind: 'failed', sentence: `${folder} is on a disk that is full` }),
    })
    await outbox.put([told()])
    await outbox.deliverDue()
    expect(await rows()).toMatchObject([
      { state: 'retrying', last_error: `${folder} is on a disk that is full` },
    ])
    await outbox.close()
  })

  test('a document that is not kept is a dead letter', async () => {
    const outbox = await open(sinkOf(folder))
    await outbox.put([told({ id: 'f'.repeat(32) })])
    await outbox.deliverDue()
    expect(await rows()).toMatchObject([{ state: 'dead', last_error: 'the document is not kept any more' }])
    await outbox.close()
  })
})
