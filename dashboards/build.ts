/**
 * `npm run dashboards`: writes dashboards/compiled/, the same bytes whenever and wherever it runs. It is committed, so who
 * uses the dashboards installs nothing; test/dashboards/compiled.test.ts fails when it is not what the sources say.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { alertRules } from './alert-rules.js'
import { attestation } from './attestation.js'
import type { BoardName } from './board.js'
import { carrier } from './carrier.js'
import { noc } from './noc.js'
import { onCall } from './on-call.js'
import { pipeline } from './pipeline.js'
import { dashboardsFile, dataSourceFile, rulesFile } from './provisioning.js'
import { runbooks } from './runbooks.js'
import { trunks } from './trunks.js'

export const COMPILED = 'dashboards/compiled'
const RUNBOOKS = 'dashboards/runbooks'

/** Text of each file, by its path under `dashboards/compiled`. From the root of the project: the runbooks are read. */
export function compile(): Map<string, string> {
  const boards: Record<BoardName, Dashboard> = {
    noc: noc(),
    carrier: carrier(),
    attestation: attestation(),
    trunks: trunks(),
    'on-call': onCall(),
    pipeline: pipeline(),
    runbooks: runbooks((name) => readFileSync(join(RUNBOOKS, `${name}.md`), 'utf8')),
  }
  return new Map([
    ...Object.entries(boards).map(([name, board]) => [`json/${name}.json`, json(board)] as const),
    ['provisioning/datasources/trunkscope.yaml', dataSourceFile()],
    ['provisioning/dashboards/trunkscope.yaml', dashboardsFile()],
    ['provisioning/alerting/trunkscope.json', json(rulesFile(alertRules()))],
  ])
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`

function write(): void {
  rmSync(COMPILED, { recursive: true, force: true })
  for (const [path, text] of compile()) {
    mkdirSync(dirname(join(COMPILED, path)), { recursive: true })
    writeFileSync(join(COMPILED, path), text)
  }
  process.stdout.write(`${readdirSync(join(COMPILED, 'json')).length} dashboards in ${COMPILED}\n`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) write()
