/** What stands on the page before there are calls: what is known, and what to paste. No blank panels. */
import type { SeenDeps } from '../deps.js'
import { count, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import type { PageRange } from './layout.js'
import { refusedOf } from './refused.js'
import { lastFrameWords, tapStrip } from './tap.js'

export function emptyState(deps: SeenDeps, range: PageRange): Html {
  const live = deps.live()
  if (deps.principal.carriers !== 'all') {
    return html`<section><h2>No calls in the ${range.last === undefined ? 'range' : range.words}</h2></section>`
  }
  const hasStored = live.storedMessages > 0
  return html`<section><h2>${hasStored ? `No calls in the ${range.last === undefined ? 'range' : range.words}` : 'No calls yet'}</h2>
<p>${sentence(deps)}</p>
${hasStored ? html`<p>Messages are stored, so calls may lie outside this range: try <a href="/?last=24h">the last 24 hours</a>.</p>` : null}
${tapStrip(deps)}
${hasStored ? null : snippets(live.listening.hepUdp, live.listening.hepTcp)}</section>`
}

/** "no calls yet: last HEP 12 s ago from 10.0.0.5, 0 decoded, 14 rejected (agent key)". */
function sentence(deps: SeenDeps): Content {
  const live = deps.live()
  const rejected = refusedOf(live)
  const total = rejected.reduce((sum, entry) => sum + entry.count, 0)
  const why = rejected.slice(0, 3).map(({ reason }) => WORDS[reason] ?? reason.replaceAll('_', ' '))
  if (live.lastFrame === undefined && total === 0) {
    return 'Nothing arrived on the HEP port so far. Point a capture agent at it, for example with the lines below.'
  }
  return `${live.storedMessages === 0 ? 'No calls yet: ' : ''}${lastFrameWords(deps)}, ${plural(live.storedMessages, 'message')} decoded and stored, ${count(total)} rejected${why.length === 0 ? '' : ` (${why.join(', ')})`}.`
}

const WORDS: Record<string, string> = {
  key_missing: 'agent key missing',
  key_mismatch: 'agent key',
  not_sip: 'not SIP',
}

function snippets(udp: string, tcp: string): Html {
  const address = udp === '' ? tcp : udp
  const { host, port } = splitAddress(address)
  const isLocal = host === '127.0.0.1' || host === '::1'
  const isAny = host === '0.0.0.0' || host === '::'
  const target = isAny ? 'ADDRESS_OF_THIS_HOST' : host
  return html`<div class="steps">
<div><h3>Kamailio</h3><pre class="code" role="region" tabindex="0" aria-label="Lines for kamailio.cfg">loadmodule "siptrace.so"
modparam("siptrace", "duplicate_uri", "sip:${target}:${port}")
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "hep_capture_id", 2001)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)</pre></div>
<div><h3>heplify <span class="quiet">on the SBC’s host</span></h3><pre class="code" role="region" tabindex="0" aria-label="Command line of heplify">heplify -i any -m SIP -hs ${target}:${port} -hi 2001</pre>
<h3>Is anything arriving?</h3><pre class="code" role="region" tabindex="0" aria-label="Command line of tcpdump">tcpdump -n -i any port ${port}</pre>
${isLocal ? html`<p class="small quiet">Trunkscope listens on ${host} only: an agent on another host needs <code>--hep-udp 0.0.0.0:${port}</code>.</p>` : null}
<p class="small quiet">No agent at hand? <code>npx trunkscope demo</code> sends itself calls.</p></div>
</div>`
}

function splitAddress(address: string): { host: string; port: string } {
  const colon = address.lastIndexOf(':')
  if (colon < 0) return { host: '127.0.0.1', port: '9060' }
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: address.slice(colon + 1) }
}
