/**
 * Diverted calls: each div token says from whom it diverted the call, and must follow a token that was for that one.
 *
 *   base { dest: 1213 }   <-   div { div: 1213, dest: 1214 }   <-   div { div: 1214, dest: 1215 }      Request-URI 1215
 *
 * Takes    all legible tokens of one message, nested ones too, in any order (headers are not ordered); what the Request-URI
 *          and To of the message may be called.
 * Returns  for each token: whether it is in a chain and the chain is whole; what is wrong with it; which tokens it follows,
 *          as indexes; whether a div token says that its destination was diverted.
 * Throws   nothing. Tokens are few (32 headers, OPT_DEPTH_MAX nested), so every pair is looked at.
 * Source   RFC 8946 §3, §4.2 steps 1 and 3, §5.1; metrics.md §6. Signatures are the caller's affair.
 *
 * What a div-o token holds in opt is the only one it can follow; it follows it alone.
 */
import type { Chain, Finding } from '../../schemas/identity-checks.js'

export interface ChainToken {
  ppt: string
  orig: string
  dest: readonly string[]
  div: string
  hasOpt: boolean
  /** Index of the token that holds this one in opt; -1: none. */
  holder: number
  /** Another header than that of any other token with this number. */
  header: number
}

export interface ChainLink {
  chain: Chain
  findings: Finding[]
  previous: number[]
  isDiverted: boolean
}

export function linkChains(tokens: readonly ChainToken[], targets: ReadonlySet<string>): ChainLink[] {
  const links = tokens.map(
    (): ChainLink => ({ chain: 'none', findings: [], previous: [], isDiverted: false }),
  )
  for (const [index, token] of tokens.entries()) {
    if (!isDiv(token)) continue
    links[index]!.previous = previousOf(tokens, index)
    for (const previous of links[index]!.previous) links[previous]!.isDiverted = true
  }
  const ends = tokens.map((_, index) => baseTokens(tokens, links, index, new Set()))
  for (const [index, token] of tokens.entries()) {
    const link = links[index]!
    if (!isDiv(token)) continue
    if (token.ppt === 'div' && token.hasOpt) link.findings.push('div_with_opt')
    const bases = ends[index]!
    if (bases.length === 0) link.findings.push('div_without_previous')
    else if (!followsWithSameOrig(tokens, links, index)) link.findings.push('div_orig_changed')
    if (!link.isDiverted && !token.dest.some((party) => targets.has(party))) {
      link.findings.push('div_last_is_not_target')
    }
  }
  markChains(tokens, links)
  return links
}

const isDiv = ({ ppt }: ChainToken) => ppt === 'div' || ppt === 'div-o'

function previousOf(tokens: readonly ChainToken[], index: number): number[] {
  const { div, ppt, header } = tokens[index]!
  if (div === '') return []
  return tokens.flatMap((candidate, other) => {
    const mayPrecede =
      ppt === 'div-o' ? candidate.holder === index : candidate.holder < 0 && candidate.header !== header
    return mayPrecede && candidate.dest.includes(div) ? [other] : []
  })
}

/** Tokens that are no div tokens, at the beginning of the chains that lead to this one; a ring leads to none. */
function baseTokens(
  tokens: readonly ChainToken[],
  links: readonly ChainLink[],
  index: number,
  seen: Set<number>,
): number[] {
  if (seen.has(index)) return []
  seen.add(index)
  if (!isDiv(tokens[index]!)) return [index]
  return links[index]!.previous.flatMap((previous) => baseTokens(tokens, links, previous, seen))
}

/** One of the tokens it follows has its originator: other chains of the message may have others. */
function followsWithSameOrig(
  tokens: readonly ChainToken[],
  links: readonly ChainLink[],
  index: number,
): boolean {
  const { orig } = tokens[index]!
  const same = links[index]!.previous.filter((previous) => tokens[previous]!.orig === orig)
  links[index]!.previous = same.length > 0 ? same : links[index]!.previous
  return orig !== '' && same.length > 0
}

/** A chain is broken for all its tokens when one link is: the one that breaks says why. */
function markChains(tokens: readonly ChainToken[], links: ChainLink[]): void {
  const broken = new Set(links.flatMap(({ findings }, index) => (findings.length > 0 ? [index] : [])))
  const neighbours = tokens.map((_, index) => [...links[index]!.previous])
  for (const [index, { previous }] of links.entries()) {
    for (const other of previous) neighbours[other]!.push(index)
  }
  for (const [index, link] of links.entries()) {
    if (!isDiv(tokens[index]!) && !link.isDiverted) continue
    link.chain = reaches(neighbours, index, broken) ? 'broken' : 'whole'
  }
}

function reaches(neighbours: readonly number[][], from: number, goals: ReadonlySet<number>): boolean {
  const seen = new Set([from])
  const queue = [from]
  for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
    if (goals.has(index)) return true
    for (const next of neighbours[index]!) {
      if (!seen.has(next)) {
        seen.add(next)
        queue.push(next)
      }
    }
  }
  return false
}
