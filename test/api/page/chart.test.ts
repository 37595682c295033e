import { describe, expect, it } from 'vitest'
import { shareBar, sparkbars, sparkline, timeChart } from '../../../api/page/chart.js'

describe('drawings', () => {
  it('a gap in a line stays a gap: it is not drawn as 0', () => {
    const { text } = sparkline([1, 2, null, 3, 4], { label: 'x', floor: 0 })
    expect(text.match(/ d="([^"]*)"/)![1]!.match(/M/g)).toHaveLength(2)
    expect(text).toContain('aria-label="x"')
  })

  it('nothing to draw is said', () => {
    expect(sparkline([null, null], { label: 'ASR' }).text).toContain('aria-label="ASR: no data"')
    expect(shareBar([{ kind: 'k', label: 'A', count: 0 }], { label: 'x' }).text).toContain('no attempts')
  })

  it('bars stand on 0, what is open above them', () => {
    const { text } = sparkbars([2, 0], [2, 1], { label: 'x' })
    expect(text.match(/class="bar"/g)).toHaveLength(1)
    expect(text.match(/class="bar-open"/g)).toHaveLength(2)
  })

  it('a bar of shares names its numbers', () => {
    const { text } = shareBar(
      [
        { kind: 'a', label: 'A', count: 3 },
        { kind: 'b', label: 'B', count: 1 },
      ],
      { label: 'Attestation', width: 100 },
    )
    expect(text).toContain('aria-label="Attestation: A 3 (75.0 %), B 1 (25.0 %)"')
    expect(text).toContain('<title>A: 3 of 4</title>')
  })

  it('a chart has an axis, a legend, and its values as a table', () => {
    const { text } = timeChart({
      title: 'ASR',
      description: 'each 5 min',
      times: ['10:00', '10:05', '10:10'],
      lines: [{ kind: 's-1', label: 'ASR', points: [0.5, null, 0.25], band: [[0.4, 0.6], null, [0.1, 0.4]] }],
      unit: (value) => `${value * 100} %`,
      topAtLeast: 1,
      topAtMost: 1,
    })
    expect(text).toContain('>100 %<')
    expect(text).toContain('<th scope="row">10:05</th><td>–</td>')
    expect(text.match(/<circle/g)).toHaveLength(2)
    expect(text).not.toContain('NaN')
  })
})
