/**
 * What an installation brings may be given on under Apache-2.0. Reads the lock file for what is installed without the
 * development dependencies, and each package's own package.json for its licence.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sourceFiles } from './support/source-files.js'

const ALLOWED = new Set([
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'Unlicense',
  'CC0-1.0',
])

/** MPL-2.0 and the like, after somebody looked: package name to the reason. None so far. */
const LOOKED_AT: Readonly<Record<string, string>> = {}

interface LockedPackage {
  version?: string
  dev?: boolean
  license?: string
  optionalDependencies?: Record<string, string>
}

const locked = Object.entries(
  (JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockedPackage> })
    .packages,
).filter(([path]) => path !== '')
const atRunTime = locked.filter(([, { dev }]) => dev !== true)

describe('licences', () => {
  test('every run-time package is under a licence of the list, and none is without one', () => {
    const wrong = atRunTime.flatMap(([path, { license }]) => {
      const name = nameOf(path)
      return refused(
        name,
        licenceIn(path) ?? license ?? licenceOfSibling(name) ?? 'neither installed nor told',
      )
    })
    expect(wrong).toEqual([])
  })

  test('there are run-time packages to look at', () => {
    expect(atRunTime.map(([path]) => nameOf(path))).toEqual(
      expect.arrayContaining(['fastify', 'zod', 'commander']),
    )
  })

  test('what may only be run beside us is a development dependency, and no source imports it', () => {
    const beside = ['hep-js']
    expect(atRunTime.map(([path]) => nameOf(path)).filter((name) => beside.includes(name))).toEqual([])
    const imported = sourceFiles(
      'api',
      'bench',
      'bin',
      'collector',
      'dashboards',
      'evidence',
      'schemas',
      'sip',
      'test',
    )
      .filter(({ imports }) => imports.some((module) => beside.includes(module)))
      .map(({ path }) => path)
    expect(imported).toEqual([])
  })

  test('a licence expression counts by its parts: one of OR, all of AND', () => {
    expect(isAllowed('(MIT OR GPL-2.0-only)')).toBe(true)
    expect(isAllowed('MIT AND GPL-2.0-only')).toBe(false)
    expect(isAllowed('MIT AND (BSD-3-Clause OR AGPL-3.0-only)')).toBe(true)
    for (const text of [
      'GPL-2.0',
      'AGPL-3.0-only',
      'SEE LICENSE IN LICENSE.txt',
      'UNLICENSED',
      '',
      'MIT OR',
    ]) {
      expect(isAllowed(text), text).toBe(false)
    }
  })
})

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}

function refused(name: string, licence: string): string[] {
  if (name in LOOKED_AT || isAllowed(licence)) return []
  return [`${name}: ${licence === '' ? 'no licence' : licence}`]
}

function licenceIn(path: string): string | undefined {
  const manifest = join(path, 'package.json')
  return existsSync(manifest) ? licenceOf(JSON.parse(readFileSync(manifest, 'utf8'))) : undefined
}

/** A prebuilt part for another platform is locked but not installed here: the part for this platform speaks for it. */
function licenceOfSibling(name: string): string | undefined {
  const parts = locked.flatMap(([, { optionalDependencies = {} }]) =>
    name in optionalDependencies ? Object.keys(optionalDependencies) : [],
  )
  return parts.map((part) => licenceIn(`node_modules/${part}`)).find((licence) => licence !== undefined)
}

/** The field as it is written today, and in its two older forms. */
function licenceOf(manifest: { license?: unknown; licenses?: unknown }): string {
  const one = (value: unknown): string =>
    typeof value === 'string' ? value : String((value as { type?: unknown } | null)?.type ?? '')
  if (manifest.license !== undefined) return one(manifest.license)
  return Array.isArray(manifest.licenses) ? manifest.licenses.map(one).join(' OR ') : ''
}

/** SPDX expressions: names, AND, OR, parentheses; AND binds tighter. Anything else is not allowed. */
function isAllowed(expression: string): boolean {
  const words = expression.match(/[()]|[^\s()]+/g) ?? []
  let at = 0
  const either = (): boolean => {
    let allowed = both()
    while (words[at] === 'OR') {
      at++
      allowed = both() || allowed
    }
    return allowed
  }
  const both = (): boolean => {
    let allowed = single()
    while (words[at] === 'AND') {
      at++
      allowed = single() && allowed
    }
    return allowed
  }
  const single = (): boolean => {
    const word = words[at++]
    if (word !== '(') return word !== undefined && ALLOWED.has(word)
    const allowed = either()
    return words[at++] === ')' && allowed
  }
  const allowed = either()
  return allowed && at === words.length
}
