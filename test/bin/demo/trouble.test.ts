import { describe, expect, it } from 'vitest'
import { severity, troubleBefore } from '../../../bin/demo/trouble.js'

const NOW_US = 1_795_000_000_000_000
const minutesAgo = (minutes: number) => NOW_US - minutes * 60_000_000

describe('demo trouble', () => {
  const trouble = troubleBefore(NOW_US)

  it('grows from 40 to 15 minutes before now, and stays', () => {
    const at = (minutes: number) => severity(trouble, 'dunmarrow', 'dal', minutesAgo(minutes))
    expect([at(60), at(40), at(27.5), at(15), at(0), at(-60)]).toEqual([0, 0, 0.5, 1, 1, 1])
  })

  it('is one carrier’s, at the sites named or at all', () => {
    expect(severity(trouble, 'aldermoor', 'dal', NOW_US)).toBe(0)
    expect(severity(undefined, 'dunmarrow', 'dal', NOW_US)).toBe(0)
    expect(severity({ ...trouble, siteIds: ['iad'] }, 'dunmarrow', 'dal', NOW_US)).toBe(0)
    expect(severity({ ...trouble, siteIds: ['iad'] }, 'dunmarrow', 'iad', NOW_US)).toBe(1)
  })
})
