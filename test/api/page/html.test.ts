import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { html, visible } from '../../../api/page/html.js'

describe('html', () => {
  it('escapes what is put in, in text and in attributes', () => {
    const evil = `<a href="x" onclick='y'>&\``
    expect(html`<p title="${evil}">${evil}</p>`.text).toBe(
      '<p title="&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;&#96;">&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;&#96;</p>',
    )
  })

  it('keeps markup of its own, lists, numbers; nothing stays nothing', () => {
    const list = [html`<li>1</li>`, html`<li>${2}</li>`]
    expect(html`<ul>${list}</ul>${null}${undefined}${false}${''}${0}`.text).toBe(
      '<ul><li>1</li><li>2</li></ul>0',
    )
  })

  it('no text becomes a tag or leaves its attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const markup = html`<b title="${text}">${text}</b>`.text
        expect(markup.slice('<b title="'.length, -'</b>'.length)).toMatch(/^[^"<>]*">[^"<>]*$/)
      }),
    )
  })

  it('controls are shown, line ends and tabs are kept', () => {
    expect(visible('a\r\nb\tc\x1b[31m\x00\u202e\x7f')).toBe('a\nb\tc␛[31m␀[U+202E][U+007F]')
  })
})
