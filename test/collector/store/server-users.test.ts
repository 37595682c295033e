import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { SERVER_USERS, serverUserStatements } from '../../../collector/store/server-users.js'

const PASSWORDS = { admin: 'one', store: 'two', api: 'three', grafana: 'four' }
const statements = serverUserStatements('calls', PASSWORDS)
const about = (user: string, kind: RegExp) =>
  statements.filter((statement) => kind.test(statement) && new RegExp(`\\b${user}\\b`).test(statement))

describe('users of a server', () => {
  test('every placeholder is filled in, and no password stands in any statement', () => {
    const text = statements.join('\n')
    expect(text).not.toMatch(/[{}]/)
    expect(text).not.toMatch(/'(one|two|three|four)'/)
    for (const user of SERVER_USERS) {
      const hash = createHash('sha256').update(PASSWORDS[user]).digest('hex')
      expect(about(`trunkscope_${user}`, /^CREATE USER/)).toEqual([expect.stringContaining(hash)])
      expect(about(`trunkscope_${user}`, /^ALTER USER/)).toEqual([expect.stringContaining(hash)])
    }
  })

  test('store and api have no right to change tables, none has one outside the database or to a source', () => {
    expect(about('trunkscope_store', /^GRANT/)).toEqual([
      'GRANT SELECT, INSERT ON calls.* TO trunkscope_store',
    ])
    expect(about('trunkscope_api', /^GRANT/)).toEqual(['GRANT SELECT ON calls.* TO trunkscope_api'])
    for (const grant of statements.filter((statement) => statement.startsWith('GRANT'))) {
      expect(grant).toMatch(/^GRANT [A-Z, ]+ ON calls\.(\*|\w+) TO trunkscope_\w+$/)
      expect(grant).not.toMatch(/SOURCES|URL|FILE|S3|REMOTE|ALL|GRANT OPTION/)
    }
  })

  test('alerts have a user where there is a password for it: it writes alerts and reads no message', () => {
    expect(statements.join('\n')).not.toContain('trunkscope_alerts')
    const withAlerts = serverUserStatements('calls', { ...PASSWORDS, alerts: 'five' })
    const text = withAlerts.join('\n')
    expect(text).toContain(createHash('sha256').update('five').digest('hex'))
    expect(text).not.toMatch(/[{}]/)
    const grants = withAlerts.filter((statement) => /^GRANT.*trunkscope_alerts$/.test(statement))
    expect(
      grants.filter((grant) => grant.includes('INSERT')).map((grant) => /ON calls\.(\S+)/.exec(grant)![1]),
    ).toEqual([
      'alert_states',
      'alert_transitions',
      'alert_deliveries',
      'documents',
      'document_runs',
      'audit_trail',
    ])
    expect(grants.join('\n')).not.toMatch(/sip_messages|calls\.\*/)
  })

  test('Grafana reads sums, never an attempt or a message', () => {
    const tables = about('trunkscope_grafana', /^GRANT/).map((grant) => /ON calls\.(\S+)/.exec(grant)![1])
    expect(tables).toEqual(['kpi_minute', 'kpi_hour', 'kpi_day', 'rollup_freshness', 'agents_minute'])
  })

  test('who only reads has limits that it cannot raise', () => {
    for (const user of ['trunkscope_api', 'trunkscope_grafana']) {
      const [profile] = about(user, /^CREATE SETTINGS PROFILE/)
      expect(profile).toMatch(/readonly = 2/)
      expect(profile).toMatch(/allow_ddl = 0 CONST/)
      for (const limit of ['max_execution_time', 'max_memory_usage', 'max_result_rows']) {
        expect(profile).toMatch(new RegExp(`${limit} = (\\d+) MAX \\1,`))
      }
    }
  })

  test('an empty password is refused', () => {
    expect(() => serverUserStatements('calls', { ...PASSWORDS, api: '' })).toThrow(
      'the password of trunkscope_api is empty',
    )
  })
})
