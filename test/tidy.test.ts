/**
 * Help for the next reader: the rules of the house that a machine can look at. Generous numbers, and a way out of each
 * that a file can take by saying why: `// tidy: long because …` on its first line, or above a long function, and
 * `tidy: tested by test/…` where a test runs a file as a process and does not import it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { KPI_CATALOG } from '../schemas/kpi-catalog.js'
import { OWN_METRICS } from '../schemas/own-metrics.js'
import { CAPTURE_REASONS, DECODE_REASONS, SIP_REASONS } from '../schemas/reasons.js'
import {
  lineCount,
  lineOf,
  pathsIn,
  SOURCE_FOLDERS,
  type SourceFile,
  sourceFiles,
  visit,
} from './support/source-files.js'

const FILE_LINES_MAX = 500
const FUNCTION_LINES_MAX = 100

const sources = sourceFiles(...SOURCE_FOLDERS)
const benches = sourceFiles('bench')
const tests = sourceFiles('test')

/** What a folder may import beside itself. The first room whose folder holds the file counts. */
const ROOMS: { folder: string; may: RegExp[] }[] = [
  { folder: 'schemas/', may: [/^zod$/, /^node:net$/] },
  { folder: 'sip/', may: [/^schemas\//, /^node:(buffer|crypto|zlib)$/, /^libphonenumber-js/] },
  { folder: 'collector/enrich/', may: [/^schemas\//, /^sip\//, /^node:crypto$/, /^libphonenumber-js/] },
  { folder: 'collector/fold/', may: [/^schemas\//, /^sip\//, /^node:crypto$/] },
  // The bus reads the segments that capture writes: the format is one thing with two ends.
  {
    folder: 'collector/bus/',
    may: [/^schemas\//, /^sip\//, /^node:/, /^collector\/capture\/(spool-|capture-error)/, /^kafkajs$/],
  },
  { folder: 'collector/capture/', may: [/^schemas\//, /^sip\//, /^node:/] },
  { folder: 'collector/store/', may: [/^schemas\//, /^sip\//, /^node:/, /^@clickhouse\/client$/] },
  {
    folder: 'collector/',
    may: [/^schemas\//, /^sip\//, /^node:/, /^(@clickhouse\/client|pino|prom-client)$/],
  },
  {
    folder: 'evidence/',
    may: [
      /^schemas\//,
      /^sip\//,
      /^node:/,
      /^(@clickhouse\/client|libphonenumber-js.*)$/,
      /^@peculiar\/asn1-/,
    ],
  },
  {
    folder: 'api/',
    may: [
      /^schemas\//,
      /^sip\//,
      /^node:/,
      /^@?fastify/,
      /^(zod|pino|prom-client|croner|fflate|@clickhouse\/client)$/,
      /^@(lezer|prometheus-io)\//,
    ],
  },
  { folder: 'dashboards/', may: [/^schemas\//, /^node:/, /^@grafana\//] },
  { folder: 'bin/', may: [/^(?!test\/|bench\/)/] },
]

describe('tidy', () => {
  test('imports go one way: bin to collector and api, these to sip, sip to schemas; no stage knows another', () => {
    const wrong = sources.flatMap((file) => {
      const room = ROOMS.find(({ folder }) => file.path.startsWith(folder))
      if (room === undefined) return [`${file.path}: no room has this folder`]
      return file.importedPaths
        .filter((path) => !path.startsWith(room.folder) && !room.may.some((allowed) => allowed.test(path)))
        .map((path) => `${file.path} imports ${path}`)
    })
    expect(wrong).toEqual([])
  })

  test(`a file has at most ${FILE_LINES_MAX} lines, or says why it is long`, () => {
    const long = [...sources, ...tests].filter(
      ({ text }) => text.split('\n').length > FILE_LINES_MAX && !/^\/\/ tidy: long because \S/.test(text),
    )
    expect(long.map(({ path, text }) => `${path}: ${text.split('\n').length} lines`)).toEqual([])
  })

  test(`a function has at most ${FUNCTION_LINES_MAX} lines, or says why it is long`, () => {
    const long = sources.flatMap((file) =>
      functionsOf(file)
        .filter((node) => lineCount(file, node) > FUNCTION_LINES_MAX && !saysWhy(file, node))
        .map((node) => `${file.path}:${lineOf(file, node)}: ${lineCount(file, node)} lines`),
    )
    expect(long).toEqual([])
  })

  test('no type is any, and the compiler is not told to look away', () => {
    const loose = [...sources, ...benches, ...tests].flatMap((file) => {
      const found: string[] = []
      visit(file.tree, (node) => {
        if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(`${file.path}:${lineOf(file, node)}: any`)
      })
      if (/^\s*\/\/ @ts-(ignore|nocheck)/m.test(file.text)) found.push(`${file.path}: @ts-ignore`)
      return found
    })
    expect(loose).toEqual([])
  })

  test('files are kebab-case nouns that say what is in them', () => {
    const banned =
      /^(utils?|helpers?|managers?|services?|data|info|common|misc)$|-(utils?|helpers?|manager|service|v\d)$/
    const wrong = [...sources, ...benches, ...tests]
      .map(({ path }) => path)
      .filter((path) => {
        const name = basename(path).replace(/(\.test)?\.ts$/, '')
        return banned.test(name) || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)
      })
    expect(wrong).toEqual([])
  })

  test('a file with behaviour has a test of the same path, or is used by one, or names the one that runs it', () => {
    const tested = reachedByTests()
    const untested = sources.filter(
      (file) =>
        functionsOf(file).length > 0 &&
        !existsSync(`test/${file.path.replace(/\.ts$/, '.test.ts')}`) &&
        !tested.has(file.path) &&
        !namesItsTest(file),
    )
    expect(untested.map(({ path }) => path)).toEqual([])
  })

  test('every KPI is evaluated by a .kpi case', () => {
    const cases = pathsIn('test/kpi', '.kpi').map((path) => readFileSync(path, 'utf8'))
    const missing = KPI_CATALOG.filter(({ id, alias }) => {
      const evaluated = new RegExp(`^eval\\s+(${[id, alias].filter(Boolean).join('|')})\\s`, 'm')
      return !cases.some((text) => evaluated.test(text))
    })
    expect(missing.map(({ id }) => id)).toEqual([])
  })

  test('every metric name in the source is declared in schemas/own-metrics.ts', () => {
    const declared = new Set<string>(Object.values(OWN_METRICS).map(({ name }) => name))
    const used = sources.flatMap((file) =>
      [...file.text.matchAll(/'(trunkscope_(?:capture|spool|store|api|bus|dropped|ready)\w*)'/g)].map(
        ([, name]) => ({
          name: name!,
          path: file.path,
        }),
      ),
    )
    expect(
      used.filter(({ name }) => !declared.has(name)).map(({ name, path }) => `${path}: ${name}`),
    ).toEqual([])
  })

  test('metric names carry their unit, counters end in _total, and every metric has its sentence', () => {
    const wrong = Object.values(OWN_METRICS).filter(
      ({ name, type, help }) =>
        !/^trunkscope_[a-z0-9_]+$/.test(name) ||
        name.endsWith('_total') !== (type === 'counter') ||
        help.length < 10,
    )
    expect(wrong.map(({ name }) => name)).toEqual([])
  })

  test('every declared reason is one that the code gives', () => {
    const code = sources
      .filter(({ path }) => path !== 'schemas/reasons.ts')
      .map(({ text }) => text)
      .join('\n')
    const declared = [CAPTURE_REASONS, DECODE_REASONS, SIP_REASONS].flatMap((reasons) => Object.keys(reasons))
    expect(declared.filter((reason) => !new RegExp(`\\b${reason}\\b`).test(code))).toEqual([])
  })

  test('no test is left out or run alone by hand', () => {
    const left = tests.flatMap((file) => {
      const found: string[] = []
      visit(file.tree, (node) => {
        if (!ts.isPropertyAccessExpression(node) || !['only', 'skip', 'todo'].includes(node.name.text)) return
        if (/^(test|it|describe)\b/.test(node.expression.getText(file.tree))) {
          found.push(`${file.path}:${lineOf(file, node)}`)
        }
      })
      return found
    })
    expect(left).toEqual([])
  })
})

function functionsOf(file: SourceFile): ts.Node[] {
  const functions: ts.Node[] = []
  visit(file.tree, (node) => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) functions.push(node)
  })
  return functions
}

/** On the file's first line, or in the comment that stands before the function's statement. */
function saysWhy(file: SourceFile, node: ts.Node): boolean {
  if (/^\/\/ tidy: long because \S/.test(file.text)) return true
  const statement =
    ts.findAncestor(node, (parent) => ts.isStatement(parent) || ts.isClassElement(parent)) ?? node
  return /\/\/ tidy: long because \S/.test(
    file.text.slice(statement.getFullStart(), statement.getStart(file.tree)),
  )
}

function namesItsTest(file: SourceFile): boolean {
  const [, path] = /tidy: tested by (test\/\S+)/.exec(file.text) ?? []
  return path !== undefined && existsSync(path)
}

/** What tests import, and what that imports of its own folder: a stage is tested through its own doors, not by a neighbour. */
function reachedByTests(): Set<string> {
  const byPath = new Map(sources.map((file) => [file.path, file]))
  const reached = new Set<string>()
  const queue = [...new Set(tests.flatMap(({ importedPaths }) => importedPaths))]
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const file = byPath.get(path)
    if (file === undefined || reached.has(path)) continue
    reached.add(path)
    const room = roomOf(path)
    queue.push(...file.importedPaths.filter((imported) => imported.startsWith(room)))
  }
  return reached
}

/** 'api/', 'schemas/', 'sip/'; of the others, the folder below: 'collector/store/', 'bin/connect/'. */
function roomOf(path: string): string {
  const [top, below] = path.split('/')
  return /^(collector|bin)$/.test(top!) && path.split('/').length > 2 ? `${top}/${below}/` : `${top}/`
}
