/**
 * What a recompute remembers, so that a killed one goes on where it was (`recompute_jobs`, `recompute_buckets`).
 *
 *   collecting   the rows of call_attempts that it is about are copied
 *   folding      bucket by bucket; each finished one is recorded
 *   folded       the report is written; nothing outside the job's own tables has changed
 *   swapping     somebody said yes: from here on it is finished whatever happens, also by the next recompute
 *   done         swapped
 *   dropped      a dry run, or somebody said no
 *
 * The work tables hold the rows of one job, so there is one job at a time: a later one drops what an earlier one left,
 * except a swap, which it finishes.
 */
import type { ClickHouseClient } from '@clickhouse/client'

export type JobState = 'collecting' | 'folding' | 'folded' | 'swapping' | 'done' | 'dropped'

/** Attempts of the span, and what became of them. */
export interface RecomputeCounts {
  messages: number
  /** Attempts that are and stay as the current rules have them. */
  unchanged: number
  changed: number
  /** Attempts that were not stored. */
  added: number
  /** Attempts that the current rules no longer give. */
  removed: number
  /** Of the changed: those that begin in another minute than before. */
  moved: number
  /** Attempts that stay as they were, because messages of their call have expired. */
  keptRawExpired: number
  /** Attempts that stay as they were, because their Call-ID has more messages than a call can have. */
  keptTooLong: number
  /** Messages that the current reader finds under another Call-ID than they are stored under; left out. */
  unplaced: number
}

export const noCounts = (): RecomputeCounts => ({
  messages: 0,
  unchanged: 0,
  changed: 0,
  added: 0,
  removed: 0,
  moved: 0,
  keptRawExpired: 0,
  keptTooLong: 0,
  unplaced: 0,
})

export function addCounts(sum: RecomputeCounts, more: RecomputeCounts): RecomputeCounts {
  for (const name of Object.keys(sum) as (keyof RecomputeCounts)[]) sum[name] += more[name]
  return sum
}

/** What a job is: the same question under the same rules is the same job. */
export interface JobIdentity {
  jobId: string
  askedFromS: number
  askedToS: number
  rules: string
  configHash: string
}

/** What changes on the way. */
export interface JobProgress {
  startedAtS: number
  /** The span, cut to what raw messages reach; `notes` say so. */
  fromS: number
  toS: number
  notes: string[]
  /** as_of by base partition, as it was at the start: a resumed job must judge as it began. */
  asOfUs: Record<string, number>
  /** The claims of store processes at the start, by base partition. */
  claims: Record<string, number>
  messagesInSpan: number
  /** Rollup sums before and after, as `moved-sums.ts` gives them; empty until it is folded. */
  sums: Record<string, unknown>[]
  /** Attempts come, go or move to another minute: said when the swap begins. */
  placesChange: boolean
  /** Rows that a store process has written since, and that were left alone. */
  overtaken: number
  /** Counted once: merges make rows fewer. */
  swapParts: number
  swapPartsDone: number
}

export interface Bucket {
  bucket: number
  afterCallId: string
  untilCallId: string
  isLast: boolean
  counts: RecomputeCounts
}

/** Another recompute is heard of at least this often; one that is not is dead. */
const QUIET_MAX_S = 120

export class RecomputeJob {
  readonly #client: ClickHouseClient
  #version: number

  private constructor(
    client: ClickHouseClient,
    readonly identity: JobIdentity,
    readonly progress: JobProgress,
    readonly owner: string,
    public state: JobState,
    version: number,
  ) {
    this.#client = client
    this.#version = version
  }

  /** Begins anew, whatever is remembered under this identity. */
  static async begin(
    client: ClickHouseClient,
    identity: JobIdentity,
    progress: JobProgress,
    owner: string,
  ): Promise<RecomputeJob> {
    const [row] = await readJobs(client, 'job_id = {job:String}', { job: identity.jobId })
    await client.command({ query: 'TRUNCATE TABLE call_attempts_new' })
    await client.command({ query: 'TRUNCATE TABLE call_attempts_before' })
    await client.command({ query: 'TRUNCATE TABLE recompute_buckets' })
    const job = new RecomputeJob(client, identity, progress, owner, 'collecting', Number(row?.version ?? 0))
    await job.save('collecting')
    return job
  }

  /** The one that is not finished, if there is one; whose it is tells its identity. */
  static async unfinished(client: ClickHouseClient, owner: string): Promise<RecomputeJob | undefined> {
    const rows = await readJobs(client, "state IN ('folding', 'folded', 'swapping')", {})
    const row = rows.find(({ state }) => state === 'swapping') ?? rows[0]
    if (row === undefined) return undefined
    const { jobId, askedFromS, askedToS, rules, configHash } = row
    return new RecomputeJob(
      client,
      { jobId, askedFromS, askedToS, rules, configHash },
      JSON.parse(row.progress) as JobProgress,
      owner,
      row.state,
      Number(row.version),
    )
  }

  /** Seconds since another process said that it is at work; undefined when none is. */
  static async othersQuietS(client: ClickHouseClient): Promise<number | undefined> {
    const rows = await readJobs(client, "state IN ('collecting', 'folding', 'swapping')", {})
    const quietS = rows.map((row) => row.quietS).filter((seconds) => seconds < QUIET_MAX_S)
    return quietS.length === 0 ? undefined : Math.min(...quietS)
  }

  async save(state: JobState): Promise<void> {
    const { jobId, askedFromS, askedToS, rules, configHash } = this.identity
    this.state = state
    await this.#client.insert({
      table: 'recompute_jobs',
      columns: [...JOB_COLUMNS],
      values: [
        {
          job_id: jobId,
          version: ++this.#version,
          state,
          asked_from: askedFromS,
          asked_to: askedToS,
          rules,
          config_hash: configHash,
          owner: this.owner,
          started_at: this.progress.startedAtS,
          progress: JSON.stringify(this.progress),
        },
      ],
      format: 'JSONEachRow',
    })
  }

  async saveBucket(bucket: Bucket): Promise<void> {
    await this.#client.insert({
      table: 'recompute_buckets',
      values: [
        {
          job_id: this.identity.jobId,
          bucket: bucket.bucket,
          state: 'folded',
          after_call_id: bucket.afterCallId,
          until_call_id: bucket.untilCallId,
          is_last: bucket.isLast,
          counts: JSON.stringify(bucket.counts),
        },
      ],
      format: 'JSONEachRow',
    })
    await this.save(this.state)
  }

  /** In order. */
  async buckets(): Promise<Bucket[]> {
    const result = await this.#client.query({
      query: `SELECT bucket, after_call_id AS afterCallId, until_call_id AS untilCallId, is_last AS isLast, counts
              FROM recompute_buckets FINAL WHERE job_id = {job:String} ORDER BY bucket`,
      query_params: { job: this.identity.jobId },
      format: 'JSONEachRow',
    })
    const rows = await result.json<Omit<Bucket, 'counts'> & { counts: string }>()
    return rows.map((row) => ({ ...row, counts: JSON.parse(row.counts) as RecomputeCounts }))
  }

  /** Empties the work tables; what the job was and found stays in `recompute_jobs`. */
  async end(state: 'done' | 'dropped'): Promise<void> {
    await this.save(state)
    await this.#client.command({ query: 'TRUNCATE TABLE call_attempts_new' })
    await this.#client.command({ query: 'TRUNCATE TABLE call_attempts_before' })
    await this.#client.command({ query: 'TRUNCATE TABLE recompute_buckets' })
  }
}

const JOB_COLUMNS = [
  'job_id',
  'version',
  'state',
  'asked_from',
  'asked_to',
  'rules',
  'config_hash',
  'owner',
  'started_at',
  'progress',
] as const

interface JobRow extends JobIdentity {
  version: string
  state: JobState
  quietS: number
  progress: string
}

async function readJobs(
  client: ClickHouseClient,
  condition: string,
  parameters: Record<string, unknown>,
): Promise<JobRow[]> {
  const result = await client.query({
    query: `SELECT job_id AS jobId, version, state, toUInt32(asked_from) AS askedFromS, toUInt32(asked_to) AS askedToS, rules,
              config_hash AS configHash, toFloat64(now64(3) - updated_at) AS quietS, progress
            FROM recompute_jobs FINAL WHERE ${condition} ORDER BY updated_at DESC`,
    query_params: parameters,
    format: 'JSONEachRow',
  })
  return result.json<JobRow>()
}
