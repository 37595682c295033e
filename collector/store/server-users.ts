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

/** Made where there is a password for it: an installation that does not evaluate alerts needs no such user. */
export const ALERTS_USER = 'alerts'

export type ServerPasswords = Record<(typeof SERVER_USERS)[number], string> & { [ALERTS_USER]?: string }

/** `database` is a name that the configuration allows. Throws where a password is empty. */
export function serverUserStatements(database: string, passwords: ServerPasswords): string[] {
  const filled = new Map([['database', database]])
  const hasAlerts = passwords[ALERTS_USER] !== undefined
  for (const user of [...SERVER_USERS, ...(hasAlerts ? ([ALERTS_USER] as const) : [])]) {
    const password = passwords[user] ?? ''
    if (password === '') throw new RangeError(`the password of trunkscope_${user} is empty`)
    filled.set(`${user}_password_sha256`, createHash('sha256').update(password).digest('hex'))
  }
  const statements = statementsOf(readFileSync(FILE, 'utf8')).filter(
    (statement) => hasAlerts || !/\btrunkscope_alerts\b/.test(statement),
  )
  return statements.map((statement) =>
    statement.replace(/\{(\w+)\}/g, (placeholder, name: string) => filled.get(name) ?? placeholder),
  )
}
