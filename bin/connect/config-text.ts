/**
 * The text of a configuration file: its values as plain data, and the line each of them stands on.
 *
 * Takes    YAML 1.2, and therefore JSON too.
 * Returns  the data and `lineOf`, or the places where the text is not YAML. A key without a value counts as absent.
 * Throws   nothing.
 */
import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml'

export type ConfigPath = readonly (string | number)[]

export interface ConfigText {
  /** null for an empty file. */
  data: unknown
  /** Line of the value at the path, or of the nearest thing around it; of its key when `key` is true. From 1. */
  lineOf(path: ConfigPath, key?: boolean): number
}

export interface SyntaxMistake {
  line: number
  problem: string
}

const SYNTAX_WORDS: Partial<Record<ErrorCode, string>> = {
  DUPLICATE_KEY: 'this key stands twice in its block; join the two, or remove one',
  MULTIPLE_DOCS: 'a second document begins here ("---"); write one document a file',
  TAB_AS_INDENT: 'a tab indents this line; write spaces',
}

export function readConfigText(text: string): ConfigText | { mistakes: SyntaxMistake[] } {
  const lines = new LineCounter()
  const document = parseDocument(text.replace(/^\uFEFF/, ''), { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    return {
      mistakes: document.errors.map((error) => ({
        line: lineWithText(text, lines.linePos(error.pos[0]).line),
        problem:
          SYNTAX_WORDS[error.code] ?? `${error.message}; look at the dashes, colons and quotes of this line`,
      })),
    }
  }
  let data: unknown
  try {
    data = withoutEmpty(document.toJS())
  } catch (error) {
    // An alias without an anchor, or more aliases than the reader is willing to follow.
    const line = lines.linePos(firstAlias(document)?.range?.[0] ?? 0).line
    return { mistakes: [{ line, problem: `${(error as Error).message}; write the values out` }] }
  }
  return { data, lineOf: (path, key = false) => lineOf(document, lines, path, key) }
}

/** What is never closed is noticed at the end of the file: the line to look at is the last one that says something. */
function lineWithText(text: string, line: number): number {
  const rows = text.split('\n')
  for (let at = line; at > 0; at--) if (/^\s*[^\s#]/.test(rows[at - 1] ?? '')) return at
  return line
}

function firstAlias(document: Document): Node | undefined {
  let found: Node | undefined
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return undefined
      found = alias
      return visit.BREAK
    },
  })
  return found
}

/** Drops keys whose value is missing: `carriers:` with nothing behind it is a list nobody has filled in yet. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, withoutEmpty(inner)]),
  )
}

function lineOf(document: Document, lines: LineCounter, path: ConfigPath, key: boolean): number {
  let node: unknown = document.contents
  let offset = offsetOf(node) ?? 0
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document)
    let next: unknown
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => (isScalar(item.key) ? String(item.key.value) : '') === String(step),
      )
      if (pair === undefined) break
      const wantsKey = key && index === path.length - 1
      offset = offsetOf(pair.key) ?? offset
      // The block of a key begins a line below it; the key itself is the better place to look at.
      if (!wantsKey && isScalar(pair.value)) offset = offsetOf(pair.value) ?? offset
      next = pair.value
    } else if (isSeq(node) && typeof step === 'number') {
      next = node.items[step]
      offset = offsetOf(next) ?? offset
    } else {
      break
    }
    node = next
  }
  return lines.linePos(offset).line
}

function offsetOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0]
}

/** carriers[1].peers[0].cidr */
export function pathText(path: ConfigPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? step : `${text}.${step}`
  }, '')
}
