import { describe, expect, it } from 'vitest'
import { type JudgedCell, likelyCause } from '../../../../api/alerts/rules/cause.js'

const cell = (carrier: string, site: string, isBad = false, n = 100): JudgedCell => ({
  carrier,
  site,
  isBad,
  n,
})

describe('the likely cause', () => {
  it('one carrier at one site: the carrier', () => {
    const cells = [cell('alpha', 'dal', true), cell('beta', 'dal'), cell('alpha', 'fra')]
    expect(likelyCause({ carrier: 'alpha', site: 'dal' }, cells)).toBe(
      'alpha only: the other carriers of dal are fine, and alpha is fine at fra',
    )
    expect(likelyCause({ site: 'dal' }, cells)).toBe(likelyCause({ carrier: 'alpha', site: 'dal' }, cells))
  })

  it('one carrier wherever it is', () => {
    const cells = [
      cell('alpha', 'dal', true),
      cell('alpha', 'fra', true),
      cell('beta', 'dal'),
      cell('beta', 'fra'),
    ]
    expect(likelyCause({ carrier: 'alpha' }, cells)).toBe(
      'alpha at all sites: the other carriers of dal and fra are fine',
    )
  })

  it('all carriers of a site: is it us', () => {
    const cells = [cell('alpha', 'dal', true), cell('beta', 'dal', true), cell('alpha', 'fra')]
    expect(likelyCause({ carrier: 'alpha', site: 'dal' }, cells)).toBe('all carriers of dal: is it us?')
    expect(likelyCause({}, cells)).toBe('all carriers of dal: is it us?')
  })

  it('some of them are named, and who is fine', () => {
    const cells = [cell('alpha', 'dal', true), cell('beta', 'dal', true), cell('gamma', 'dal')]
    expect(likelyCause({ carrier: 'alpha' }, cells)).toBe('alpha and beta at dal; gamma is fine there')
  })

  it('a neighbour with a few calls proves nothing, and one that is unknown is nobody', () => {
    const cells = [cell('alpha', 'dal', true), cell('beta', 'dal', false, 3), cell('unknown', 'dal', true)]
    expect(likelyCause({ carrier: 'alpha' }, cells)).toBe(
      'alpha only: too few calls of other carriers at dal to compare with',
    )
  })

  it('where nothing is off nothing is said', () => {
    expect(likelyCause({}, [cell('alpha', 'dal')])).toBe('')
  })
})
