/**
 * Tests that need a program which npm does not bring (kamailio, sipp, chromium, …).
 *
 *   const test = needs('kamailio', 'sipp')
 *   test('the lab runs live', async () => { … })
 *
 * Where a program is missing the test is reported as "not run: needs kamailio", never as passed; with
 * TRUNKSCOPE_REQUIRE_ALL=1, as in CI, it fails instead. `missingPrograms` is for hooks that would start one.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type TestContext, test } from 'vitest'

/** Where Debian puts servers; not on everybody's path. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** The program's path, or undefined. */
export function programPath(name: string): string | undefined {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
    ...SYSTEM_FOLDERS,
  ]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

export function missingPrograms(...names: string[]): string[] {
  return names.filter((name) => programPath(name) === undefined)
}

export type TestFunction = (name: string, run: (context: TestContext) => unknown, timeoutMs?: number) => void

/** `test`, or one that says why it did not run. */
export function needs(...names: string[]): TestFunction {
  return needsAll(missingPrograms(...names))
}

/** The same for needs of any kind: the unmet ones, in words ("root", "kamailio"). */
export function needsAll(unmet: readonly string[]): TestFunction {
  if (unmet.length === 0) return (name, run, timeoutMs) => test(name, run, timeoutMs)
  const reason = `not run: needs ${unmet.join(' and ')}`
  return (name) =>
    test(name, ({ skip }) => {
      if (process.env.TRUNKSCOPE_REQUIRE_ALL === '1') {
        throw new Error(`${reason}, and TRUNKSCOPE_REQUIRE_ALL=1 makes that a failure`)
      }
      skip(reason)
    })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
