/**
 * Reads trunkscope.yaml: who is who on the wire, secrets, bounds.
 *
 * Takes    the path of a YAML or JSON file (undefined: no file, everything has its default) and the environment. A
 *          variable overrides the file: the path of the key in capitals, `spool.size_max_bytes` as
 *          TRUNKSCOPE_SPOOL_SIZE_MAX_BYTES. Lists of plain values are written with commas, other lists as YAML or JSON.
 * Returns  the checked configuration, defaults filled in.
 * Throws   ConfigError with every mistake there is; each names its line, the key, what is wrong and what to write.
 *
 * Top-level keys that nobody knows are errors in YAML. In a .json file they are left out with a note: captures come with
 * a .json beside them that holds the network and other things about the capture.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { configSchema, type TrunkscopeConfig } from '../../schemas/config.js'
import { senseMistakes } from './config-sense.js'
import {
  CONFIG_SHAPE,
  type ConfigMistakeCode,
  type Mistake,
  nodeAt,
  REPLACED_KEYS,
  type SchemaNode,
  shapeMistakes,
  valueAt,
} from './config-shape.js'
import { type ConfigPath, type ConfigText, pathText, readConfigText } from './config-text.js'
import { nearest } from './nearest.js'
import { withSecretFiles } from './secret-files.js'

export interface ConfigMistake {
  code: ConfigMistakeCode
  /** "trunkscope.yaml:12" or "environment TRUNKSCOPE_AGENT_KEY". */
  where: string
  /** "carriers[1].peers[0]", '' for the file as a whole. */
  path: string
  problem: string
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** The code of the only mistake, TRUNKSCOPE_CONFIG_INVALID when there are several kinds. */
  readonly code: string

  constructor(
    file: string,
    readonly mistakes: readonly ConfigMistake[],
    options?: { cause?: unknown },
  ) {
    const lines = mistakes.map(
      ({ where, path, problem }) => `${where}: ${path === '' ? '' : `${path}: `}${problem}`,
    )
    super(
      lines.length === 1 ? lines[0] : [`${file} has ${lines.length} mistakes:`, ...lines].join('\n  '),
      options,
    )
    const codes = new Set(mistakes.map(({ code }) => code))
    this.code = codes.size === 1 ? mistakes[0]!.code : 'TRUNKSCOPE_CONFIG_INVALID'
  }
}

type Environment = Readonly<Record<string, string | undefined>>

export function readConfig(
  path: string | undefined,
  env: Environment = process.env,
  note: (text: string) => void = (text) => process.stderr.write(`note: ${text}\n`),
): TrunkscopeConfig {
  const file = path ?? 'the environment'
  const text = path === undefined ? EMPTY : readText(path)
  let data: unknown = text.data ?? {}
  if (typeof data !== 'object' || Array.isArray(data)) {
    throw new ConfigError(file, [
      {
        code: 'TRUNKSCOPE_CONFIG_BAD_VALUE',
        where: `${file}:1`,
        path: '',
        problem: `is not a block of keys; write keys such as ${Object.keys(CONFIG_SHAPE.properties!).join(', ')}`,
      },
    ])
  }
  if (path?.toLowerCase().endsWith('.json'))
    data = withoutForeignKeys(data as Record<string, unknown>, path, note)

  const overrides = environmentOverrides(env)
  for (const { path: key, value } of overrides) data = withValue(data as Record<string, unknown>, key, value)

  const mistakes = [
    ...overrides.flatMap(({ mistake }) => mistake ?? []),
    ...shapeMistakes(data),
    ...senseMistakes(data),
  ]
  if (mistakes.length === 0) return withSecretFiles(configSchema.parse(data))

  const located = mistakes
    .map((mistake) => locate(mistake, file, text, overrides))
    .sort((a, b) => a.line - b.line)
    .map(({ mistake }) => mistake)
  throw new ConfigError(file, located)
}

const EMPTY: ConfigText = { data: {}, lineOf: () => 1 }

function readText(path: string): ConfigText {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    const problem =
      code === 'ENOENT'
        ? 'there is no such file; check the path given with --config, or leave the option out to run without a file'
        : code === 'EISDIR'
          ? 'this is a folder; name the file in it, for example trunkscope.yaml'
          : `cannot be read (${code ?? (cause as Error).message}); let the user that runs Trunkscope read it`
    throw new ConfigError(path, [{ code: 'TRUNKSCOPE_CONFIG_UNREADABLE', where: path, path: '', problem }], {
      cause,
    })
  }
  const text = readConfigText(content)
  if ('data' in text) return text
  throw new ConfigError(
    path,
    text.mistakes.map(({ line, problem }) => ({
      code: 'TRUNKSCOPE_CONFIG_SYNTAX' as const,
      where: `${path}:${line}`,
      path: '',
      problem: `is not YAML: ${problem}`,
    })),
  )
}

function withoutForeignKeys(
  data: Record<string, unknown>,
  path: string,
  note: (text: string) => void,
): Record<string, unknown> {
  const known = Object.keys(CONFIG_SHAPE.properties!)
  const foreign = Object.keys(data).filter((key) => !known.includes(key) && !(key in REPLACED_KEYS))
  if (foreign.length === 0) return data
  const named = foreign.map((key) => {
    const meant = nearest(
      key,
      known.filter((candidate) => !(candidate in data)),
    )
    return meant === undefined ? key : `${key} (did you mean ${meant}?)`
  })
  note(`${path}: left out what is not configuration: ${named.join(', ')}`)
  return Object.fromEntries(Object.entries(data).filter(([key]) => !foreign.includes(key)))
}

interface Override {
  name: string
  path: ConfigPath
  value: unknown
  mistake?: Mistake
}

/** Every key that a variable can set, with the variable's name. */
export function environmentNames(): { name: string; path: ConfigPath }[] {
  const leaves = (node: SchemaNode, path: ConfigPath): ConfigPath[] =>
    node.properties === undefined
      ? [path]
      : Object.entries(node.properties).flatMap(([key, inner]) => leaves(inner, [...path, key]))
  return leaves(CONFIG_SHAPE, []).map((path) => ({ name: variableOf(path), path }))
}

const variableOf = (path: ConfigPath) => `TRUNKSCOPE_${path.join('_').toUpperCase()}`

function environmentOverrides(env: Environment): Override[] {
  const replaced = Object.keys(REPLACED_KEYS).map((key) => ({ name: variableOf([key]), path: [key] }))
  return [...environmentNames(), ...replaced].flatMap(({ name, path }) => {
    const text = env[name]
    if (text === undefined) return []
    const node = nodeAt(path)
    // An empty secret is a mistake to be told; any other empty variable is one that was never filled in.
    if (text === '' && path[0] !== 'agent_key') return []
    return [{ name, path, ...valueOfText(text, node, path) }]
  })
}

function valueOfText(
  text: string,
  node: SchemaNode | undefined,
  path: ConfigPath,
): Pick<Override, 'value' | 'mistake'> {
  if (node?.type === 'integer' || node?.type === 'number') return { value: numberOrText(text) }
  if (node?.type === 'boolean') return { value: text === 'true' ? true : text === 'false' ? false : text }
  if (node?.type !== 'array') return { value: text }
  // [::1]:9092 is no list: a list ends in a bracket, too.
  if (node.items?.type === 'object' || /^\s*\[.*\]\s*$/s.test(text)) {
    try {
      return { value: parse(text) }
    } catch (error) {
      const problem = `is not YAML: ${(error as Error).message.split('\n')[0]}; write a list such as [{ id: dal }]`
      return { value: [], mistake: { code: 'TRUNKSCOPE_CONFIG_SYNTAX', path, problem } }
    }
  }
  const values = text.split(',').map((part) => part.trim())
  return { value: node.items?.type === 'string' ? values : values.map(numberOrText) }
}

function numberOrText(text: string): number | string {
  return /^\s*-?\d+(\.\d+)?\s*$/.test(text) ? Number(text) : text
}

function withValue(data: Record<string, unknown>, path: ConfigPath, value: unknown): Record<string, unknown> {
  const [first, ...rest] = path as readonly string[]
  if (rest.length === 0) return { ...data, [first!]: value }
  const inner = data[first!]
  const block = typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? inner : {}
  return { ...data, [first!]: withValue(block as Record<string, unknown>, rest, value) }
}

function locate(
  mistake: Mistake,
  file: string,
  text: ConfigText,
  overrides: readonly Override[],
): { line: number; mistake: ConfigMistake } {
  const override =
    overrides.find(({ path }) => path.every((step, index) => mistake.path[index] === step)) ??
    overrideBeside(mistake, text, overrides)
  const line = override === undefined ? text.lineOf(mistake.path, mistake.atKey) : 0
  const isMissing = override !== undefined && mistake.code === 'TRUNKSCOPE_CONFIG_MISSING_KEY'
  return {
    line,
    mistake: {
      code: mistake.code,
      where: override === undefined ? `${file}:${line}` : `environment ${override.name}`,
      path: pathText(mistake.path),
      problem: isMissing ? `${mistake.problem}, or set ${variableOf(mistake.path)}` : mistake.problem,
    },
  }
}

/** A block that only variables have begun has no line: the variable that began it stands for what is missing in it. */
function overrideBeside(mistake: Mistake, text: ConfigText, overrides: readonly Override[]) {
  const block = mistake.path.slice(0, -1)
  const isMissing = mistake.code === 'TRUNKSCOPE_CONFIG_MISSING_KEY' && block.length > 0
  if (!isMissing || valueAt(text.data, block) !== undefined) return undefined
  return overrides.find(({ path }) => block.every((step, index) => path[index] === step))
}
