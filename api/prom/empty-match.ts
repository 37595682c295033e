/**
 * Whether an expression of RE2 matches the empty text, found by reading it: a selector needs a matcher that refuses "", and
 * an expression from outside never runs in JavaScript's engine, which can be made to hang.
 *
 *   expression => branch ('|' branch)*            branch => repeat*
 *   repeat     => one ('*' | '+' | '?' | '{n}' | '{n,}' | '{n,m}') '?'?
 *   one        => '(' ('?' flags ':' | '?P<name>')? expression ')' | class | escape | '^' | '$' | '.' | character
 *
 * Takes    the expression, anchored or not: on the empty text that makes no difference.
 * Returns  true or false, exactly: on the empty text `^`, `$`, `\A`, `\z`, `\B` hold and `\b` does not.
 * Throws   PromError `bad_data` for what is no RE2, so that the store does not have to.
 * Source   https://github.com/google/re2/wiki/Syntax
 */
import { badData } from './refusals.js'

const REPEAT_MAX = 1_000
const GROUPS_DEEP_MAX = 100

/** Escapes that stand for no text; the value: does it hold on the empty text? */
const ASSERTIONS: Readonly<Record<string, boolean>> = { A: true, z: true, B: true, b: false }

export function matchesEmpty(expression: string, at: number): boolean {
  const reader = new ExpressionReader(expression, at)
  return reader.whole()
}

class ExpressionReader {
  readonly #text: string
  readonly #at: number
  #position = 0
  #depth = 0

  constructor(text: string, at: number) {
    this.#text = text
    this.#at = at
  }

  whole(): boolean {
    const empty = this.#expression()
    if (this.#position < this.#text.length) throw this.#bad('unexpected )')
    return empty
  }

  #expression(): boolean {
    let empty = this.#branch()
    while (this.#take('|')) empty = this.#branch() || empty
    return empty
  }

  #branch(): boolean {
    let empty = true
    while (this.#position < this.#text.length && !this.#sees('|') && !this.#sees(')')) {
      empty = this.#repeat() && empty
    }
    return empty
  }

  #repeat(): boolean {
    if (/[*+?]/.test(this.#next()) || this.#count() !== undefined)
      throw this.#bad('missing argument to repetition')
    const isFlags = this.#takeMatch(/^\(\?[imsU]*(?:-[imsU]+)?\)/) !== undefined
    let empty = isFlags ? true : this.#one()
    if (this.#take('*') || this.#take('?')) empty = true
    else if (this.#take('+')) {
      // As often as the text asks: no more empty than before.
    } else {
      const count = this.#count()
      if (count === undefined) return empty
      this.#position += count.length
      empty = empty || count.min === 0
    }
    this.#take('?')
    if (/^[*+?]/.test(this.#rest(1)) || this.#count() !== undefined) throw this.#bad('nested repetition')
    return empty
  }

  /** `{2,5}`, not yet taken; a brace that is no repetition stands for itself. */
  #count(): { min: number; length: number } | undefined {
    const [whole, min, , max] = /^\{(\d{1,9})(,(\d{1,9})?)?\}/.exec(this.#rest(24)) ?? []
    if (whole === undefined) return undefined
    if (Number(min) > REPEAT_MAX || Number(max ?? 0) > REPEAT_MAX || Number(max ?? min) < Number(min)) {
      throw this.#bad(`repetition ${whole}`)
    }
    return { min: Number(min), length: whole.length }
  }

  #one(): boolean {
    const next = this.#next()
    this.#position += 1
    if (next === '(') return this.#group()
    if (next === '[') return this.#characterClass()
    if (next === '\\') return this.#escape()
    return next === '^' || next === '$'
  }

  #group(): boolean {
    if (this.#sees('?') && this.#takeMatch(/^\?(?:[imsU]*(?:-[imsU]+)?:|P<\w+>)/) === undefined) {
      throw this.#bad('group of an unknown kind')
    }
    this.#depth += 1
    if (this.#depth > GROUPS_DEEP_MAX) throw this.#bad('too many groups in one another')
    const empty = this.#expression()
    this.#depth -= 1
    if (!this.#take(')')) throw this.#bad('missing )')
    return empty
  }

  /** A class is one character, whichever. */
  #characterClass(): false {
    this.#take('^')
    let isFirst = true
    while (isFirst || !this.#sees(']')) {
      isFirst = false
      if (this.#position >= this.#text.length) throw this.#bad('missing ]')
      if (this.#takeMatch(/^\[:\^?\w+:\]/) !== undefined) continue
      if (this.#take('\\')) this.#escape()
      else this.#position += 1
    }
    this.#position += 1
    return false
  }

  #escape(): boolean {
    const next = this.#rest(1)
    if (next === '') throw this.#bad('\\ at the end')
    if (next === 'Q') {
      const end = this.#text.indexOf('\\E', this.#position)
      const from = this.#position + 1
      this.#position = end === -1 ? this.#text.length : end + 2
      return (end === -1 ? this.#text.length : end) === from
    }
    const known = this.#takeMatch(
      /^(?:[AzBbdDsSwWafnrtv]|[pP][A-Z]|[pP]\{\^?\w+\}|x[0-9a-fA-F]{2}|x\{[0-9a-fA-F]{1,6}\}|[1-7][0-7]{1,2}|0[0-7]{0,2}|[!-/:-@[-`{-~ ])/,
    )
    if (known === undefined) throw this.#bad(`escape \\${next}`)
    return ASSERTIONS[known] ?? false
  }

  #sees(character: string): boolean {
    return this.#text[this.#position] === character
  }

  #take(character: string): boolean {
    if (!this.#sees(character)) return false
    this.#position += 1
    return true
  }

  #takeMatch(pattern: RegExp): string | undefined {
    const [found] = pattern.exec(this.#rest(64)) ?? []
    this.#position += found?.length ?? 0
    return found
  }

  #next(): string {
    return this.#text[this.#position] ?? ''
  }

  #rest(length: number): string {
    return this.#text.slice(this.#position, this.#position + length)
  }

  #bad(what: string): Error {
    return badData(`${what} in the expression, after ${this.#position} characters`, this.#at)
  }
}
