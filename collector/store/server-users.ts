/**
 * The statements that make the users of a ClickHouse server: schemas/clickhouse/server/users.sql, filled in. The server
 * learns the SHA-256 of each password and never the password.
 *
 * Run by no test: the embedded engine refuses CREATE USER. What is tested is the text.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { statementsOf } from './schema.js'

const FILE = new URL('../../schemas/clickhouse/server/users.sql', import.meta.url)

export const SERVER_USERS = ['admin', 'store', 'api', 'grafana'] as const

export type ServerPasswords = Record<(typeof SERVER_USERS)[number], string>

/** `database` is a name that the configuration allows. Throws where a password is empty. */
export function serverUserStatements(database: string, passwords: ServerPasswords): string[] {
  const filled = new Map([['database', database]])
  for (const user of SERVER_USERS) {
    if (passwords[user] === '') throw new RangeError(`the password of trunkscope_${user} is empty`)
    filled.set(`${user}_password_sha256`, createHash('sha256').update(passwords[user]).digest('hex'))
  }
  return statementsOf(readFileSync(FILE, 'utf8')).map((statement) =>
    statement.replace(/\{(\w+)\}/g, (placeholder, name: string) => filled.get(name) ?? placeholder),
  )
}
