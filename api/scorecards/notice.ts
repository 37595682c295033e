/** What the outbox is given about a scorecard that a schedule made. Pure: the same documents give the same notice. */
import type { ScorecardDocument, ScorecardHeadline, ScorecardNotice } from '../../schemas/alert-hook.js'
import { folderSinkId, type ScorecardSchedule } from '../../schemas/scorecard-schedule.js'
import { type DocumentSubject, identityOf, type StoredDocument } from './documents.js'
import { mainDocument, summaryOf } from './headline.js'

export function scorecardNotice(
  { id, sinks, folder }: Pick<ScorecardSchedule, 'id' | 'sinks' | 'folder'>,
  subject: DocumentSubject,
  told: { documents: readonly StoredDocument[]; headline: ScorecardHeadline; madeAtMs: number },
  pageUrl: string | undefined,
): ScorecardNotice {
  const { headline, madeAtMs } = told
  const documents = told.documents.map((stored) => documentOf(stored, pageUrl))
  const link = mainDocument(documents)?.link
  return {
    kind: 'scorecard',
    key: identityOf(subject),
    transition: 1,
    status: 'made',
    rule: id,
    // A folder holds documents: without one there is nothing to put there.
    sinks: [...new Set(sinks), ...(folder === undefined || documents.length === 0 ? [] : [folderSinkId(id)])],
    labels: {
      schedule: id,
      week: headline.week.id,
      ...(subject.carrier === '' ? {} : { carrier: subject.carrier }),
    },
    annotations: { summary: summaryOf(headline), ...(link === undefined ? {} : { link }) },
    headline,
    documents,
    firedAtUs: Math.floor(subject.firedAtMs / 1_000) * 1e6,
    madeAtUs: madeAtMs * 1_000,
  }
}

function documentOf(
  { id, format, fileName, sha256, sizeBytes }: StoredDocument,
  pageUrl: string | undefined,
): ScorecardDocument {
  return {
    id,
    format,
    file_name: fileName,
    sha256,
    size_bytes: sizeBytes,
    ...(pageUrl === undefined ? {} : { link: `${pageUrl.replace(/\/+$/, '')}/v1/documents/${id}` }),
  }
}
