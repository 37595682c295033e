/** Blocks about the tap: where it listens, agents, what was refused, peers that nobody configured. */
import type { LiveStatus } from '../../schemas/live-status.js'
import { stanzaOf, type UnknownPeer } from '../carriers/unknown-peers.js'
import type { SeenDeps } from '../deps.js'
import { type AgentJson, readAgents } from '../tap/agents.js'
import { meaningOf } from '../tap/refused.js'
import { THRESHOLDS, VERDICTS, type Verdict } from '../tap/verdict.js'
import { bytes, clock, count, duration, NONE, percent, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { type PageRange, page } from './layout.js'

/** The page at /tap: every number about every agent. */
export async function tapPage(deps: SeenDeps, range: PageRange): Promise<Html> {
  const agents = await readAgents(deps, range)
  return page(deps, {
    title: 'The tap',
    path: '/tap',
    range,
    content: [
      html`<h1>The tap <span class="quiet">${range.words}</span></h1>`,
      html`<section>${tapStrip(deps)}</section>`,
      agents.length === 0 ? noAgents() : agentSection(agents, range),
      refusedTable(deps.live()),
    ],
  })
}

export function lastFrameWords(deps: SeenDeps): string {
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

export function tapStrip(deps: SeenDeps): Html {
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

/** What a verdict is called, and how it looks. */
const SHOWN: Record<Verdict, { word: string; look: string; meaning: string }> = {
  ok: { word: 'ok', look: 'good', meaning: 'it talks, and nothing of it seems to be missing' },
  quiet: { word: 'quiet', look: 'plain', meaning: 'no SIP, and nothing says that there should be some' },
  late: { word: 'late', look: '', meaning: 'its messages come later than they did' },
  skewed: { word: 'clock off', look: '', meaning: 'its clock differs from the collector’s' },
  lossy: {
    word: 'lossy',
    look: 'bad',
    meaning: 'parts of what passes it are missing: its calls may read as incomplete',
  },
  no_sip: { word: 'no SIP', look: 'bad', meaning: 'it lives, and used to send SIP' },
  blind: { word: 'blind', look: 'bad', meaning: 'nothing comes from it, and SIP used to' },
  unknown: { word: 'not known', look: 'plain', meaning: 'the collector cannot tell' },
}

/** The worst first. */
const WORST = [...VERDICTS].reverse()

function noAgents(): Html {
  return html`<section><h2>Agents</h2><p class="quiet">No agent was heard of in this range or in the 8 days before now (by the time of arrival).</p></section>`
}

function verdictBadge(agent: Pick<AgentJson, 'verdict'>): Html {
  const { word, look, meaning } = SHOWN[agent.verdict]
  return html`<span class="badge ${look}" title="${meaning}">${word}</span>`
}

function whyText({ why, also }: AgentJson): Html | null {
  const sentences = [why, ...also.map((finding) => finding.why)].filter((sentence) => sentence !== '')
  return sentences.length === 0 ? null : html`<div class="quiet small">${sentences.join('; ')}</div>`
}

function verdictSummary(agents: readonly AgentJson[]): Html {
  const counts = WORST.map((verdict) => ({
    verdict,
    many: agents.filter((agent) => agent.verdict === verdict).length,
  })).filter(({ many }) => many > 0)
  return html`<span class="quiet">${counts.map(({ verdict, many }) => `${count(many)} ${SHOWN[verdict].word}`).join(', ')} now</span>`
}

function rateText(framesPerS: number): string {
  return `${framesPerS < 10 ? framesPerS.toFixed(1) : count(framesPerS)}\u202f/s`
}

function lastSeenCell(agent: AgentJson): Html {
  const limitS = agent.silence_limit_s ?? THRESHOLDS.silentMinUs / 1e6
  const isSilent = agent.silent_s > limitS
  const look = agent.verdict === 'blind' ? ' bad' : ''
  return html`<td class="num${look}" title="${agent.last_seen}">${isSilent ? `silent for ${duration(agent.silent_s)}` : agoText(agent.silent_s)}</td>`
}

/** The short table of the overview: the worst first. */
export function agentTable(agents: readonly AgentJson[], range: PageRange): Html {
  if (agents.length === 0) return noAgents()
  const sorted = [...agents].sort((a, b) => WORST.indexOf(a.verdict) - WORST.indexOf(b.verdict))
  return html`<section><h2>Agents ${verdictSummary(agents)} <span class="quiet">· frames ${range.words} · <a href="/tap${range.query}">every number</a></span></h2>
<div class="scroll"><table><caption class="hidden">Capture agents</caption>
<thead><tr><th scope="col">Agent</th><th scope="col">Site</th><th scope="col">State now</th><th scope="col" class="num">Frames</th><th scope="col" class="num">Rate</th><th scope="col" class="num">Last seen</th></tr></thead>
<tbody>${sorted
    .slice(0, AGENTS_SHOWN)
    .map(
      (agent) =>
        html`<tr><th scope="row"><span class="mono">${agent.agent}</span></th><td>${agent.site === '' ? NONE : agent.site}</td><td>${verdictBadge(agent)}${whyText(agent)}</td><td class="num">${count(agent.frames)}</td><td class="num">${rateText(agent.frames_per_s)}</td>${lastSeenCell(agent)}</tr>`,
    )}</tbody></table></div>
${agents.length > AGENTS_SHOWN ? html`<p class="quiet small">and ${count(agents.length - AGENTS_SHOWN)} more: <a href="/tap${range.query}">every agent</a></p>` : null}</section>`
}

const AGENTS_SHOWN = 12

function agentSection(agents: readonly AgentJson[], range: PageRange): Html {
  return html`<section><h2>Agents ${verdictSummary(agents)} <span class="quiet">· counts ${range.words}; <a href="/v1/agents">what each number is</a></span></h2>
<div class="scroll"><table class="many"><caption>State, clock and one-sided calls are those of now. A dash: nothing to measure it on.</caption>
<thead><tr><th scope="col">Agent</th><th scope="col">Site</th><th scope="col">State now</th><th scope="col" class="num">Last seen</th><th scope="col" class="num">Frames</th><th scope="col" class="num">SIP</th><th scope="col" class="num">Keep-alives</th><th scope="col" class="num">Refused</th><th scope="col" class="num">Unreadable</th><th scope="col" class="num">Copies</th><th scope="col" class="num">Identity cut</th><th scope="col" class="num">SDP cut</th><th scope="col" class="num">One-sided calls</th><th scope="col" class="num">Clock</th></tr></thead>
<tbody>${agents.map(agentRow)}</tbody></table></div></section>`
}

function agentRow(agent: AgentJson): Html {
  return html`<tr><th scope="row"><span class="mono">${agent.agent}</span></th><td>${agent.site === '' ? NONE : agent.site}</td><td>${verdictBadge(agent)}${whyText(agent)}</td>${lastSeenCell(agent)}<td class="num">${count(agent.frames)} <small>${rateText(agent.frames_per_s)}</small></td><td class="num">${count(agent.sip_messages)}</td><td class="num">${count(agent.keepalives)}</td><td class="num${agent.refused > 0 ? ' warn' : ''}">${count(agent.refused)}</td><td class="num${agent.unreadable > 0 ? ' warn' : ''}">${count(agent.unreadable)}</td>${shareCell(agent.duplicate_ratio, `${count(agent.duplicates)} of ${count(agent.sip_messages)} messages`, THRESHOLDS.cutRatio)}${shareCell(agent.identity_cut_ratio, `${count(agent.identity_cut)} of ${count(agent.identity_seen)} messages with an Identity header`, THRESHOLDS.cutRatio)}${shareCell(agent.sdp_cut_ratio, `${count(agent.sdp_cut)} of ${count(agent.sdp_seen)} messages with SDP`, THRESHOLDS.cutRatio)}${shareCell(agent.one_sided_ratio, `of ${plural(agent.attempts_seen_alone, 'attempt')} that no other agent saw`, THRESHOLDS.oneSidedRatio)}<td class="num" title="${clockTitle(agent)}">${clockText(agent)}</td></tr>`
}

function shareCell(ratio: number | null, doubt: string, limit: number): Html {
  return html`<td class="num${ratio !== null && ratio > limit ? ' warn' : ''}" title="${doubt}">${ratio === null ? NONE : percent(ratio)}</td>`
}

/** "12 ms ahead"; below zero the clock of the agent is the one that runs ahead. */
function clockText({ skew_s: skewS, skew_spread_s: spreadS }: AgentJson): Content {
  if (skewS === null) return NONE
  const words = `${duration(Math.abs(skewS))} ${skewS < 0 ? 'ahead' : 'behind or on the way'}`
  return html`${words} <small>±\u202f${duration(spreadS ?? 0)}</small>`
}

function clockTitle(agent: AgentJson): string {
  const late =
    agent.lateness_s === null ? '' : `; ${duration(agent.lateness_s)} above the smallest of the hour`
  return `${plural(agent.skew_messages, 'message')} with a time of their own${late}`
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
