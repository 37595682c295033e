/**
 * Trunkscope's own health at `/metrics`: name, type, unit, labels and sentence of each metric, declared once. Counters
 * count since the process started. The numbers about carriers are not here.
 */
export interface OwnMetric {
  name: string
  type: 'counter' | 'gauge'
  help: string
  labels: readonly string[]
}

const metric = (name: string, type: OwnMetric['type'], help: string, labels: readonly string[] = []) =>
  ({ name, type, help, labels }) as const

/** What a process knows of itself. */
export const PROCESS_METRICS = {
  acceptedFrames: metric(
    'trunkscope_capture_frames_total',
    'counter',
    'Frames accepted: on disk in the spool.',
    ['transport'],
  ),
  acceptedBytes: metric('trunkscope_capture_bytes_total', 'counter', 'Bytes of accepted frames.', [
    'transport',
  ]),
  dropped: metric('trunkscope_dropped_total', 'counter', 'What was refused or lost, by stage and reason.', [
    'stage',
    'reason',
  ]),
  skippedBytes: metric(
    'trunkscope_capture_skipped_bytes_total',
    'counter',
    'Bytes of TCP streams that belonged to no frame.',
  ),
  kernelDrops: metric(
    'trunkscope_capture_kernel_drops_total',
    'counter',
    'Datagrams the kernel dropped: receive buffer full.',
  ),
  bufferAsked: metric(
    'trunkscope_capture_receive_buffer_asked_bytes',
    'gauge',
    'UDP receive buffer asked for.',
  ),
  bufferGranted: metric(
    'trunkscope_capture_receive_buffer_granted_bytes',
    'gauge',
    'UDP receive buffer the kernel granted.',
  ),
  connections: metric('trunkscope_capture_tcp_connections', 'gauge', 'TCP connections of agents.'),
  spoolBytes: metric('trunkscope_spool_bytes', 'gauge', 'Size of the spool on disk.'),
  spoolWriteFailures: metric(
    'trunkscope_spool_write_failures_total',
    'counter',
    'Writes and syncs of the spool that failed (EIO); their frames went to a new segment.',
  ),
  spoolLag: metric(
    'trunkscope_spool_lag_bytes',
    'gauge',
    'Bytes that are accepted and not stored yet: of the spool, in a store process of the bus.',
  ),
  publishedFrames: metric(
    'trunkscope_publish_frames_total',
    'counter',
    'Frames that all replicas of the broker acknowledged.',
  ),
  publishedUntil: metric(
    'trunkscope_publish_until_timestamp_seconds',
    'gauge',
    'Received-at of the newest frame that the broker has.',
  ),
  storedMessages: metric(
    'trunkscope_store_messages_total',
    'counter',
    'SIP messages written to the store, repeats included.',
  ),
  writtenAttempts: metric(
    'trunkscope_store_attempt_rows_total',
    'counter',
    'Rows of attempts written, each change one.',
  ),
  attemptsInMemory: metric('trunkscope_store_attempts_in_memory', 'gauge', 'Attempts held in memory.'),
  basePartitions: metric(
    'trunkscope_store_base_partitions',
    'gauge',
    'Base partitions of the bus that this process works on.',
  ),
  flushSeconds: metric('trunkscope_store_flush_seconds', 'gauge', 'Duration of the last flush.'),
  recomputeSeconds: metric(
    'trunkscope_store_recompute_seconds',
    'gauge',
    'Duration of the last recomputation of minutes.',
  ),
  staleMinutes: metric(
    'trunkscope_store_stale_minutes',
    'gauge',
    'Minutes whose rollups wait to be recomputed.',
  ),
  asOf: metric(
    'trunkscope_store_as_of_seconds',
    'gauge',
    'Highest received-at seen, seconds since 1970 UTC.',
  ),
  ready: metric('trunkscope_ready', 'gauge', '1 while the store takes what comes.'),
  evidenceLeader: metric(
    'trunkscope_evidence_leader',
    'gauge',
    '1 in the process that runs the evidence passes, of all that could.',
  ),
  evidenceLag: metric(
    'trunkscope_evidence_lag_seconds',
    'gauge',
    'Age of the oldest change that an evidence pass has still to look at, against the newest.',
  ),
  evidenceMinutes: metric(
    'trunkscope_evidence_minutes_waiting',
    'gauge',
    'Minutes that wait for a pass, one for each.',
  ),
  evidenceSeconds: metric(
    'trunkscope_evidence_round_seconds',
    'gauge',
    'Duration of the last round of passes.',
  ),
  evidenceRounds: metric('trunkscope_evidence_rounds_total', 'counter', 'Rounds of passes.'),
  evidenceRows: metric(
    'trunkscope_evidence_rows_total',
    'counter',
    'Rows that passes wrote: verdicts, legs and their ends.',
    ['pass'],
  ),
  evidenceLeftOut: metric(
    'trunkscope_evidence_left_out_minutes_total',
    'counter',
    'Minutes that a pass left out, because a statement would have taken too long or too much memory, or by a mistake of ours; the log says why.',
    ['pass'],
  ),
  evidenceProblem: metric(
    'trunkscope_evidence_failing',
    'gauge',
    '1 while the last round of passes failed; the log says why.',
  ),
} satisfies Record<string, OwnMetric>

export type ProcessMetricName = keyof typeof PROCESS_METRICS

/** Of the agents, where there is an api (docs/tap-health.md): ratios and rates over the last five minutes. */
export const TAP_METRICS = {
  agents: metric('trunkscope_tap_agents', 'gauge', 'Agents by verdict, also those without a series.', [
    'verdict',
  ]),
  agentVerdict: metric('trunkscope_tap_agent_verdict', 'gauge', '1 for the verdict on the agent now.', [
    'agent',
    'site',
    'verdict',
  ]),
  agentSilent: metric('trunkscope_tap_agent_silent_seconds', 'gauge', 'Since its last frame, at as_of.', [
    'agent',
    'site',
  ]),
  agentFrames: metric('trunkscope_tap_agent_frames_per_second', 'gauge', 'Frames it sent.', [
    'agent',
    'site',
  ]),
  agentSkew: metric(
    'trunkscope_tap_agent_skew_seconds',
    'gauge',
    'Smallest time from capture to arrival; negative when its clock runs ahead.',
    ['agent', 'site'],
  ),
  agentLateness: metric(
    'trunkscope_tap_agent_lateness_seconds',
    'gauge',
    'How much later its messages come than the fastest of the hour did.',
    ['agent', 'site'],
  ),
  agentDuplicates: metric(
    'trunkscope_tap_agent_duplicate_ratio',
    'gauge',
    'Share of its SIP messages that it sent again.',
    ['agent', 'site'],
  ),
  agentIdentityCut: metric(
    'trunkscope_tap_agent_identity_cut_ratio',
    'gauge',
    'Share of its messages with an Identity header of which that is cut.',
    ['agent', 'site'],
  ),
  agentSdpCut: metric(
    'trunkscope_tap_agent_sdp_cut_ratio',
    'gauge',
    'Share of its messages with SDP of which that is cut.',
    ['agent', 'site'],
  ),
  agentOneSided: metric(
    'trunkscope_tap_agent_one_sided_ratio',
    'gauge',
    'Share of the attempts that only this agent saw of which it saw one direction.',
    ['agent', 'site'],
  ),
  kernelDrops: metric(
    'trunkscope_tap_kernel_drop_ratio',
    'gauge',
    'Share of the datagrams of the last 15 minutes that the kernel dropped.',
  ),
} satisfies Record<string, OwnMetric>

export type TapMetricName = keyof typeof TAP_METRICS

/** The evaluation of alerts; of a process that evaluates them. */
export const ALERT_METRICS = {
  alerts: metric('trunkscope_alerts', 'gauge', 'Alerts by state, held ones included.', ['state']),
  held: metric(
    'trunkscope_alerts_held',
    'gauge',
    'Alerts that are not believed or not told now, for the reason at /alerts.',
  ),
  cut: metric('trunkscope_alerts_cut', 'gauge', 'Conditions that hold and are no alert: too many at once.'),
  evaluatedAt: metric(
    'trunkscope_alerts_evaluated_timestamp_seconds',
    'gauge',
    'When the rules were last evaluated; 0: not yet.',
  ),
  seconds: metric('trunkscope_alerts_evaluation_seconds', 'gauge', 'Duration of the last evaluation.'),
  evaluations: metric('trunkscope_alerts_evaluations_total', 'counter', 'Evaluations by result.', ['result']),
  deliveriesWaiting: metric(
    'trunkscope_alerts_deliveries_waiting',
    'gauge',
    'Deliveries that a sink is still to take.',
    ['sink'],
  ),
  deliveriesDead: metric(
    'trunkscope_alerts_deliveries_dead_total',
    'counter',
    'Deliveries given up: /v1/alerts/deliveries?state=dead.',
    ['sink'],
  ),
  sinkState: metric('trunkscope_alerts_sink_state', 'gauge', '1 for how the sink is now.', ['sink', 'state']),
} satisfies Record<string, OwnMetric>

/** The audit trail; of a process that answers questions. */
export const AUDIT_METRICS = {
  rows: metric('trunkscope_audit_rows_total', 'counter', 'Rows of the audit trail that were written.'),
  lost: metric(
    'trunkscope_audit_lost_total',
    'counter',
    'Rows of the audit trail that were lost: the store took none for too long. Exports were refused meanwhile.',
  ),
  refused: metric(
    'trunkscope_audit_refused_exports_total',
    'counter',
    'Exports that were refused because their row could not be written.',
  ),
  waiting: metric('trunkscope_audit_waiting', 'gauge', 'Rows of the audit trail that wait to be written.'),
} satisfies Record<string, OwnMetric>

/** The number inventory; of a process that answers questions, where `numbers` is configured. */
export const NUMBERS_METRICS = {
  rows: metric(
    'trunkscope_numbers_inventory_rows',
    'gauge',
    'Rows of the number inventory, wrong ones included.',
  ),
  wrongRows: metric(
    'trunkscope_numbers_inventory_wrong_rows',
    'gauge',
    'Rows of the number inventory that are left out because they are wrong.',
  ),
  isStale: metric(
    'trunkscope_numbers_inventory_stale',
    'gauge',
    '1 while the file of the inventory cannot be taken over and that of before holds.',
  ),
  misrouted: metric(
    'trunkscope_numbers_misrouted_attempts',
    'gauge',
    'Inbound attempts of the last hour on a carrier that does not own the called number; looked for once a minute.',
    ['carrier'],
  ),
} satisfies Record<string, OwnMetric>

/** Scorecards of schedules; of a process that makes them. */
export const SCORECARD_METRICS = {
  runs: metric(
    'trunkscope_scorecards_runs_total',
    'counter',
    'Runs of schedules by result; a failed one is tried again.',
    ['result'],
  ),
  documents: metric(
    'trunkscope_scorecards_documents_total',
    'counter',
    'Documents that were made and stored.',
    ['format'],
  ),
  omitted: metric(
    'trunkscope_scorecards_omitted_total',
    'counter',
    'Documents that could not be made: a PDF without a Chromium, one that is too large.',
    ['format'],
  ),
  doneAt: metric(
    'trunkscope_scorecards_done_timestamp_seconds',
    'gauge',
    'When this process last finished a run; 0: not yet.',
  ),
  nextAt: metric('trunkscope_scorecards_next_timestamp_seconds', 'gauge', 'When a schedule fires next.', [
    'schedule',
  ]),
} satisfies Record<string, OwnMetric>

/** Of the trunks, where there is an api (docs/trunks.md). */
export const TRUNK_METRICS = {
  trunks: metric('trunkscope_trunks', 'gauge', 'Trunks by state, also those without a series.', ['state']),
  up: metric(
    'trunkscope_trunk_up',
    'gauge',
    '1 for up, 0.5 for degraded, 0 for down; without a series where the state is unknown.',
    ['carrier', 'site', 'address'],
  ),
  changes: metric(
    'trunkscope_trunk_changes',
    'gauge',
    'Changes between up, degraded and down in the last 24 hours.',
    ['carrier', 'site', 'address'],
  ),
  changedAt: metric(
    'trunkscope_trunk_changed_timestamp_seconds',
    'gauge',
    'Start of the minute in which it came into its state; without a series where that is longer than a day ago.',
    ['carrier', 'site', 'address'],
  ),
  callsPeak: metric(
    'trunkscope_trunk_concurrent_calls_peak',
    'gauge',
    'Most calls up at one second of the last whole hour.',
    ['scope', 'carrier', 'site', 'address'],
  ),
  callsLimit: metric('trunkscope_trunk_concurrent_calls_limit', 'gauge', 'Contracted.', [
    'scope',
    'carrier',
    'site',
    'address',
  ]),
  perSecondPeak: metric(
    'trunkscope_trunk_calls_per_second_peak',
    'gauge',
    'Most INVITEs in one second of the last whole hour.',
    ['scope', 'carrier', 'site', 'address'],
  ),
  perSecondLimit: metric('trunkscope_trunk_calls_per_second_limit', 'gauge', 'Contracted.', [
    'scope',
    'carrier',
    'site',
    'address',
  ]),
} satisfies Record<string, OwnMetric>
export type TrunkMetricName = keyof typeof TRUNK_METRICS

export const OWN_METRICS: readonly OwnMetric[] = [
  ...Object.values(PROCESS_METRICS),
  ...Object.values(TAP_METRICS),
  ...Object.values(TRUNK_METRICS),
  ...Object.values(ALERT_METRICS),
  ...Object.values(SCORECARD_METRICS),
  ...Object.values(AUDIT_METRICS),
  ...Object.values(NUMBERS_METRICS),
]
