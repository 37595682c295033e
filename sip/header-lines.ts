/**
 * Values of headers that the reader of the hot path does not keep, by name, out of the bytes of a message.
 *
 * Takes    a message as latin1 text, and the name of a header.
 * Returns  its values in order of appearance, lines that go on joined with a space; at most VALUES_MAX. Whether the headers
 *          have an end: where they do not, the message was cut, and the last header with it.
 * Throws   nothing; reads its text once.
 * Source   RFC 3261 §7.3.1.
 */
const VALUES_MAX = 32
const VALUE_MAX_CHARS = 16_384

export function headerValues(text: string, name: string): string[] {
  const values: string[] = []
  const wanted = name.toLowerCase()
  const end = headersEnd(text)
  let isOpen = false
  for (let at = text.indexOf('\n') + 1; at > 0 && at < end; ) {
    const newline = text.indexOf('\n', at)
    const next = newline < 0 || newline > end ? end : newline
    const first = text.charCodeAt(at)
    if (first === 0x20 || first === 0x09) {
      if (isOpen) {
        const last = values.length - 1
        values[last] = `${values[last]} ${text.slice(at, next).trim()}`.slice(0, VALUE_MAX_CHARS)
      }
    } else {
      const colon = text.indexOf(':', at)
      isOpen =
        colon >= 0 &&
        colon < next &&
        values.length < VALUES_MAX &&
        text
          .slice(at, Math.min(colon, at + 64))
          .trim()
          .toLowerCase() === wanted
      if (isOpen)
        values.push(
          text
            .slice(colon + 1, next)
            .trim()
            .slice(0, VALUE_MAX_CHARS),
        )
    }
    at = next + 1
  }
  return values
}

/** Whether an empty line ends the headers. */
export function hasHeadersEnd(text: string): boolean {
  return headersEnd(text) < text.length
}

function headersEnd(text: string): number {
  const crlf = text.indexOf('\n\r\n')
  const lf = text.indexOf('\n\n')
  if (crlf < 0 && lf < 0) return text.length
  return lf < 0 || (crlf >= 0 && crlf < lf) ? crlf + 1 : lf + 1
}
