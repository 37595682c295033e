/**
 * Secrets that stand in files of their own: one secret a line, empty lines and the white space around them do not count.
 *
 * Throws   TRUNKSCOPE_CONFIG_SECRET_FILE when a file cannot be read, is empty, or a secret in it is too short. No text of it
 *          is repeated.
 */
import { readFileSync } from 'node:fs'
import type { TrunkscopeConfig } from '../../schemas/config.js'

const TOKEN_MIN_CHARS = 32
const AGENT_KEY_MIN_CHARS = 8

/** The configuration with what its secret files hold in the places where it would stand otherwise. */
export function withSecretFiles(config: TrunkscopeConfig): TrunkscopeConfig {
  const { agent_key_file, api_tokens_file } = config
  const tokens =
    api_tokens_file === undefined ? [] : secretsOf(api_tokens_file, 'api_tokens_file', TOKEN_MIN_CHARS)
  const key =
    agent_key_file === undefined
      ? config.agent_key
      : secretsOf(agent_key_file, 'agent_key_file', AGENT_KEY_MIN_CHARS)[0]
  return {
    ...config,
    api_tokens: [...config.api_tokens, ...tokens],
    ...(key === undefined ? {} : { agent_key: key }),
  }
}

export function secretsOf(path: string, key: string, charsMin: number): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw secretError(
      `${key}: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code}); let the user that runs Trunkscope read it, ` +
        `or make one with: openssl rand -hex 32 > ${path}`,
      cause,
    )
  }
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
