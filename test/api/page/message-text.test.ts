import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { html } from '../../../api/page/html.js'
import { messageText } from '../../../api/page/message-text.js'

describe('text of a message', () => {
  it('tells start line, names, headers that matter, and the body apart', () => {
    const text = messageText(
      'INVITE sip:b@y SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nf: <sip:a@x>;tag=1\r\nReason: Q.850\r\n ;cause=17\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\n',
    ).text
    expect(text).toContain('<span class="m-start">INVITE sip:b@y SIP/2.0')
    expect(text).toContain('<span class="m-name">Via</span>: SIP/2.0/UDP x')
    expect(text).toContain('<span class="m-name">f</span><b>: &lt;sip:a@x&gt;;tag=1')
    expect(text).toContain('<b> ;cause=17')
    expect(text).toContain('<span class="m-body">v=0')
    expect(text).toContain('<span class="m-body"><b>c=IN IP4 192.0.2.1')
  })

  it('every character of it is there, escaped, whatever it holds (property)', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\r\n', '\n', ': ', ' ', '<script>alert(1)</script>', 'From: "', 'm=', '\r\n\r\n'),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
        const raw = parts.join('')
        const text = messageText(raw).text
        const tags = /<\/?(?:span(?: class="m-(?:start|name|body)")?|b)>/g
        const plain = text.replace(tags, '')
        expect(plain).not.toMatch(/[<>"]/)
        // A line end that is cut in two by a tag is shown as a picture and an end: it is the same line end.
        const ends = (shown: string) => shown.replaceAll('\u240d', '').replaceAll('\r', '')
        expect(ends(plain)).toBe(ends(html`${raw}`.text))
      }),
      { numRuns: 200 },
    )
  })
})
