/** Blocks about the tap: where it listens, agents, what was refused, peers that nobody configured. */
import type { LiveStatus } from '../../schemas/live-status.js'
import { stanzaOf, type UnknownPeer } from '../carriers/unknown-peers.js'
import type { RouteDeps } from '../deps.js'
import type { AgentJson } from '../tap/agents.js'
import { meaningOf } from '../tap/refused.js'
import { bytes, clock, count, duration, NONE, plural } from './format.js'
import { type Html, html } from './html.js'
import type { PageRange } from './layout.js'

/** An agent that was silent for longer is marked. */
const SILENT_S = 120

export function lastFrameWords(deps: RouteDeps): string {
  const { lastFrame } = deps.live()
  if (lastFrame === undefined) return 'no HEP yet'
  const ageS = Math.max(0, (deps.nowUs() - lastFrame.atUs) / 1e6)
  return `last HEP ${agoText(ageS)} from ${lastFrame.peerAddress}`
}

function agoText(seconds: number): string {
  return seconds < 1 ? 'just now' : `${duration(Math.round(seconds))} ago`
}

/** Keep-alives hold no message and are no fault: they are counted apart. */
export function refusedOf(live: LiveStatus): LiveStatus['refused'] {
  return live.refused
    .filter(({ reason, count }) => reason !== 'keepalive' && count > 0)
    .sort((a, b) => b.count - a.count)
}

export function tapStrip(deps: RouteDeps): Html {
  const live = deps.live()
  const { hepUdp, hepTcp } = live.listening
  const refused = refusedOf(live).reduce((sum, entry) => sum + entry.count, 0)
  const frames = live.accepted.reduce((sum, entry) => sum + entry.frames, 0)
  const isBufferShort = live.bufferGrantedBytes > 0 && live.bufferGrantedBytes < live.bufferAskedBytes
  return html`<div class="tap">
<span>HEP ${[hepUdp === '' ? null : html`udp <b>${hepUdp}</b> `, hepTcp === '' ? null : html`tcp <b>${hepTcp}</b>`]}</span>
<span>${lastFrameWords(deps)}</span>
<span><b>${count(frames)}</b> frames accepted</span>
<span><b>${count(refused)}</b> refused</span>
<span class="${live.kernelDrops > 0 ? 'bad' : ''}"><b>${count(live.kernelDrops)}</b> dropped by the kernel</span>
${isBufferShort ? html`<span class="bad" title="raise it with: sysctl -w net.core.rmem_max=${live.bufferAskedBytes}">UDP buffer <b>${bytes(live.bufferGrantedBytes)}</b> of ${bytes(live.bufferAskedBytes)} granted</span>` : null}
<span>spool <b>${bytes(live.spoolLagBytes)}</b> behind</span>
<span>last flush <b>${duration(live.flushSecondsLast)}</b></span>
${live.ready ? null : html`<span class="bad"><b>not ready</b> ${live.problem}</span>`}
</div>`
}

export function agentTable(agents: readonly AgentJson[], range: PageRange): Html {
  if (agents.length === 0) {
    return html`<section><h2>Agents</h2><p class="quiet">No agent was heard of in this range or in the day before its end (by the time of arrival).</p></section>`
  }
  return html`<section><h2>Agents <span class="quiet">frames ${range.words}</span></h2>
<div class="scroll"><table><caption class="hidden">Capture agents</caption>
<thead><tr><th scope="col">Agent</th><th scope="col">Site</th><th scope="col" class="num">Frames</th><th scope="col" class="num">SIP</th><th scope="col" class="num">Unreadable</th><th scope="col" class="num">Cut</th><th scope="col" class="num">Last seen</th></tr></thead>
<tbody>${agents.map((agent) => {
    const isSilent = agent.silent_s > SILENT_S
    return html`<tr><th scope="row"><span class="mono">${agent.agent}</span></th><td>${agent.site === '' ? NONE : agent.site}</td><td class="num">${count(agent.frames)}</td><td class="num">${count(agent.sip_messages)}</td><td class="num${agent.unreadable > 0 ? ' warn' : ''}">${count(agent.unreadable)}</td><td class="num${agent.truncated > 0 ? ' warn' : ''}">${count(agent.truncated)}</td><td class="num${isSilent ? ' bad' : ''}" title="${agent.last_seen}">${isSilent ? `silent for ${duration(agent.silent_s)}` : agoText(agent.silent_s)}</td></tr>`
  })}</tbody></table></div></section>`
}

export function refusedTable(live: LiveStatus): Html {
  const refused = refusedOf(live)
  if (refused.length === 0) {
    return html`<section><h2>Refused</h2><p class="quiet">Nothing was refused since the process started.</p></section>`
  }
  return html`<section><h2>Refused or unreadable <span class="quiet">since the start; <a href="/v1/refused">samples</a></span></h2>
<div class="scroll"><table><caption class="hidden">What was refused, by reason</caption>
<thead><tr><th scope="col">Reason</th><th scope="col">Meaning</th><th scope="col" class="num">Count</th></tr></thead>
<tbody>${refused.map(({ stage, reason, count: times }) => html`<tr><th scope="row"><span class="mono">${reason}</span></th><td class="quiet">${meaningOf(stage, reason)}</td><td class="num">${count(times)}</td></tr>`)}</tbody></table></div></section>`
}

const PEERS_SHOWN = 12

export function unknownPeersSection(peers: readonly UnknownPeer[], range: PageRange): Html | null {
  if (peers.length === 0) return null
  const total = peers.reduce((sum, peer) => sum + peer.attempts + peer.open + peer.incomplete, 0)
  const stanza = stanzaOf(
    peers.map(({ address }) => address),
    peers.filter((peer) => !peer.is_other_end_ours).map((peer) => peer.other_end),
  )
  return html`<section><h2>Unknown peers <span class="quiet">${plural(total, 'attempt')} ${range.words} belong to nobody in the configuration</span></h2>
<div class="steps"><div class="scroll"><table class="plain"><caption class="hidden">Peers that no carrier claims</caption>
<thead><tr><th scope="col">Far side</th><th scope="col">Other end</th><th scope="col">Direction</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Last seen</th></tr></thead>
<tbody>${peers.slice(0, PEERS_SHOWN).map((peer) => html`<tr><th scope="row" class="mono">${peer.address}</th><td class="mono">${peer.other_end}${peer.is_other_end_ours ? html` <span class="badge plain">ours</span>` : null}</td><td>${peer.directions.join(', ')}</td><td class="num">${count(peer.attempts + peer.open + peer.incomplete)}</td><td class="num">${peer.last_seen === null ? NONE : clock(peer.last_seen)}</td></tr>`)}</tbody></table>
${peers.length > PEERS_SHOWN ? html`<p class="quiet small">and ${count(peers.length - PEERS_SHOWN)} more: <a href="/v1/carriers">/v1/carriers</a></p>` : null}</div>
${stanza === '' ? null : html`<div><p class="small quiet">Give them a name in trunkscope.yaml (under <code>customers</code> where it is your own side), then restart:</p><pre class="code">${stanza}</pre></div>`}</div></section>`
}
