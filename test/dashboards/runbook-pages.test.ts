import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { timingsOf } from '../../api/alerts/evaluate.js'
import { PAGE_OF_COMPARISON, RUNBOOK_PAGES, runbookUrl } from '../../api/alerts/rules/words.js'
import { configSchema } from '../../schemas/config.js'

const FOLDER = 'dashboards/runbooks'
const anchorOf = (heading: string) => heading.toLowerCase().replaceAll(' ', '-')

describe('runbooks', () => {
  it.each(RUNBOOK_PAGES)(
    '%s: the heading that its alerts link to is there, with meaning, escalation and how to silence',
    (page) => {
      const [path, anchor] = runbookUrl({}, page).split('#')
      const text = readFileSync(path!, 'utf8')
      const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading!)
      expect(headings.map(anchorOf)).toContain(anchor)
      expect(headings).toEqual(['Meaning', 'First look', 'Escalation', 'Silence'])
      expect(text.startsWith(`# ${page}\n`)).toBe(true)
    },
  )

  it('every rule that is on by itself, and every way of comparing, has a page; no page is left over', () => {
    const builtIn = [...timingsOf(configSchema.parse({})).keys()]
    const wanted = [...builtIn, ...Object.values(PAGE_OF_COMPARISON)].sort()
    expect([...RUNBOOK_PAGES].sort()).toEqual(wanted)
    expect(readdirSync(FOLDER).sort()).toEqual(wanted.map((page) => `${page}.md`))
  })

  it('pages of a wiki are linked where they lie', () => {
    expect(runbookUrl({ runbooks_url: 'https://wiki.example/runbooks/' }, 'TapBlind')).toBe(
      'https://wiki.example/runbooks/TapBlind.md#first-look',
    )
  })
})
