/**
 * HTML from templates that escape by default. What comes from the wire is text: it cannot become markup, whatever it
 * holds. Every attribute in a template stands in double quotes.
 *
 *   html`<td title="${name}">${value}</td>`
 *
 * Takes    texts and numbers (escaped), `Html` (as it is), lists of those, and null, undefined or false (nothing).
 */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

export type Content = Html | string | number | null | undefined | false | readonly Content[]

export function html(parts: TemplateStringsArray, ...values: Content[]): Html {
  let text = parts[0]!
  for (let index = 0; index < values.length; index++) text += textOf(values[index]) + parts[index + 1]!
  return new Html(text)
}

function textOf(value: Content): string {
  if (value === null || value === undefined || value === false) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'string') return escaped(value)
  if (typeof value === 'number') return String(value)
  return value.map(textOf).join('')
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

function escaped(text: string): string {
  return visible(text).replace(/[&<>"'`]/g, (char) => ESCAPES[char]!)
}

/**
 * Control characters as their pictures, and marks that turn the direction of writing as their names: a header must not
 * hide what it says. Line ends and tabs stay.
 */
export function visible(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(/[\x00-\x08\x0b-\x1f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0)))
    .replace(/[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (char) => {
      const code = char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
      return `[U+${code}]`
    })
}
