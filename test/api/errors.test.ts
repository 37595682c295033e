import { describe, expect, it } from 'vitest'
import {
  API_ERRORS,
  API_START_ERRORS,
  ApiError,
  didYouMean,
  nearestNames,
  problemOf,
} from '../../api/errors.js'

describe('errors', () => {
  it('every code has a status and a title, and says where it arose', () => {
    for (const [code, { status, title }] of Object.entries(API_ERRORS)) {
      expect(code).toMatch(/^TRUNKSCOPE_API_[A-Z_]+$/)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(title).not.toBe('')
    }
    for (const code of Object.keys(API_START_ERRORS)) expect(code).toMatch(/^TRUNKSCOPE_API_[A-Z_]+$/)
  })

  it('become problem+json with the names that may have been meant', () => {
    const error = new ApiError('TRUNKSCOPE_API_UNKNOWN_KPI', 'kpi=nerr', {
      parameter: 'kpi',
      suggestions: ['ner'],
    })
    expect(problemOf(error)).toEqual({
      type: 'urn:trunkscope:problem:unknown-kpi',
      title: 'Unknown KPI',
      status: 400,
      detail: 'kpi=nerr',
      code: 'TRUNKSCOPE_API_UNKNOWN_KPI',
      parameter: 'kpi',
      suggestions: ['ner'],
    })
  })

  it('the nearest names come first; nothing like it gives none', () => {
    const names = ['asr', 'seer', 'ner', 'rate_487', 'pre_ring_487_rate', 'pdd_p50']
    expect(nearestNames('rate487', names)[0]).toBe('rate_487')
    expect(nearestNames('487', names)).toEqual(['rate_487', 'pre_ring_487_rate'])
    expect(nearestNames('attestation', names)).toEqual([])
    expect(didYouMean([])).toBe('')
    expect(didYouMean(['ner'])).toBe('; did you mean ner?')
  })

  it('a long text costs no time', () => {
    expect(nearestNames('x'.repeat(100_000), ['asr'])).toEqual([])
  })
})
