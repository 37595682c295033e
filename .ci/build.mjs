/**
 * Builds dist/: TypeScript, what stands beside it (SQL), and the command `trunkscope`.
 *
 *   node .ci/build.mjs              build
 *   node .ci/build.mjs --if-stale   build if a source is newer than the last build (npm start, npm run demo)
 *   node .ci/build.mjs --prepare    what `npm ci` runs: without TypeScript (npm ci --omit=dev) leave dist/ as it is
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const DIST = join(ROOT, 'dist')
const STAMP = join(DIST, 'built')
const COMMAND = join(DIST, 'bin', 'trunkscope.js')
const SOURCES = [
  'api',
  'bench',
  'bin',
  'collector',
  'dashboards',
  'evidence',
  'schemas',
  'sip',
  'test/support',
]
/** What the code reads at run time beside its own folder. */
const ASSETS = new Set(['.sql', '.css', '.svg', '.html'])

const flags = new Set(process.argv.slice(2))
if (flags.has('--if-stale') && !isStale()) process.exit(0)

const compiler = compilerPath()
if (compiler === undefined) {
  const hasBuild = existsSync(COMMAND)
  if (hasBuild) linkCommand()
  if (flags.has('--prepare')) {
    process.stdout.write(
      `TypeScript is not installed: ${hasBuild ? 'dist/ stays as it is' : 'nothing was built'}\n`,
    )
    process.exit(0)
  }
  process.stderr.write('TypeScript is not installed; run: npm ci\n')
  process.exit(1)
}

const compiled = spawnSync(process.execPath, [compiler, '-p', join(ROOT, 'tsconfig.json')], {
  stdio: 'inherit',
})
if (compiled.status !== 0) {
  process.stderr.write('the build failed: TypeScript found the mistakes above\n')
  process.exit(1)
}
removeOrphans()
for (const source of SOURCES) for (const file of filesIn(join(ROOT, source))) copyAsset(file)
chmodSync(COMMAND, 0o755)
linkCommand()
writeFileSync(STAMP, '')

function compilerPath() {
  try {
    return createRequire(import.meta.url).resolve('typescript/bin/tsc')
  } catch {
    return undefined
  }
}

function isStale() {
  if (!existsSync(STAMP) || !existsSync(COMMAND)) return true
  const builtMs = statSync(STAMP).mtimeMs
  const files = [join(ROOT, 'tsconfig.json'), ...SOURCES.flatMap((source) => filesIn(join(ROOT, source)))]
  return files.some((file) => statSync(file).mtimeMs > builtMs)
}

function copyAsset(file) {
  if (!ASSETS.has(extname(file))) return
  const target = join(DIST, relative(ROOT, file))
  mkdirSync(dirname(target), { recursive: true })
  copyFileSync(file, target)
}

/** A source that is gone must not live on in dist/, where a migration or a test would still find it. */
function removeOrphans() {
  for (const file of filesIn(DIST)) {
    if (file === STAMP) continue
    const path = relative(DIST, file)
    const source = join(ROOT, path.replace(/\.js(\.map)?$/, '.ts'))
    if (!existsSync(source)) rmSync(file)
  }
}

/** npm links the commands of dependencies, not those of the project itself: `npx trunkscope` in a clone needs this. */
function linkCommand() {
  const folder = join(ROOT, 'node_modules', '.bin')
  if (!existsSync(folder) || process.platform === 'win32') return
  const link = join(folder, 'trunkscope')
  rmSync(link, { force: true })
  symlinkSync(relative(folder, COMMAND), link)
}

function filesIn(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
