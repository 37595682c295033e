/** What was refused or could not be read, by stage and reason: counts of this process, and samples that were kept. */
import { z } from 'zod'
import type { LiveStatus } from '../../schemas/live-status.js'
import { CAPTURE_REASONS, DECODE_REASONS, SIP_REASONS, type Stage } from '../../schemas/reasons.js'
import type { Readers } from '../readers.js'
import { isoUsOf } from '../time-span.js'

const SAMPLES_PER_REASON_MAX = 20

const sample = z.object({
  received_at: z.string(),
  transport: z.string(),
  peer_address: z.string(),
  size_bytes: z.number().describe('Of what was refused; the sample may be shorter.'),
  sample_base64: z.string().describe('The first bytes; the agent key is blanked.'),
  sample_text: z.string().describe('The printable ones of them, others as a dot.'),
})

export const refusedReason = z
  .object({
    stage: z.string(),
    reason: z.string(),
    meaning: z.string(),
    count: z.number().describe('Since the process started.'),
    samples: z.array(sample),
  })
  .meta({ title: 'Refused' })

export type RefusedJson = z.output<typeof refusedReason>

export function meaningOf(stage: string, reason: string): string {
  const table: Record<Stage, Record<string, string>> = {
    capture: CAPTURE_REASONS,
    decode: DECODE_REASONS,
    sip: SIP_REASONS,
  }
  return table[stage as Stage]?.[reason] ?? ''
}

interface SampleRow {
  stage: string
  reason: string
  received_us: string
  transport: string
  peer_address: string
  size_bytes: number
  sample_base64: string
}

export async function readRefused(readers: Readers, live: LiveStatus, limit: number): Promise<RefusedJson[]> {
  const rows = await readers.selectMasked<SampleRow, SampleRow>(
    `SELECT stage, reason, toUnixTimestamp64Micro(received_at) AS received_us, transport, peer_address, size_bytes,
       base64Encode(sample) AS sample_base64
     FROM rejected_frames FINAL ORDER BY stage, reason, received_at DESC, sample_id
     LIMIT {limit:UInt32} BY stage, reason LIMIT 2000`,
    { limit: Math.min(limit, SAMPLES_PER_REASON_MAX) },
    (row) => row,
    (row) => ({ ...row, sample_base64: '' }),
  )
  const reasons = new Map<string, RefusedJson>()
  const reasonOf = (stage: string, reason: string) => {
    const key = `${stage}/${reason}`
    let entry = reasons.get(key)
    if (entry === undefined) {
      entry = { stage, reason, meaning: meaningOf(stage, reason), count: 0, samples: [] }
      reasons.set(key, entry)
    }
    return entry
  }
  for (const { stage, reason, count } of live.refused) {
    if (count > 0) reasonOf(stage, reason).count += count
  }
  for (const row of rows) {
    const text = Buffer.from(row.sample_base64, 'base64').toString('latin1')
    reasonOf(row.stage, row.reason).samples.push({
      received_at: isoUsOf(Number(row.received_us)),
      transport: row.transport,
      peer_address: row.peer_address,
      size_bytes: row.size_bytes,
      sample_base64: row.sample_base64,
      sample_text: text.replace(/[^\x20-\x7e]/g, '.'),
    })
  }
  return [...reasons.values()].sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1))
}
