/**
 * Secrets that stand in files of their own: one secret a line, empty lines and the white space around them do not count.
 * The file of the tokens is a YAML list of what would stand under `tokens`.
 *
 * Throws   TRUNKSCOPE_CONFIG_SECRET_FILE when a file cannot be read, is empty, or holds what it should not: a secret that is
 *          too short, a token with a mistake. No secret is repeated.
 */
import { readFileSync } from 'node:fs'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { type Token, tokenSchema } from '../../schemas/tokens.js'
import { senseMistakes } from './config-sense.js'
import { shapeMistakes } from './config-shape.js'
import { type ConfigPath, pathText, readConfigText } from './config-text.js'

const AGENT_KEY_MIN_CHARS = 8

/** The configuration with what its secret files hold in the places where it would stand otherwise. */
export function withSecretFiles(config: TrunkscopeConfig): TrunkscopeConfig {
  const { agent_key_file, tokens_file } = config
  const key =
    agent_key_file === undefined
      ? config.agent_key
      : secretsOf(agent_key_file, 'agent_key_file', AGENT_KEY_MIN_CHARS)[0]
  return {
    ...config,
    tokens: [...config.tokens, ...(tokens_file === undefined ? [] : tokensOf(tokens_file, config))],
    ...(key === undefined ? {} : { agent_key: key }),
  }
}

/** Judged as if they stood in the configuration, behind the tokens that do: ids and digests stand once in both together. */
function tokensOf(path: string, config: TrunkscopeConfig): Token[] {
  const make =
    'make a token with: trunkscope token --id grafana --role viewer, and write the lines it prints into it'
  const text = readConfigText(contentOf(path, 'tokens_file', make))
  if ('mistakes' in text) {
    const [{ line, problem } = { line: 1, problem: '' }] = text.mistakes
    throw secretError(`tokens_file: ${path}:${line} is not YAML: ${problem}`)
  }
  const list = text.data
  if (!Array.isArray(list) || list.length === 0) {
    throw secretError(`tokens_file: ${path} is no list of tokens; ${make}`)
  }
  const known = { carriers: config.carriers, tokens: config.tokens }
  const found = [
    ...shapeMistakes({ tokens: list }),
    ...senseMistakes({ ...known, tokens: [...config.tokens, ...list] }).map((mistake) => ({
      ...mistake,
      path: withIndexLess(mistake.path, config.tokens.length),
    })),
  ].filter(({ path }) => path[0] === 'tokens')
  if (found.length === 0) return list.map((token) => tokenSchema.parse(token))
  const lines = found.map(
    (mistake) =>
      `${path}:${text.lineOf(mistake.path.slice(1))}: ${pathText(mistake.path)}: ${mistake.problem}`,
  )
  throw secretError(`tokens_file: ${lines.join('\n  ')}`)
}

/** tokens[3].id of both together is tokens[1].id of the file, where the configuration holds two. */
function withIndexLess(path: ConfigPath, by: number): ConfigPath {
  const [key, index, ...rest] = path
  return typeof index === 'number' ? [key!, index - by, ...rest] : path
}

function contentOf(path: string, key: string, make: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw secretError(
      `${key}: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code}); let the user that runs Trunkscope read it, ` +
        `or ${make}`,
      cause,
    )
  }
}

export function secretsOf(path: string, key: string, charsMin: number): string[] {
  const text = contentOf(path, key, `make one with: openssl rand -hex 32 > ${path}`)
  const secrets = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (secrets.length === 0)
    throw secretError(`${key}: ${path} is empty; make one with: openssl rand -hex 32 > ${path}`)
  const short = secrets.findIndex((secret) => secret.length < charsMin)
  if (short >= 0)
    throw secretError(
      `${key}: secret ${short + 1} of ${path} is shorter than ${charsMin} characters; make it longer`,
    )
  return secrets
}

function secretError(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: 'TRUNKSCOPE_CONFIG_SECRET_FILE' })
}
