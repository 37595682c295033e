/**
 * What the documents say about the project is there: files and headings they link to, commands and options they name, keys
 * of the configuration, routes, metrics, variables. A reader who follows them never ends at nothing.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Runners } from '../bin/commands/options.js'
import { buildProgram } from '../bin/commands/program.js'
import { environmentNames } from '../bin/connect/config.js'
import { configSchema } from '../schemas/config.js'
import { OWN_METRICS } from '../schemas/own-metrics.js'
import { pathsIn, SOURCE_FOLDERS } from './support/source-files.js'

const OWN = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md']
const documents = [
  ...OWN,
  ...['docs', 'bench', 'dashboards', 'test'].flatMap((folder) => pathsIn(folder, '.md')),
].map((path) => ({ path, text: readFileSync(path, 'utf8') }))
const sourceText = [...SOURCE_FOLDERS, 'deploy', 'test/support', '.ci']
  .flatMap((folder) => ['.ts', '.mjs', '.sh', '.yaml'].flatMap((extension) => pathsIn(folder, extension)))
  .concat('docker-compose.yml')
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n')
const readme = documents[0]!.text

/** Without code: what stands in it is no link and no heading. */
const prose = (text: string) =>
  text.replace(/^( *)(```|~~~)[\s\S]*?^\1\2.*$/gm, '').replace(/`[^`\n]*`/g, '``')
const withoutBlocks = (text: string) => text.replace(/^( *)(```|~~~)[\s\S]*?^\1\2.*$/gm, '')

/** Anchors as GitHub makes them of headings. */
function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>()
  const anchors = new Set<string>()
  for (const [, heading = ''] of withoutBlocks(text).matchAll(/^#{1,6} +(.*)$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const slug = plain.replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replace(/ /g, '-')
    const again = seen.get(slug) ?? 0
    seen.set(slug, again + 1)
    anchors.add(again === 0 ? slug : `${slug}-${again}`)
  }
  return anchors
}

describe('documents', () => {
  test('every relative link leads to a file, and every anchor to a heading', () => {
    const broken = documents.flatMap(({ path, text }) =>
      [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
        if (/^[a-z]+:/.test(target)) return []
        const [file = '', anchor] = target.split('#')
        const meant = file === '' ? path : posix.join(posix.dirname(path), file)
        if (!existsSync(meant)) return [`${path}: ${target} is not there`]
        if (anchor === undefined || !meant.endsWith('.md')) return []
        return anchorsOf(readFileSync(meant, 'utf8')).has(anchor)
          ? []
          : [`${path}: ${target} has no such heading`]
      }),
    )
    expect(broken).toEqual([])
  })

  test('a document that is named exists, in documents and in the texts of the program', () => {
    const named = [...documents, { path: 'the sources', text: sourceText }].flatMap(({ path, text }) =>
      [...text.matchAll(/(?<![\w/.-])docs\/[\w/-]+\.md/g)].map(([name]) => ({ path, name })),
    )
    expect(named.filter(({ name }) => !existsSync(name)).map(({ path, name }) => `${path}: ${name}`)).toEqual(
      [],
    )
  })

  test('every picture has a text and at most 150 KB', () => {
    const pictures = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/!\[([^\]]*)\]\(([^)]+)\)/g)].map(([, words = '', file = '']) => ({
        path,
        words,
        file,
      })),
    )
    expect(pictures.length).toBeGreaterThan(0)
    for (const { path, words, file } of pictures) {
      expect(words.length, `${path}: ${file}`).toBeGreaterThan(20)
      expect(statSync(posix.join(posix.dirname(path), file)).size, file).toBeLessThanOrEqual(150_000)
    }
  })

  test('docs/README.md lists every document of docs', () => {
    const index = documents.find(({ path }) => path === 'docs/README.md')!.text
    const listed = [...index.matchAll(/\]\(([\w/.-]+)\)/g)].map(([, target = '']) =>
      posix.join('docs', target),
    )
    const missing = pathsIn('docs', '.md').filter(
      (path) => path !== 'docs/README.md' && !listed.includes(path) && !path.startsWith('docs/adr/'),
    )
    expect(missing).toEqual([])
  })
})

test('every page about an agent says first whether it was tried, and what was tried a test reads', () => {
  const snippets = readFileSync('test/pipeline/agent-snippets.test.ts', 'utf8')
  for (const { path, text } of documents) {
    if (!path.startsWith('docs/agents/') || path.endsWith('/README.md')) continue
    const [, , first = ''] = text.split('\n')
    expect(first, path).toMatch(/^\*(Tried|From its documentation, not tried here)\*: /)
    if (first.startsWith('*Tried')) expect(snippets, path).toContain(`'${posix.basename(path)}'`)
  }
})

/** A line of a shell, put together where it is continued; what stands in a code span is one too. */
function commandLines(text: string): string[] {
  const blocks = [...text.matchAll(/^( *)```(?!yaml|json|kamailio|xml|sql)[a-z]*\n([\s\S]*?)^\1```$/gm)].map(
    ([, , block = '']) => block,
  )
  const indented = [...withoutBlocks(text).matchAll(/^ {4}(\S.*)$/gm)].map(([, line = '']) => line)
  const spans = [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
  return [...blocks.flatMap((block) => block.replace(/\\\n/g, ' ').split('\n')), ...indented, ...spans]
}

describe('commands', () => {
  const program = buildProgram({} as Runners, { out: () => {}, err: () => {} })
  const named = (parent: Command, word: string | undefined) =>
    parent.commands.find((command) => command.name() === word)

  /** What is wrong with a line that starts Trunkscope; undefined when nothing is. */
  function mistake(line: string): string | undefined {
    const start = /(?:^|[\s(])(?:npx |sudo -u \S+ )?(?:trunkscope|\S+\/trunkscope\.js) +([^|#;&)]*)/.exec(
      line,
    )
    if (start === null) return undefined
    const words = start[1]!.trim().split(/\s+/)
    let command: Command = program
    for (let found = named(command, words[0]); found !== undefined; found = named(command, words[0])) {
      command = found
      words.shift()
    }
    if (command === program && !words[0]?.startsWith('-')) {
      // The name of the project in a sentence, or of a folder, is no command line.
      return /^\s*(npx )?trunkscope [a-z]/.test(line) ? `no command ${words[0]}` : undefined
    }
    const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short])
    const unknown = words
      .map((word) => word.replace(/[=`,.:].*$/, ''))
      .filter(
        (word) => /^-{1,2}[a-z]/i.test(word) && !known.includes(word) && !['--help', '-h'].includes(word),
      )
    return unknown.length === 0 ? undefined : `${command.name()} has no ${unknown.join(', ')}`
  }

  test('every command and option that a document names is there', () => {
    const lines = documents.flatMap(({ path, text }) => commandLines(text).map((line) => ({ path, line })))
    expect(lines.filter(({ line }) => /trunkscope (start|replay|doctor)/.test(line)).length).toBeGreaterThan(
      20,
    )
    const wrong = lines.flatMap(({ path, line }) => {
      const what = mistake(line)
      return what === undefined ? [] : [`${path}: ${what} (${line.trim()})`]
    })
    expect(wrong).toEqual([])
  })

  test('a wrong option in a line is found', () => {
    expect(mistake('npx trunkscope replay x.pcap --dat ./y')).toBe('replay has no --dat')
    expect(mistake('trunkscope alerts test --sink a --nothing')).toBe('test has no --nothing')
    expect(mistake('trunkscope fly')).toBe('no command fly')
  })

  test('every variable and error code that a document names is there', () => {
    const known = new Set([
      'TRUNKSCOPE_GRAFANA_TOKEN', // Of a Grafana that the reader has.
      ...environmentNames().map(({ name }) => name),
      ...program.commands.flatMap(({ options }) => options.flatMap(({ envVar }) => envVar ?? [])),
    ])
    const wrong = documents
      .filter(({ path }) => path !== 'CHANGELOG.md')
      .flatMap(({ path, text }) =>
        [...text.matchAll(/\bTRUNKSCOPE_[A-Z0-9_]*[A-Z0-9]\b/g)]
          .filter(([name]) => !known.has(name) && !sourceText.includes(name))
          .map(([name]) => `${path}: ${name}`),
      )
    expect(wrong).toEqual([])
  })

  test('every metric, user and series that a document names is there', () => {
    const declared = new Set(OWN_METRICS.map(({ name }) => name))
    const wrong = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/\btrunkscope_[a-z0-9_]*[a-z0-9]\b/g)]
        .filter(([name]) =>
          /_(total|seconds|bytes|ratio|agents|verdict|ready|failing|leader|minutes)$/.test(name),
        )
        .filter(([name]) => !declared.has(name) && !sourceText.includes(name))
        .map(([name]) => `${path}: ${name}`),
    )
    expect(wrong).toEqual([])
  })
})

describe('configuration and api', () => {
  const routes = routesOfTheApi()
  const tables = new Set(Object.keys(configSchema.shape))

  test('every piece of trunkscope.yaml in a document is valid', () => {
    const pieces = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, yaml = '']) => ({
        path,
        yaml,
        piece: parse(yaml),
      })),
    )
    const ours = pieces.filter(({ piece }) => Object.keys(piece).every((key) => tables.has(key)))
    expect(ours.length).toBeGreaterThan(15)
    const wrong = ours.flatMap(({ path, yaml, piece }) => {
      const { error } = configSchema.safeParse(piece)
      return error === undefined ? [] : [`${path}: ${z.prettifyError(error)} in\n${yaml}`]
    })
    expect(wrong).toEqual([])
  })

  test('every route that a document names is there', () => {
    const matchers = [...routes].map((route) => new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`))
    const wrong = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/(?<![\w/])(?:https?:\/\/[\w.:-]+)?(\/v1\/[\w{}:/.…-]*)/g)]
        .map(([, route = '']) => route.replace(/[.:]+$/, ''))
        .filter((route) => !/[…/]$/.test(route) && !matchers.some((matcher) => matcher.test(route)))
        .map((route) => `${path}: ${route}`),
    )
    expect(wrong).toEqual([])
  })
})

/** As `/v1/attempts/{id}`. */
function routesOfTheApi(): Set<string> {
  const routes = new Set(
    pathsIn('api/routes', '.ts')
      .flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/[`'](\/v1\/[\w/:.-]+)[`']/g)])
      .map(([, route = '']) => route.replace(/:(\w+)/g, '{$1}')),
  )
  // Both exports of a call are made by one function, which puts the name behind the path.
  for (const name of ['pcap', 'messages.txt']) {
    if (!readFileSync('api/routes/call-exports.ts', 'utf8').includes(name))
      throw new Error(`no export ${name}`)
    routes.add(`/v1/attempts/{id}/${name}`)
  }
  return routes
}

interface JsonSchema {
  properties?: Record<string, JsonSchema>
  items?: JsonSchema
  anyOf?: JsonSchema[]
}

/** Paths of keys, as the README writes them: `carriers[].targets`, `retention.raw_days`. */
function keysOf(schema: JsonSchema, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, below]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    return [path, ...keysOf(below, path), ...keysOf(below.items ?? {}, `${path}[]`)]
  })
}

describe('README', () => {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  const keys = keysOf(schema)

  /** The first column of the table of the configuration; `.name` continues the path before it. */
  const written = [...section('Configuration').matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) => {
    let parent = ''
    return [...cell.matchAll(/`([^`]+)`/g)].map(([, key = '']) => {
      const path = key.startsWith('.') ? parent + key : key
      parent = path.slice(0, Math.max(0, path.lastIndexOf('.')))
      return path
    })
  })

  test('every key of its table exists', () => {
    expect(written.length).toBeGreaterThan(30)
    expect(written.filter((key) => !keys.includes(key))).toEqual([])
  })

  test('its table has every block, and every key of the blocks that no other document lists', () => {
    const blocks = keys.filter((key) => !/[.[]/.test(key))
    const inFull = keys.filter((key) =>
      /^(thresholds|calls|retention|audit|spool|capture|identity|carriers\[\])\.[a-z0-9_]+$/.test(key),
    )
    // What the example has needs no row.
    const shown = ['carriers[].id', 'carriers[].name', 'carriers[].peers']
    const missing = [...blocks, ...inFull].filter(
      (key) =>
        !shown.includes(key) &&
        !written.some((one) => one === key || one.startsWith(`${key}.`) || one.startsWith(`${key}[`)),
    )
    expect(missing).toEqual([])
  })

  test('its list of routes is that of the api, no more and no fewer', () => {
    const listed = [...section('API').matchAll(/`(\/v1\/[^`]+)`/g)].map(([, route = '']) => route)
    expect(listed.sort()).toEqual([...routesOfTheApi()].sort())
  })

  test('it asks for every Debian package that CI installs for the tests', () => {
    const programs = /^PROGRAMS=\(([^)]*)\)/m.exec(readFileSync('.ci/run', 'utf8'))![1]!
    const packages = [...programs.matchAll(/=([a-z][a-z-]+)/g)].map(([, name = '']) => name)
    const installed = new Set(section('Contributing').split(/[\s`()]+/))
    // Part of another package that is listed, or of every Debian.
    const implied = ['wireshark-common', 'util-linux']
    expect([...new Set(packages)].filter((name) => !installed.has(name) && !implied.includes(name))).toEqual(
      [],
    )
  })
})

function section(heading: string): string {
  const text = readme.split(new RegExp(`^## ${heading}$`, 'm'))[1]
  if (text === undefined) throw new Error(`README.md has no section ${heading}`)
  return text.split(/^## /m)[0]!
}
