/**
 * What is wrong with the shape of a configuration, in the operator's words: an unknown key, a missing one, a value of
 * the wrong kind or out of bounds. Read from the schema (`schemas/config.ts`) by zod; this file finds the words.
 */
import { z } from 'zod'
import { configSchema } from '../../schemas/config.js'
import { type ConfigPath, pathText } from './config-text.js'
import { nearest } from './nearest.js'

export type ConfigMistakeCode =
  | 'TRUNKSCOPE_CONFIG_UNREADABLE'
  | 'TRUNKSCOPE_CONFIG_SYNTAX'
  | 'TRUNKSCOPE_CONFIG_UNKNOWN_KEY'
  | 'TRUNKSCOPE_CONFIG_MISSING_KEY'
  | 'TRUNKSCOPE_CONFIG_BAD_VALUE'
  | 'TRUNKSCOPE_CONFIG_DUPLICATE'
  | 'TRUNKSCOPE_CONFIG_UNKNOWN_SITE'
  | 'TRUNKSCOPE_CONFIG_UNKNOWN_CARRIER'
  | 'TRUNKSCOPE_CONFIG_AMBIGUOUS_ADDRESS'

export interface Mistake {
  code: ConfigMistakeCode
  path: ConfigPath
  /** The mistake is the last key of the path itself, not its value. */
  atKey?: boolean
  /** The path somebody most likely meant. */
  meant?: string
  /** What is wrong, and what to write instead. */
  problem: string
}

/** The part of JSON Schema that zod's own conversion uses for our schema. */
export interface SchemaNode {
  type?: string
  properties?: Record<string, SchemaNode>
  items?: SchemaNode
  anyOf?: SchemaNode[]
  enum?: string[]
}

export const CONFIG_SHAPE = z.toJSONSchema(configSchema, { io: 'input' }) as SchemaNode

/** Keys of earlier versions, and what stands in their place. */
export const REPLACED_KEYS: Readonly<Record<string, string>> = {
  api_tokens:
    'is replaced by tokens, which hold the SHA-256 of a token, a role and an expiry; make each with: trunkscope token ' +
    '--id grafana --role viewer, and write the lines it prints under tokens',
  api_tokens_file:
    'is replaced by tokens_file, a YAML list of tokens (id, sha256, role); make each with: trunkscope token --id grafana ' +
    '--role viewer, and write the lines it prints into that file',
}

/** Secrets, and what a secret is easily written in the place of: no message repeats these values. */
function isSecret(path: ConfigPath): boolean {
  return path[0] === 'agent_key' || path.at(-1) === 'sha256'
}

export function shapeMistakes(data: unknown): Mistake[] {
  const result = configSchema.safeParse(data)
  if (result.success) return []
  const mistakes = result.error.issues.flatMap((issue) => mistakesOf(issue, [], data))
  // `peer:` for `peers:` is one mistake, not an unknown key and a missing one.
  const meant = new Set(mistakes.map((mistake) => mistake.meant))
  return mistakes.filter(
    ({ code, path }) => code !== 'TRUNKSCOPE_CONFIG_MISSING_KEY' || !meant.has(pathText(path)),
  )
}

type Issue = z.core.$ZodIssue

function mistakesOf(issue: Issue, base: ConfigPath, data: unknown): Mistake[] {
  const path = [...base, ...(issue.path as (string | number)[])]
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key))
  if (issue.code === 'invalid_union') {
    // A peer is a CIDR or a block: judge it as what it looks like.
    const isBlock = typeof valueAt(data, path) === 'object'
    const branch =
      issue.errors.find((errors) => isBlock !== errors.some(refusesBlocks)) ?? issue.errors[0] ?? []
    return branch.flatMap((inner) => mistakesOf(inner, path, data))
  }
  if (issue.code === 'invalid_type' && valueAt(data, path) === undefined) return [missingKey(path)]
  return [{ code: 'TRUNKSCOPE_CONFIG_BAD_VALUE', path, problem: badValue(issue, path, valueAt(data, path)) }]
}

function refusesBlocks(issue: Issue): boolean {
  return issue.code === 'invalid_type' && issue.path.length === 0 && issue.expected === 'string'
}

function unknownKey(path: ConfigPath, key: string): Mistake {
  const replaced = path.length === 0 ? REPLACED_KEYS[key] : undefined
  if (replaced !== undefined)
    return { code: 'TRUNKSCOPE_CONFIG_UNKNOWN_KEY', path: [key], atKey: true, problem: replaced }
  const known = Object.keys(nodeAt(path)?.properties ?? {})
  const meant = nearest(key, known)
  return {
    code: 'TRUNKSCOPE_CONFIG_UNKNOWN_KEY',
    path: [...path, key],
    atKey: true,
    ...(meant === undefined ? {} : { meant: pathText([...path, meant]) }),
    problem:
      meant === undefined
        ? `is not a key here; known here are ${known.join(', ')}`
        : `is not a key here; did you mean ${meant}? (known here: ${known.join(', ')})`,
  }
}

const EXAMPLES = {
  id: 'alpha-telecom',
  peers: '[198.51.100.10/32]',
  cidr: '198.51.100.10/32',
  brokers: '[kafka-1.example:9092]',
  url: 'http://clickhouse.example:8123',
  sha256: '<what trunkscope token prints>',
  role: 'viewer',
}

const isFile = (key: string) => key.endsWith('_file')

function missingKey(path: ConfigPath): Mistake {
  const key = String(path.at(-1))
  const node = nodeAt(path)
  const example =
    EXAMPLES[key as keyof typeof EXAMPLES] ??
    (isFile(key) ? `/etc/trunkscope/${key.slice(0, -5)}.pem` : undefined)
  return {
    code: 'TRUNKSCOPE_CONFIG_MISSING_KEY',
    path,
    problem: `is missing; add ${key}: ${example ?? `<${kindOf(node)}>`}`,
  }
}

function badValue(issue: Issue, path: ConfigPath, value: unknown): string {
  const shown = shownValue(path, value)
  switch (issue.code) {
    case 'invalid_type':
      return `is ${shown}; ${wantedKind(nodeAt(path), path, value)}`
    case 'invalid_value': {
      const known = issue.values.map(String)
      const meant = nearest(String(value), known)
      return `is ${shown}; write ${meant === undefined ? known.join(' or ') : `${meant} (known: ${known.join(', ')})`}`
    }
    case 'too_small':
      return issue.origin === 'array'
        ? `is an empty list; write at least ${issue.minimum} entry, or remove the block`
        : issue.origin === 'string'
          ? tooShort(path, issue.minimum)
          : `is ${shown}; write ${issue.inclusive ? '' : 'more than '}${issue.minimum}${issue.inclusive ? ' or more' : ''}`
    case 'too_big':
      return `is ${shown}; write ${issue.maximum} or less`
    case 'invalid_format':
      return badFormat(issue, path, shown)
    default:
      return `${shown} ${issue.message}`
  }
}

function tooShort(path: ConfigPath, minimum: number | bigint): string {
  if (isSecret(path)) {
    return `is too short; write at least ${minimum} characters, for example ${SECRET_EXAMPLE}`
  }
  return `is empty; write ${isFile(keyOf(path)) ? 'the path of a file' : 'a text'}`
}

/** The schema says itself what to write, except where zod's own words stand. */
function badFormat(issue: Issue & { code: 'invalid_format' }, path: ConfigPath, shown: string): string {
  if (issue.format === 'url') return `is ${shown}; write a URL such as ${EXAMPLES.url}`
  if (isSecret(path)) return issue.message
  if (!issue.message.startsWith('Invalid ')) return `${shown} ${issue.message}`
  return `is ${shown}; write a ${keyOf(path)} that matches ${issue.pattern ?? issue.format}`
}

const SECRET_EXAMPLE = 'the output of: openssl rand -hex 32'

function wantedKind(node: SchemaNode | undefined, path: ConfigPath, value: unknown): string {
  const isNumber = typeof value === 'number' || typeof value === 'boolean'
  const key = keyOf(path)
  const plain = typeof value === 'string' || isNumber ? String(value) : undefined
  if (isSecret(path)) return node?.type === 'array' ? 'write a list' : 'write a text, in quotes'
  if (node?.type === 'string' && isNumber) return `write it in quotes: '${plain}'`
  if (node?.type === 'integer' && typeof value === 'string' && /^\d+$/.test(value)) {
    return `write it without quotes: ${value}`
  }
  if (node?.type === 'array' && plain !== undefined) {
    return node.items?.type === 'object'
      ? `write a list of blocks: ${key}: [{ id: ${plain} }]`
      : `write a list: ${key}: [${plain}]`
  }
  if (node?.type === 'array' && node.items?.type === 'object')
    return 'write a list of blocks, each beginning with "- id:"'
  return `write ${kindOf(node)}${unitOf(key)}`
}

function keyOf(path: ConfigPath): string {
  return String(path.findLast((step) => typeof step === 'string') ?? '')
}

const UNITS = {
  bytes: 'bytes',
  ms: 'milliseconds',
  s: 'seconds',
  hours: 'hours',
  days: 'days',
  months: 'months',
}

function unitOf(key: string): string {
  const unit = key.slice(key.lastIndexOf('_') + 1)
  const name = UNITS[unit as keyof typeof UNITS]
  return key.includes('_') && name !== undefined ? ` of ${name}` : ''
}

function kindOf(node: SchemaNode | undefined): string {
  if (node?.type === 'array') return 'a list'
  if (node?.type === 'boolean') return 'true or false'
  if (node?.type === 'integer') return 'a whole number'
  if (node?.type === 'number') return 'a number'
  if (node?.enum !== undefined) return node.enum.join(' or ')
  if (node?.type === 'string') return 'a text'
  if (node?.anyOf !== undefined) return 'a CIDR such as 198.51.100.10/32, or {cidr, port, site, direction}'
  return `a block with the keys ${Object.keys(node?.properties ?? {}).join(', ')}`
}

function shownValue(path: ConfigPath, value: unknown): string {
  if (isSecret(path)) return 'a secret of the wrong kind'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a block of keys'
  // An address may hold a password.
  const text = (JSON.stringify(value) ?? 'nothing').replace(/\/\/[^/?#]*@/g, '//…@')
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** The schema of what stands at the path. A union is read as the branch that is a block; `anyOf` stays beside it. */
export function nodeAt(path: ConfigPath): SchemaNode | undefined {
  let node: SchemaNode | undefined = CONFIG_SHAPE
  for (const step of path) {
    node = typeof step === 'number' ? node?.items : node?.properties?.[step]
    const block: SchemaNode | undefined = node?.anyOf?.find((branch) => branch.properties !== undefined)
    if (block !== undefined) node = { ...block, anyOf: node!.anyOf! }
  }
  return node
}

export function valueAt(data: unknown, path: ConfigPath): unknown {
  let value = data
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<string | number, unknown>)[step]
  }
  return value
}
