/**
 * Makes the scorecard of a subject in the formats that are wanted.
 *
 * The one of a carrier is made as who is held to that carrier sees it, because such a reader may fetch it later: without the
 * section on the tap, which is about everybody together.
 *
 * Takes    what reads, a week, a carrier ('': all side by side), formats.
 * Returns  documents, what is told of them, and which formats could not be made, with the reason. A PDF needs a Chromium;
 *          none is no reason to make nothing.
 * Throws   what reading throws, and TRUNKSCOPE_API_BUSY while others print.
 */
import type { ScorecardHeadline } from '../../schemas/alert-hook.js'
import type { DocumentFormat } from '../../schemas/scorecard-schedule.js'
import type { Principal } from '../../schemas/tokens.js'
import { type RouteDeps, seenBy } from '../deps.js'
import { ApiError } from '../errors.js'
import { scorecardPage } from '../page/scorecard.js'
import { scorecardsPage } from '../page/scorecards.js'
import { seenSlosOf } from '../slo/seen-slos.js'
import { DOCUMENT_BYTES_MAX, type NewDocument } from './documents.js'
import { headlineOf, headlineOfAll } from './headline.js'
import { pdfOf } from './pdf.js'
import { readScorecard, readScorecards } from './read.js'
import { scorecardCsv, scorecardsCsv } from './tables.js'
import type { Week } from './week.js'

export interface Made {
  documents: NewDocument[]
  headline: ScorecardHeadline
}

export type PrintPdf = (page: string) => Promise<Buffer>

interface Forms {
  html: () => string
  csv: () => string
  json: () => string
}

export async function makeDocuments(
  deps: RouteDeps,
  wanted: { week: Week; carrier: string; formats: readonly DocumentFormat[] },
  print: PrintPdf = pdfOf,
): Promise<Made> {
  const { week, carrier, formats } = wanted
  const name = carrier === '' ? `scorecards-${week.id}` : `scorecard-${week.id}-${carrier}`
  if (carrier === '') {
    const cards = await readScorecards(seenBy(deps, reader('all')), week)
    const forms: Forms = {
      html: () => scorecardsPage(cards).text,
      csv: () => scorecardsCsv(cards),
      json: () => JSON.stringify(cards),
    }
    const { documents, omitted } = await inFormats(name, formats, forms, print)
    return { documents, headline: headlineOfAll(cards, omitted) }
  }
  const principal = reader([carrier])
  const card = await readScorecard(seenBy(deps, principal), seenSlosOf(deps, principal), carrier, week)
  const forms: Forms = {
    html: () => scorecardPage(card).text,
    csv: () => scorecardCsv(card),
    json: () => JSON.stringify(card),
  }
  const { documents, omitted } = await inFormats(name, formats, forms, print)
  return { documents, headline: headlineOf(card, omitted) }
}

const reader = (carriers: Principal['carriers']): Principal => ({ id: 'schedule', role: 'viewer', carriers })

async function inFormats(
  name: string,
  formats: readonly DocumentFormat[],
  forms: Forms,
  print: PrintPdf,
): Promise<{ documents: NewDocument[]; omitted: ScorecardHeadline['omitted'] }> {
  const documents: NewDocument[] = []
  const omitted: { format: string; why: string }[] = []
  for (const format of new Set(formats)) {
    const body = format === 'pdf' ? await printed(forms.html(), print) : Buffer.from(forms[format](), 'utf8')
    if (typeof body === 'string') omitted.push({ format, why: body })
    else if (body.length > DOCUMENT_BYTES_MAX) {
      omitted.push({
        format,
        why: `it has ${body.length} bytes, more than the ${DOCUMENT_BYTES_MAX} that are kept`,
      })
    } else documents.push({ format, fileName: `${name}.${format}`, body })
  }
  return { documents, omitted }
}

/** A text: why there is none. */
async function printed(page: string, print: PrintPdf): Promise<Buffer | string> {
  try {
    return await print(page)
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TRUNKSCOPE_API_PDF_UNAVAILABLE') {
      return error.cause === undefined
        ? 'no Chromium is installed where Trunkscope runs'
        : 'Chromium made none, and the log says why'
    }
    throw error
  }
}
