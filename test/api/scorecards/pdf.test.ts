import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { scorecardDocument } from '../../../api/page/scorecard-parts.js'
import { chromiumIn, pdfOf } from '../../../api/scorecards/pdf.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-pdf-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('PDF', () => {
  it('without a Chromium it says so, and what to do', async () => {
    await expect(pdfOf('<p>', folder)).rejects.toMatchObject({
      code: 'TRUNKSCOPE_API_PDF_UNAVAILABLE',
      message: expect.stringContaining('format=html'),
    })
  })

  it('a Chromium that fails is told as one, and those that wait go on', async () => {
    const searched = join(folder, 'bin')
    mkdirSync(searched)
    writeFileSync(join(searched, 'chromium'), '#!/bin/sh\nexit 3\n', { mode: 0o755 })
    expect(chromiumIn(searched)).toBe(join(searched, 'chromium'))
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => pdfOf('<p>', searched)))
    const codes = results.map((result) => (result.status === 'rejected' ? result.reason.code : 'made'))
    expect(codes).toEqual([
      ...Array(4).fill('TRUNKSCOPE_API_PDF_UNAVAILABLE'),
      ...Array(2).fill('TRUNKSCOPE_API_BUSY'),
    ])
  })

  it('is printed where there is one', async () => {
    if (chromiumIn(process.env.PATH ?? '') === undefined) return
    const pdf = await pdfOf(scorecardDocument('A week', 'Nothing happened').text)
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
  }, 40_000)
})
