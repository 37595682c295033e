/** Blocks about the tap: where it listens, agents, what was refused, peers that nobody configured. */
import { stanzaOf, type UnknownPeer } from '../carriers/unknown-peers.js'
import type { SeenDeps } from '../deps.js'
import { type AgentJson, readAgents } from '../tap/agents.js'
import { readRefused } from '../tap/refused.js'
import { THRESHOLDS, VERDICTS, type Verdict } from '../tap/verdict.js'
import { bytes, clock, count, duration, NONE, percent, plural } from './format.js'
import { type Content, type Html, html } from './html.js'
import { type PageRange, page } from './layout.js'
import { moment } from './moment.js'
import { refusedOf, refusedTable, samplesSection, seesSamples } from './refused.js'
import { table } from './table.js'

const SAMPLES_SHOWN = 3

/** The page at /tap: every number about every agent. */
export async function tapPage(deps: SeenDeps, range: PageRange): Promise<Html> {
  const [agents, refused] = await Promise.all([
    readAgents(deps, range),
    seesSamples(deps) ? readRefused(deps.readers, deps.live(), SAMPLES_SHOWN) : [],
  ])
  return page(deps, {
    title: 'The tap',
    path: '/tap',
    range,
    content: [
      html`<div class="title"><h1>The tap</h1> <p class="quiet">${range.words}</p></div>`,
      html`<section>${tapStrip(deps)}</section>`,
      agents.length === 0 ? noAgents() : agentSection(agents, range),
      refusedTable(deps),
      samplesSection(refused),
      statesSection(),
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

function statesSection(): Html {
  return html`<section><h2>What the states mean</h2><div class="facts"><dl>${WORST.map((verdict) => html`<dt>${SHOWN[verdict].word}</dt><dd>${SHOWN[verdict].meaning}</dd>`)}</dl></div></section>`
}

function whyText({ why, also }: AgentJson): Html | null {
  const sentences = [why, ...also.map((finding) => finding.why)].filter((sentence) => sentence !== '')
  return sentences.length === 0 ? null : html`<div class="quiet small">${sentences.join('; ')}</div>`
}

function verdictSummary(agents: readonly AgentJson[]): string {
  const counts = WORST.map((verdict) => ({
    verdict,
    many: agents.filter((agent) => agent.verdict === verdict).length,
  })).filter(({ many }) => many > 0)
  return `${counts.map(({ verdict, many }) => `${count(many)} ${SHOWN[verdict].word}`).join(', ')} now`
}

function rateText(framesPerS: number): string {
  return `${framesPerS < 10 ? framesPerS.toFixed(1) : count(framesPerS)}\u202f/s`
}

function lastSeenCell(agent: AgentJson): Html {
  const limitS = agent.silence_limit_s ?? THRESHOLDS.silentMinUs / 1e6
  const isSilent = agent.silent_s > limitS
  const look = agent.verdict === 'blind' ? ' bad' : ''
  return html`<td class="num${look}">${moment(agent.last_seen, isSilent ? `silent for ${duration(agent.silent_s)}` : agoText(agent.silent_s))}</td>`
}

/** The short table of the overview: the worst first. */
export function agentTable(agents: readonly AgentJson[], range: PageRange): Html {
  if (agents.length === 0) return noAgents()
  const sorted = [...agents].sort((a, b) => WORST.indexOf(a.verdict) - WORST.indexOf(b.verdict))
  return html`<section><div class="title"><h2>Agents</h2> <p class="quiet">${verdictSummary(agents)} · frames ${range.words} · <a href="/tap${range.query}">every number</a></p></div>
${table(
  'Capture agents',
  html`<th scope="col">Agent</th><th scope="col">Site</th><th scope="col">State now</th><th scope="col" class="num">Frames</th><th scope="col" class="num">Rate</th><th scope="col" class="num">Last seen</th>`,
  sorted
    .slice(0, AGENTS_SHOWN)
    .map(
      (agent) =>
        html`<tr><th scope="row"><span class="mono">${agent.agent}</span></th><td>${agent.site === '' ? NONE : agent.site}</td><td>${verdictBadge(agent)}${whyText(agent)}</td><td class="num">${count(agent.frames)}</td><td class="num">${rateText(agent.frames_per_s)}</td>${lastSeenCell(agent)}</tr>`,
    ),
)}
${agents.length > AGENTS_SHOWN ? html`<p class="quiet small">and ${count(agents.length - AGENTS_SHOWN)} more: <a href="/tap${range.query}">every agent</a></p>` : null}</section>`
}

const AGENTS_SHOWN = 12

function agentSection(agents: readonly AgentJson[], range: PageRange): Html {
  return html`<section><div class="title"><h2>Agents</h2> <p class="quiet">${verdictSummary(agents)} · counts ${range.words}; <a href="/v1/agents">what each number is</a></p></div>
<p class="quiet small">State, clock and one-sided calls are those of now. A dash: nothing to measure it on.</p>
${table('Capture agents, every number', html`<th scope="col">Agent</th><th scope="col">Site</th><th scope="col">State now</th><th scope="col" class="num">Last seen</th><th scope="col" class="num">Frames</th><th scope="col" class="num">SIP</th><th scope="col" class="num">Keep-alives</th><th scope="col" class="num">Refused</th><th scope="col" class="num">Unreadable</th><th scope="col" class="num">Copies</th><th scope="col" class="num">Identity cut</th><th scope="col" class="num">SDP cut</th><th scope="col" class="num">One-sided calls</th><th scope="col" class="num">Clock</th>`, agents.map(agentRow), { look: 'many' })}</section>`
}

function agentRow(agent: AgentJson): Html {
  return html`<tr><th scope="row"><span class="mono">${agent.agent}</span></th><td>${agent.site === '' ? NONE : agent.site}</td><td>${verdictBadge(agent)}${whyText(agent)}</td>${lastSeenCell(agent)}<td class="num">${count(agent.frames)} <small>${rateText(agent.frames_per_s)}</small></td><td class="num">${count(agent.sip_messages)}</td><td class="num">${count(agent.keepalives)}</td><td class="num${agent.refused > 0 ? ' warn' : ''}">${count(agent.refused)}</td><td class="num${agent.unreadable > 0 ? ' warn' : ''}">${count(agent.unreadable)}</td>${shareCell(agent.duplicate_ratio, `${count(agent.duplicates)} of ${count(agent.sip_messages)}`, THRESHOLDS.cutRatio)}${shareCell(agent.identity_cut_ratio, `${count(agent.identity_cut)} of ${count(agent.identity_seen)}`, THRESHOLDS.cutRatio)}${shareCell(agent.sdp_cut_ratio, `${count(agent.sdp_cut)} of ${count(agent.sdp_seen)}`, THRESHOLDS.cutRatio)}${shareCell(agent.one_sided_ratio, `of ${plural(agent.attempts_seen_alone, 'attempt')}`, THRESHOLDS.oneSidedRatio)}<td class="num wraps">${clockText(agent)}<br><small>${clockDoubt(agent)}</small></td></tr>`
}

function shareCell(ratio: number | null, doubt: string, limit: number): Html {
  return html`<td class="num${ratio !== null && ratio > limit ? ' warn' : ''}">${ratio === null ? NONE : html`${percent(ratio)}<br><small>${doubt}</small>`}</td>`
}

/** "12 ms ahead"; below zero the clock of the agent is the one that runs ahead. */
function clockText({ skew_s: skewS, skew_spread_s: spreadS }: AgentJson): Content {
  if (skewS === null) return NONE
  const words = `${duration(Math.abs(skewS))} ${skewS < 0 ? 'ahead' : 'behind or on the way'}`
  return html`${words} <small>±\u202f${duration(spreadS ?? 0)}</small>`
}

function clockDoubt(agent: AgentJson): string {
  const late = agent.lateness_s === null ? '' : `; ${duration(agent.lateness_s)} late`
  return agent.skew_s === null ? '' : `${plural(agent.skew_messages, 'message')}${late}`
}

const PEERS_SHOWN = 12

export function unknownPeersSection(peers: readonly UnknownPeer[], range: PageRange): Html | null {
  if (peers.length === 0) return null
  const total = peers.reduce((sum, peer) => sum + peer.attempts + peer.open + peer.incomplete, 0)
  const stanza = stanzaOf(
    peers.map(({ address }) => address),
    peers.filter((peer) => !peer.is_other_end_ours).map((peer) => peer.other_end),
  )
  return html`<section><div class="title"><h2>Unknown peers</h2> <p class="quiet">${plural(total, 'attempt')} ${range.words} belong to nobody in the configuration</p></div>
<div class="steps"><div>${table(
    'Peers that no carrier claims',
    html`<th scope="col">Far side</th><th scope="col">Other end</th><th scope="col">Direction</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Last seen</th>`,
    peers
      .slice(0, PEERS_SHOWN)
      .map(
        (peer) =>
          html`<tr><th scope="row" class="mono">${peer.address}</th><td class="mono">${peer.other_end}${peer.is_other_end_ours ? html` <span class="badge plain">ours</span>` : null}</td><td>${peer.directions.join(', ')}</td><td class="num">${count(peer.attempts + peer.open + peer.incomplete)}</td><td class="num">${peer.last_seen === null ? NONE : clock(peer.last_seen)}</td></tr>`,
      ),
    { look: 'plain' },
  )}
${peers.length > PEERS_SHOWN ? html`<p class="quiet small">and ${count(peers.length - PEERS_SHOWN)} more: <a href="/v1/carriers">/v1/carriers</a></p>` : null}</div>
${stanza === '' ? null : html`<div><p class="small quiet">Give them a name in trunkscope.yaml (under <code>customers</code> where it is your own side), then restart:</p><pre class="code" role="region" tabindex="0" aria-label="Lines for trunkscope.yaml">${stanza}</pre></div>`}</div></section>`
}
