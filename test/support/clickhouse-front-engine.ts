/**
 * The engine behind the front: a few chdb connections, one statement at a time each, that serve a statement as a ClickHouse
 * server would: database, settings and parameters of one request, and nothing of it left for the next.
 */
import { createRequire } from 'node:module'

export interface Statement {
  sql: string
  database: string
  settings: ReadonlyMap<string, string>
  /** As they stand in the URL: the text that ClickHouse reads as the placeholder's type. */
  parameters: ReadonlyMap<string, string>
}

interface Session {
  queryAsync(sql: string, options: { format: string }): Promise<{ bytes(): Buffer }>
  close(): void
}

export class StatementError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message)
  }
}

export class FrontEngine {
  readonly #sessions: Session[] = []
  readonly #free: Session[] = []
  readonly #waiting: ((session: Session) => void)[] = []

  /** `readonly` as of the setting: with 2 the connections refuse to write, as for a user with that profile. */
  static async open(folder: string, connections: number, readonly: 0 | 2): Promise<FrontEngine> {
    const { Session } = createRequire(import.meta.url)('chdb') as { Session: new (path: string) => Session }
    const engine = new FrontEngine()
    for (let n = 0; n < connections; n++) {
      const session = new Session(folder)
      if (readonly !== 0) await session.queryAsync(`SET readonly = ${readonly}`, { format: 'TabSeparated' })
      engine.#sessions.push(session)
      engine.#free.push(session)
    }
    return engine
  }

  async run(statement: Statement): Promise<Buffer> {
    for (const [, name] of statement.sql.matchAll(/\{(\w+):\s*[A-Z]/g)) {
      if (!statement.parameters.has(name!)) {
        throw new StatementError(
          456,
          `Code: 456. DB::Exception: Substitution \`${name}\` is not set. (UNKNOWN_QUERY_PARAMETER)`,
        )
      }
    }
    const session = this.#free.pop() ?? (await new Promise<Session>((resolve) => this.#waiting.push(resolve)))
    const settings = [...statement.settings.keys()].filter((name) => /^\w+$/.test(name))
    try {
      const before = [
        `USE ${statement.database}`,
        ...settings.map((name) => `SET ${name} = ${quoted(statement.settings.get(name)!)}`),
        ...[...statement.parameters].map(([name, value]) => `SET param_${name} = ${quoted(value)}`),
      ]
      const result = await session.queryAsync([...before, statement.sql].join('; '), {
        format: 'TabSeparated',
      })
      return Buffer.from(result.bytes())
    } catch (cause) {
      const text = (cause as Error).message
      throw new StatementError(Number(/^Code: (\d+)/.exec(text)?.[1] ?? 1002), text)
    } finally {
      // Settings outlive the statement in the engine, and not the request on a server.
      for (const name of settings) {
        await session.queryAsync(`SET ${name} = DEFAULT`, { format: 'TabSeparated' }).catch(() => {})
      }
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(session)
      else next(session)
    }
  }

  close(): void {
    for (const session of this.#sessions) session.close()
  }
}

export const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
