/** The stored scorecards of a week, on the page of scorecards: as they were made by a schedule, and stay. */
import type { SeenDeps } from '../deps.js'
import { listDocuments, type StoredDocument } from '../scorecards/documents.js'
import type { Week } from '../scorecards/week.js'
import { bytes, clock, day } from './format.js'
import { type Html, html } from './html.js'
import { table } from './table.js'

const SHOWN_MAX = 400

/** null: there is none, and no schedule that would make one. */
export async function storedDocuments(seen: SeenDeps, week: Week): Promise<Html | null> {
  const documents = await listDocuments(seen.readers, { weeks: [week.id], limit: SHOWN_MAX })
  if (documents.length === 0) {
    // What is scheduled is the operator's affair; who is held to carriers sees what was made.
    if (seen.principal.carriers !== 'all' || seen.config.scorecards.schedules.length === 0) return null
    return html`<section><h2>Stored</h2><p class="quiet">No schedule has made one of this week.</p></section>`
  }
  const names = new Map(seen.config.carriers.map(({ id, name }) => [id, name ?? id]))
  return html`<section><div class="title"><h2>Stored</h2> <p class="quiet">as they were made; later changes of numbers and definitions are not in them</p></div>
${table(
  `Stored scorecards of ${week.id}`,
  html`<th scope="col">Carrier</th><th scope="col">Made</th><th scope="col">Schedule</th><th scope="col">Document</th>`,
  groupsOf(documents).map(
    ([first, ...others]) =>
      html`<tr><th scope="row">${first.carrier === '' ? 'All, side by side' : (names.get(first.carrier) ?? first.carrier)}</th><td class="nowrap">${day(first.madeAt)} ${clock(first.madeAt)}</td><td>${first.schedule}</td><td>${[first, ...others].map((one, index) => html`${index === 0 ? null : ' · '}<a href="/v1/documents/${one.id}">${one.format.toUpperCase()}</a> <small>${bytes(one.sizeBytes)}</small>`)}</td></tr>`,
  ),
)}</section>`
}

type Group = [StoredDocument, ...StoredDocument[]]

/** The formats of one scorecard stand in one line. */
function groupsOf(documents: readonly StoredDocument[]): Group[] {
  const groups = new Map<string, Group>()
  for (const document of documents) {
    const key = JSON.stringify([document.schedule, document.firedAt, document.carrier])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [document])
    else group.push(document)
  }
  return [...groups.values()]
}
