-- Recompute (collector/recompute-role.ts): attempts folded again from raw messages stand beside the old ones until they are
-- swapped in. One job at a time; a killed one goes on at the first call of its next bucket. config_hash and rules say under
-- what it folds: with others it is another job.
CREATE TABLE IF NOT EXISTS recompute_jobs
(
    job_id          String,
    version         UInt64,
    state           LowCardinality(String),
    asked_from      DateTime('UTC'),
    asked_to        DateTime('UTC'),
    rules           String,
    config_hash     String,
    owner           String,
    started_at      DateTime('UTC'),
    updated_at      DateTime64(3, 'UTC') DEFAULT now64(3),
    progress        String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY job_id;

-- A bucket is all calls after one Call-ID up to another, in the order of sip_messages; the last one has no end.
CREATE TABLE IF NOT EXISTS recompute_buckets
(
    job_id          String,
    bucket          UInt32,
    state           LowCardinality(String),
    after_call_id   String,
    until_call_id   String,
    is_last         Bool,
    counts          String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (job_id, bucket);

-- The rows that a job will put above those of call_attempts, ends of rows (is_deleted) among them: therefore no is_deleted
-- in the engine. replaces_end_minute is the end_minute of the row that stands at this place now.
CREATE TABLE IF NOT EXISTS call_attempts_new AS call_attempts
ENGINE = ReplacingMergeTree(version)
ORDER BY (minute, attempt_id);

ALTER TABLE call_attempts_new ADD COLUMN IF NOT EXISTS replaces_end_minute DateTime('UTC') CODEC(ZSTD(1));

-- What a job found in call_attempts, in the order of sip_messages: reading it there, call by call, would read all of it for
-- every bucket.
CREATE TABLE IF NOT EXISTS call_attempts_before AS call_attempts
ENGINE = MergeTree
ORDER BY (call_id, minute, attempt_id);
