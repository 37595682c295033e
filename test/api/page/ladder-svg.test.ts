import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CallLadder } from '../../../api/attempts/call-ladder.js'
import type { Arrow } from '../../../api/attempts/ladder.js'
import { ARROWS_MAX, ladderSvg, signed } from '../../../api/page/ladder-svg.js'

const ID = 'f'.repeat(32)

function ladderWith(text: string, arrows = 2): CallLadder {
  return {
    attempt_id: ID,
    legs: [],
    parties: [
      { address: '192.0.2.11', name: text },
      { address: text, name: '' },
    ],
    clocks: [],
    explanation: [],
    is_cut: false,
    arrows: Array.from(
      { length: arrows },
      (_, index): Arrow => ({
        number: index + 1,
        message: index,
        attempt_id: index % 2 === 0 ? ID : 'other',
        from: index % 2,
        to: index % 3 === 0 ? 1 - (index % 2) : index % 2,
        source_port: 5060,
        destination_port: 5060,
        kind: index % 2 === 0 ? 'request' : 'failure',
        label: text,
        cseq: text,
        captured_at: '2026-11-20T12:00:00.000000Z',
        captured_at_us: 0,
        offset_ms: index * 1_500,
        agent: text,
        also_seen: [{ agent: text, captured_at: text, later_ms: -0.8 }],
        again_of: index === 0 ? null : 1,
        media: [text, text],
        is_early_media: true,
      }),
    ),
  }
}

/** Elements close, attributes are quoted, and nothing stands in the drawing that could run or load something. */
function expectSound(svg: string): void {
  const open: string[] = []
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?:\s[a-z0-9:-]+="[^"<]*")*)\s*(\/?)>/gi,
    (_, close, name, attributes, empty) => {
      expect(['svg', 'desc', 'title', 'rect', 'text', 'line', 'path', 'g']).toContain(name)
      expect(attributes.replace(/"[^"]*"/g, '""')).not.toMatch(/\s(on\w+|style|href|xlink:href)=/)
      if (close === '/') expect(open.pop()).toBe(name)
      else if (empty !== '/') open.push(name)
      return ''
    },
  )
  expect(open).toEqual([])
  expect(rest).not.toMatch(/[<>]/)
  expect(rest).not.toMatch(/&(?!(?:amp|lt|gt|quot|#39|#96);)/)
  // XML 1.0 §2.2.
  expect(svg).not.toMatch(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/)
}

describe('ladder as SVG', () => {
  it('any text of a message stays text, and the drawing stays XML (property)', () => {
    const HOSTILE = `"><script>alert(1)</script><image href=x onerror=alert(1)>]]>&x;\u202e\x00\x1b\uffff`
    expectSound(ladderSvg(ladderWith(HOSTILE)).text)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => expectSound(ladderSvg(ladderWith(text, 5)).text)),
      { numRuns: 100 },
    )
  })

  it('has a text alternative: what it is in short, and every arrow as a line', () => {
    const svg = ladderSvg(ladderWith('Alpha')).text
    expect(svg).toContain('role="img" aria-label="Ladder: 2 messages between Alpha, Alpha')
    expect(svg).toMatch(/<desc>1\. 0\.000 s Alpha, early media Alpha; Alpha, seen by Alpha at 2026/)
    expect(svg).toContain('2. 1.500 s Alpha, again, of 1')
    expect(svg).toContain('stroke-dasharray')
    expect(svg).toContain(`Alpha ${signed(-0.8)}`)
  })

  it('a long one is cut, and says so', () => {
    const svg = ladderSvg(ladderWith('x', ARROWS_MAX + 3)).text
    expect(svg).toContain('and 3 messages more')
    expect(svg.match(/<g /g)).toHaveLength(ARROWS_MAX)
  })

  it('without messages it is an empty drawing', () => {
    expectSound(ladderSvg({ ...ladderWith('x', 0), parties: [] }).text)
  })
})
