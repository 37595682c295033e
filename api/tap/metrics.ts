/**
 * What `/metrics` says about the agents, as Prometheus text.
 *
 * Agent names come out of packets, so the series are bounded: AGENTS_MAX agents, those of a site first, then those that talk
 * the most; names are cut and printable. `trunkscope_tap_agents` counts all of them by verdict.
 */
import { Gauge, Registry } from 'prom-client'
import { TAP_METRICS, type TapMetricName } from '../../schemas/own-metrics.js'
import type { RouteDeps } from '../deps.js'
import { MINUTE_US } from '../time-span.js'
import { type AgentJson, kernelDropRatio, readAgents } from './agents.js'
import { VERDICTS } from './verdict.js'

const AGENTS_MAX = 50
const NAME_MAX_CHARS = 120
const SPAN_MINUTES = 5

type AgentMetric = Exclude<TapMetricName, 'agents' | 'agentVerdict' | 'kernelDrops'>

const OF_AGENT: Record<AgentMetric, (agent: AgentJson) => number | null> = {
  agentSilent: (agent) => agent.silent_s,
  agentFrames: (agent) => agent.frames_per_s,
  agentSkew: (agent) => agent.skew_s,
  agentLateness: (agent) => agent.lateness_s,
  agentDuplicates: (agent) => agent.duplicate_ratio,
  agentIdentityCut: (agent) => agent.identity_cut_ratio,
  agentSdpCut: (agent) => agent.sdp_cut_ratio,
  agentOneSided: (agent) => agent.one_sided_ratio,
}

/** '' before the first frame, and while the store cannot be read: `/readyz` and `trunkscope_ready` tell that. */
export async function tapMetrics(deps: RouteDeps): Promise<string> {
  const { asOfUs } = deps.live()
  if (asOfUs === 0) return ''
  const toUs = Math.ceil(asOfUs / MINUTE_US) * MINUTE_US
  try {
    const agents = await readAgents(deps, { fromUs: toUs - SPAN_MINUTES * MINUTE_US, toUs })
    return await textOf(agents, kernelDropRatio(deps))
  } catch {
    return ''
  }
}

export function textOf(agents: readonly AgentJson[], dropRatio: number | null): Promise<string> {
  const registry = new Registry()
  const gaugeOf = (name: TapMetricName) => {
    const { name: metricName, help, labels } = TAP_METRICS[name]
    return new Gauge({ name: metricName, help, labelNames: [...labels], registers: [registry] })
  }
  const byVerdict = gaugeOf('agents')
  for (const verdict of VERDICTS) {
    byVerdict.set({ verdict }, agents.filter((agent) => agent.verdict === verdict).length)
  }
  const shown = best(agents).map((agent) => ({
    agent,
    labels: { agent: printable(agent.agent), site: agent.site },
  }))
  const verdicts = gaugeOf('agentVerdict')
  for (const { agent, labels } of shown) verdicts.set({ ...labels, verdict: agent.verdict }, 1)
  for (const [name, numberOf] of Object.entries(OF_AGENT)) {
    const gauge = gaugeOf(name as AgentMetric)
    for (const { agent, labels } of shown) {
      const value = numberOf(agent)
      if (value !== null) gauge.set(labels, value)
    }
  }
  if (dropRatio !== null) gaugeOf('kernelDrops').set(dropRatio)
  return registry.metrics()
}

function best(agents: readonly AgentJson[]): AgentJson[] {
  return [...agents]
    .sort(
      (a, b) =>
        Number(b.site !== '') - Number(a.site !== '') ||
        b.history_minutes - a.history_minutes ||
        b.frames - a.frames ||
        (a.agent < b.agent ? -1 : 1),
    )
    .slice(0, AGENTS_MAX)
}

function printable(name: string): string {
  return name.replace(/[^\x20-\x7e\u00a0-\u024f]/g, '?').slice(0, NAME_MAX_CHARS)
}
