import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BOARDS } from '../../dashboards/board.js'
import { compile } from '../../dashboards/build.js'
import { kpiNamed } from '../../dashboards/expressions.js'
import { RUNBOOKS } from '../../dashboards/runbooks.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { SOURCE_FOLDERS, sourceFiles } from '../support/source-files.js'
import {
  boardsInFiles,
  COMPILED,
  type CompiledPanel,
  compiledText,
  drawnPanels,
  rulesInFile,
} from './grafana.js'

const boards = boardsInFiles()
const doubles = (values: readonly unknown[]) =>
  values.filter((value, index) => values.indexOf(value) !== index)

describe('dashboards', () => {
  test('what is committed is what the sources make, byte for byte, twice over; otherwise: npm run dashboards', () => {
    const made = compile()
    expect([...compile()]).toEqual([...made])
    const committed = readdirSync(COMPILED, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(COMPILED.length + 1))
    expect(committed.sort()).toEqual([...made.keys()].sort())
    expect(committed.filter((path) => compiledText(path) !== made.get(path))).toEqual([])
  })

  test('there is one for each reader, and one of runbooks, with uids of their own', () => {
    expect(boards.map(({ uid }) => uid).sort()).toEqual(
      Object.values(BOARDS)
        .map(({ uid }) => uid)
        .sort(),
    )
    expect(doubles(boards.map(({ uid }) => uid))).toEqual([])
    expect(doubles(boards.map(({ title }) => title))).toEqual([])
    expect(boards.filter(({ description }) => description.length < 20)).toEqual([])
  })

  test.each(boards.map((board) => [board.title, board] as const))(
    '%s: ids and refIds are unique',
    (_, board) => {
      expect(doubles(board.panels.map(({ id }) => id))).toEqual([])
      expect(board.panels.every(({ id }) => Number.isInteger(id) && id > 0)).toBe(true)
      for (const { targets = [] } of board.panels)
        expect(doubles(targets.map(({ refId }) => refId))).toEqual([])
    },
  )

  test.each(boards.map((board) => [board.title, board] as const))(
    '%s: every panel has title, description, unit, data source, step, and a text for nothing; series have a legend',
    (_, board) => {
      const bare = drawnPanels(board).filter(
        ({ title, description = '', fieldConfig, datasource, interval, targets = [] }) =>
          title === '' ||
          description.length < 20 ||
          !fieldConfig.defaults.unit ||
          fieldConfig.defaults.noValue === undefined ||
          datasource?.uid !== 'trunkscope' ||
          interval !== '1m' ||
          targets.length === 0 ||
          targets.some((target) => target.datasource.uid !== 'trunkscope' || target.legendFormat === ''),
      )
      expect(bare.map(({ title }) => title)).toEqual([])
      const withoutLegend = board.panels.filter(
        ({ type, options }) => type === 'timeseries' && options.legend?.showLegend !== true,
      )
      expect(withoutLegend).toEqual([])
      expect(doubles(drawnPanels(board).map(({ title }) => title))).toEqual([])
    },
  )

  test.each(boards.map((board) => [board.title, board] as const))(
    '%s: no panel lies on another or beside the 24 squares',
    (_, board) => {
      const overlap = ({ gridPos: a }: CompiledPanel, { gridPos: b }: CompiledPanel) =>
        a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
      const overlapping = board.panels.flatMap((one, index) =>
        board.panels.slice(index + 1).filter((other) => overlap(one, other)),
      )
      expect(overlapping.map(({ title }) => title)).toEqual([])
      expect(board.panels.filter(({ gridPos }) => gridPos.x < 0 || gridPos.x + gridPos.w > 24)).toEqual([])
    },
  )

  test('a panel of a KPI has the sentence, unit and colours of the catalog', () => {
    const ner = kpiNamed('ner')
    const panel = boards
      .flatMap(drawnPanels)
      .find(({ type, title }) => type === 'timeseries' && title === `${ner.name} by carrier`)!
    expect(panel.description).toContain(ner.description)
    expect(panel.description).toContain('from 100 attempts on')
    expect(panel.fieldConfig.defaults).toMatchObject({
      unit: 'percentunit',
      noValue: 'insufficient data',
      thresholds: {
        steps: [{ color: 'red' }, { value: ner.thresholds!.bad }, { value: ner.thresholds!.warn }],
      },
    })
  })

  test('the catalog says of a number from where on it is bad on the same side of where it is doubtful', () => {
    const judged = KPI_CATALOG.filter(({ thresholds }) => thresholds !== undefined)
    expect(judged.length).toBeGreaterThan(5)
    expect(judged.filter(({ thresholds }) => thresholds!.warn === thresholds!.bad)).toEqual([])
  })

  test('capture loss stands in every row of numbers about carriers', () => {
    const without = boards
      .filter(({ uid }) => uid !== BOARDS.pipeline.uid && uid !== BOARDS.runbooks.uid)
      .flatMap(({ title, panels }) => {
        const rows = new Map<number, CompiledPanel[]>()
        for (const panel of panels) rows.set(panel.gridPos.y, [...(rows.get(panel.gridPos.y) ?? []), panel])
        return [...rows.values()]
          .filter((row) =>
            row.some(({ targets = [] }) => targets.some(({ expr }) => / \/ .*>= 100/.test(expr))),
          )
          .filter((row) => !JSON.stringify(row).includes('trunkscope_incomplete_attempts_total'))
          .map((row) => `${title}: ${row.map((panel) => panel.title).join(', ')}`)
      })
    expect(without).toEqual([])
  })

  test('every runbook is a panel, and every page of dashboards/runbooks is one of them', () => {
    const pages = readdirSync('dashboards/runbooks').map((name) => name.replace(/\.md$/, ''))
    expect(pages.sort()).toEqual([...RUNBOOKS].sort())
    const board = boards.find(({ uid }) => uid === BOARDS.runbooks.uid)!
    expect(board.panels.map(({ title }) => title)).toEqual(RUNBOOKS)
    expect(board.panels.filter(({ options }) => !/^#+ First look$/m.test(options.content ?? ''))).toEqual([])
  })

  test('no address of a host and no secret is in a dashboard but the one of our own pages', () => {
    const text = boards
      .filter(({ uid }) => uid !== BOARDS.runbooks.uid)
      .map((board) => JSON.stringify(board))
      .join('\n')
    const hosts = new Set([...text.matchAll(/https?:\/\/[^/"\s]+/g)].map(([host]) => host))
    hosts.delete('http://127.0.0.1:8080')
    expect([...hosts]).toEqual([])
    expect(text).not.toMatch(/bearer|password|secret/i)
  })

  test('nothing that runs imports the dashboards or what they are built with', () => {
    const importing = sourceFiles(...SOURCE_FOLDERS)
      .filter(({ path }) => !path.startsWith('dashboards/'))
      .filter(({ importedPaths }) => importedPaths.some((path) => /^dashboards\/|^@grafana\//.test(path)))
    expect(importing.map(({ path }) => path)).toEqual([])
    const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
    expect(Object.keys(dependencies).filter((name) => name.startsWith('@grafana/'))).toEqual([])
    expect(devDependencies['@grafana/grafana-foundation-sdk']).toMatch(/^\d+\.\d+\.\d+$/)
  })

  test('an alert that is paused here points at a panel there', () => {
    for (const { annotations } of rulesInFile()) {
      const board = boards.find(({ uid }) => uid === annotations.__dashboardUid__)
      expect(board?.panels.map(({ id }) => String(id))).toContain(annotations.__panelId__)
    }
  })
})
