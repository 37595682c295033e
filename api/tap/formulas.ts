/** The numbers about agents, each said once: `/v1/agents` carries them, docs/tap-health.md gives the reasons. */
export const FORMULAS = {
  frames_per_s: {
    unit: 'frames/s',
    formula: 'frames of the range / seconds of the range up to as_of',
  },
  duplicate_ratio: {
    unit: 'ratio',
    formula: 'duplicates / sip_messages; null without SIP messages',
  },
  identity_cut_ratio: {
    unit: 'ratio',
    formula: 'identity_cut / identity_seen; null when no message had an Identity header',
  },
  sdp_cut_ratio: {
    unit: 'ratio',
    formula: 'sdp_cut / sdp_seen; null when no message had SDP',
  },
  silence_limit_s: {
    unit: 's',
    formula:
      'max(120, 5 x longest gap between two minutes with SIP, in the hour up to the last SIP message); null with fewer than 3 such minutes',
  },
  skew_s: {
    unit: 's',
    formula:
      'median over the last 15 minutes of the smallest (received - captured) of each minute; negative: the clock of the agent runs ahead; null without timed messages',
  },
  skew_spread_s: {
    unit: 's',
    formula: 'highest - lowest of those minutes: the doubt of skew_s',
  },
  lateness_s: {
    unit: 's',
    formula:
      'smallest (received - captured) of the last 3 minutes - smallest of the last 60; null without timed messages',
  },
  attempts_seen_alone: {
    unit: 'attempts',
    formula: 'settled attempts that no other agent saw, from 35 to 5 minutes before as_of',
  },
  one_sided_ratio: {
    unit: 'ratio',
    formula:
      'attempts_seen_alone of which only responses were seen, or an INVITE and an ACK and no response / attempts_seen_alone; null without any',
  },
  kernel_drop_ratio: {
    unit: 'ratio',
    formula:
      'datagrams the kernel dropped / (dropped + accepted), of all agents over the last 15 minutes; null where none came',
  },
} as const satisfies Record<string, { unit: string; formula: string }>
