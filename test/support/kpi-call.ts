/**
 * One call of a flow: which transactions there are, and how the next message looks as SIP text. `kpi-flow.ts` says what
 * is written by itself.
 *
 * Source   RFC 3261 §8.1.1, §9.1, §12.2, §13.2.2.4, §17.1.1.3: which Via branch, CSeq and tags a message bears.
 */
import { readFileSync } from 'node:fs'
import type { FlowEvent } from './kpi-language.js'
import { identityValue } from './kpi-tokens.js'

export interface Routed {
  from: string
  to: string
  text: string
}

interface Transaction {
  method: string
  cseq: number
  branch: string
  fromCallee: boolean
  requestUri: string
  /** The callee's tag as the request bears it; '' outside a dialog. */
  calleeTag: string
  /** The callee's tag in its responses. */
  answerTag: string
  /** The first one; 0 while there is none. */
  finalCode: number
  /** The messages written so far, by method or status code. */
  written: Map<string, string>
}

type Header = [name: string, value: string]

export class Call {
  readonly #transactions: Transaction[] = []
  readonly #caller = '+12155550100'
  #callee = '+13035550123'
  #dialogTag = ''
  #isAnswered = false

  /** @param folder where identity=@file lies */
  constructor(
    readonly name: string,
    readonly callId: string,
    readonly source: string,
    readonly destination: string,
    readonly folder: string,
  ) {}

  message(event: FlowEvent): Routed {
    return /^\d/.test(event.what) ? this.#response(event) : this.#request(event)
  }

  #request(event: FlowEvent): Routed {
    const transaction = this.#transactionOf(event)
    const text = again(transaction, event) ?? this.#requestText(event, transaction)
    transaction.written.set(event.what, text)
    return this.#routed(text, transaction.fromCallee)
  }

  #response(event: FlowEvent): Routed {
    const transaction = this.#answered(event)
    const code = Number(event.what)
    const isBare = code === 100 && transaction.calleeTag === ''
    const tag = isBare ? '' : (keyOf(event, 'tag') ?? transaction.answerTag)
    const text = again(transaction, event) ?? this.#responseText(event, transaction, tag)
    transaction.written.set(event.what, text)
    if (code >= 200 && transaction.finalCode === 0) transaction.finalCode = code
    if (transaction.method === 'INVITE' && tag !== '' && code < 300 && !this.#isAnswered) {
      if (code >= 200 || this.#dialogTag === '') this.#dialogTag = tag
      this.#isAnswered = code >= 200
    }
    return this.#routed(text, !transaction.fromCallee)
  }

  #routed(text: string, fromCallee: boolean): Routed {
    const [from, to] = fromCallee ? [this.destination, this.source] : [this.source, this.destination]
    return { from, to, text }
  }

  #last(method: string): Transaction | undefined {
    return this.#transactions.findLast((one) => one.method === method)
  }

  /** The transaction a request belongs to; a new one where it opens one, or where its INVITE was never written. */
  #transactionOf(event: FlowEvent): Transaction {
    const fromCallee = keyOf(event, 'from') === 'callee'
    const last = this.#last(event.what)
    if (event.what === 'CANCEL' || event.what === 'ACK') {
      const invite = this.#invite(event) ?? this.#open('INVITE', event, false)
      if (event.what === 'CANCEL' || invite.finalCode >= 300) return invite
      return { ...invite, branch: this.#branch(`${invite.cseq}ack`), calleeTag: this.#dialogTag }
    }
    const isAgain =
      last !== undefined &&
      last.finalCode === 0 &&
      last.fromCallee === fromCallee &&
      this.#isNamed(last, event)
    return isAgain ? last : this.#open(event.what, event, fromCallee)
  }

  /** The INVITE that cseq= and branch= name, else the last. */
  #invite(event: FlowEvent): Transaction | undefined {
    return this.#transactions.findLast((one) => one.method === 'INVITE' && this.#isNamed(one, event))
  }

  #isNamed(transaction: Transaction, event: FlowEvent): boolean {
    const cseq = keyOf(event, 'cseq')
    const branch = keyOf(event, 'branch')
    return (
      (cseq === undefined || !isNumber(cseq) || transaction.cseq === Number(cseq)) &&
      (branch === undefined || transaction.branch === this.#branch(branch))
    )
  }

  /** The transaction that a response answers; where its request was never written, one that nobody saw begin. */
  #answered(event: FlowEvent): Transaction {
    const cseq = keyOf(event, 'cseq')
    const method = cseq === undefined || isNumber(cseq) ? 'INVITE' : cseq
    if (method === 'INVITE') return this.#invite(event) ?? this.#open('INVITE', event, false)
    if (method !== 'CANCEL') {
      return this.#last(method) ?? this.#open(method, event, keyOf(event, 'from') === 'callee')
    }
    const invite = this.#last('INVITE') ?? this.#open('INVITE', event, false)
    const present = this.#last('CANCEL')
    if (present?.branch === invite.branch) return present
    const cancel = { ...invite, method, finalCode: 0, written: new Map<string, string>() }
    this.#transactions.push(cancel)
    return cancel
  }

  /** A new transaction: its CSeq is the next of its sender. */
  #open(method: string, event: FlowEvent, fromCallee: boolean): Transaction {
    const isRequest = event.what === method
    const tag = isRequest ? keyOf(event, 'tag') : undefined
    const isTry = method === 'INVITE' && !this.#isAnswered && !fromCallee && tag === undefined
    const mine = this.#transactions.filter((one) => one.fromCallee === fromCallee).map((one) => one.cseq)
    const tries = this.#transactions.filter((one) => one.method === 'INVITE' && one.calleeTag === '').length
    const cseq = keyOf(event, 'cseq') ?? ''
    const ruri = isRequest ? keyOf(event, 'ruri') : undefined
    if (ruri !== undefined && this.#transactions.length === 0) this.#callee = ruri
    const calleeTag = isTry ? '' : (tag ?? (this.#dialogTag || `${this.name}.1`))
    const target = fromCallee
      ? uriOf(this.#caller, this.source)
      : uriOf(ruri ?? this.#callee, this.destination)
    const transaction: Transaction = {
      method,
      cseq: isNumber(cseq) ? Number(cseq) : Math.max(0, ...mine) + 1,
      branch: this.#branch(keyOf(event, 'branch') ?? `${this.#transactions.length + 1}`),
      fromCallee,
      requestUri: target,
      calleeTag,
      answerTag: isTry ? `${this.name}.${tries + 1}` : calleeTag,
      finalCode: 0,
      written: new Map(),
    }
    this.#transactions.push(transaction)
    return transaction
  }

  #branch(name: string): string {
    return `z9hG4bK.${this.callId.replace(/@.*/, '')}.${name}`
  }

  #requestText(event: FlowEvent, transaction: Transaction): string {
    const here = transaction.fromCallee ? this.destination : this.source
    const headers: Header[] = [
      ['Via', `SIP/2.0/UDP ${here}:5060;branch=${transaction.branch}`],
      ['Max-Forwards', '69'],
      ...this.#dialog(transaction.fromCallee, this.#calleeTagOf(event.what, transaction)),
      ['CSeq', `${transaction.cseq} ${event.what}`],
    ]
    if (event.what === 'INVITE') headers.push(['Contact', `<sip:${here}:5060>`])
    for (const { key, value } of event.keys) {
      if (key === 'identity') headers.push(['Identity', this.#identity(value)])
      if (key === 'pai')
        headers.push(['P-Asserted-Identity', value.includes(':') ? value : `<${uriOf(value, here)}>`])
      if (key === 'reason') headers.push(['Reason', value])
    }
    const body = this.#body(event, event.what === 'INVITE' ? 'offer' : undefined)
    return assemble(`${event.what} ${transaction.requestUri} SIP/2.0`, headers, event, body)
  }

  #calleeTagOf(method: string, transaction: Transaction): string {
    if (method === 'CANCEL') return ''
    return method === 'ACK' ? transaction.calleeTag || transaction.answerTag : transaction.calleeTag
  }

  #responseText(event: FlowEvent, transaction: Transaction, tag: string): string {
    const client = transaction.fromCallee ? this.destination : this.source
    const headers: Header[] = [
      ['Via', `SIP/2.0/UDP ${client}:5060;branch=${transaction.branch};received=${client}`],
      ...this.#dialog(transaction.fromCallee, tag),
      ['CSeq', `${transaction.cseq} ${transaction.method}`],
    ]
    for (const { key, value } of event.keys) if (key === 'reason') headers.push(['Reason', value])
    const isAnswer = transaction.method === 'INVITE' && event.what.startsWith('2')
    const phrase = keyOf(event, 'phrase') ?? PHRASES[event.what] ?? 'Something'
    return assemble(
      `SIP/2.0 ${event.what} ${phrase}`,
      headers,
      event,
      this.#body(event, isAnswer ? 'answer' : undefined),
    )
  }

  #dialog(fromCallee: boolean, calleeTag: string): Header[] {
    const caller = `<${uriOf(this.#caller, this.source)}>;tag=${this.name}`
    const bare = `<${uriOf(this.#callee, this.destination)}>`
    const callee = calleeTag === '' ? bare : `${bare};tag=${calleeTag}`
    return [
      ['From', fromCallee ? callee : caller],
      ['To', fromCallee ? caller : callee],
      ['Call-ID', this.callId],
    ]
  }

  #identity(value: string): string {
    if (!value.startsWith('@')) return identityValue(value, this.#caller, this.#callee)
    return readFileSync(`${this.folder}/${value.slice(1)}`, 'latin1').trim()
  }

  /** Same name, same SDP; an address behind @ is where the media is, else that of the caller. */
  #body(event: FlowEvent, usual: string | undefined): string {
    const name = keyOf(event, 'sdp') ?? usual
    if (name === undefined || name === 'none') return ''
    const [stream = '', address = this.source] = name.split('@')
    let port = 0
    for (const char of stream) port = (port * 31 + char.charCodeAt(0)) % 20_000
    return (
      `v=0\r\no=- 1 1 IN IP4 ${this.source}\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\n` +
      `m=audio ${20_000 + port * 2} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n`
    )
  }
}

export function keyOf(event: FlowEvent, key: string): string | undefined {
  return event.keys.find((word) => word.key === key)?.value
}

/** Without a key that shapes it, what was written already is the same message again. */
function again(transaction: Transaction, event: FlowEvent): string | undefined {
  const isPlain = event.keys.every((word) => ['agent', 'late', 'cseq', 'branch', 'from'].includes(word.key))
  return isPlain ? transaction.written.get(event.what) : undefined
}

/** Header lines of h.<Header> keys replace those of the same name. */
function assemble(startLine: string, headers: Header[], event: FlowEvent, body: string): string {
  if (body !== '') headers.push(['Content-Type', 'application/sdp'])
  headers.push(['Content-Length', String(body.length)])
  const replaced = new Set<string>()
  let all = headers
  for (const { key, value } of event.keys) {
    if (!key.startsWith('h.')) continue
    const name = key.slice(2)
    if (!replaced.has(name)) all = all.filter(([present]) => present.toLowerCase() !== name.toLowerCase())
    replaced.add(name)
    if (value !== '') all.push([name, value])
  }
  return `${startLine}\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

const isNumber = (text: string) => /^\d+$/.test(text)

function uriOf(number: string, host: string): string {
  return number.includes(':') ? number : `sip:${number}@${host};user=phone`
}

const PHRASES: Record<string, string> = {
  100: 'Trying',
  180: 'Ringing',
  181: 'Call Is Being Forwarded',
  182: 'Queued',
  183: 'Session Progress',
  199: 'Early Dialog Terminated',
  200: 'OK',
  302: 'Moved Temporarily',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  422: 'Session Interval Too Small',
  480: 'Temporarily Unavailable',
  486: 'Busy Here',
  487: 'Request Terminated',
  500: 'Server Internal Error',
  503: 'Service Unavailable',
  504: 'Server Time-out',
  600: 'Busy Everywhere',
  603: 'Decline',
}
