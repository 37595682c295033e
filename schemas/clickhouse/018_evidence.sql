-- What more than one attempt says (evidence/, docs/evidence.md). A verdict stands beside the attempt and never in its row: the
-- fold owns that. It holds the judged columns (those of call_attempts that readers replace), and of_… the fold's judgement that
-- it revises: as soon as the fold says something else the verdict is void, until the pass has looked again. The highest
-- version stands; one that does not hold any more is written with is_deleted = 1. Names of others stand in `evidence`.
CREATE TABLE IF NOT EXISTS attempt_verdicts
(
    minute          DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    attempt_id      FixedString(16) CODEC(ZSTD(1)),
    version         UInt64 CODEC(ZSTD(1)),
    is_deleted      UInt8 CODEC(ZSTD(1)),
    bus_partition   UInt16 CODEC(ZSTD(1)),
    judged_at       DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pass            LowCardinality(String),
    party           LowCardinality(String),
    carrier         LowCardinality(String),
    of_disposition  LowCardinality(String),
    of_cancel_class LowCardinality(String),
    of_rang         Bool CODEC(ZSTD(1)),
    disposition     LowCardinality(String),
    sli             LowCardinality(String),
    ner_numerator   UInt8 CODEC(ZSTD(1)),
    ner_denominator UInt8 CODEC(ZSTD(1)),
    cancel_class    LowCardinality(String),
    verdict_rule    LowCardinality(String),
    evidence        String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, attempt_id)
TTL judged_at + INTERVAL 14 MONTH;

-- Which attempts are legs of one call: those with one call_key. rule says how that is known, confidence how well.
CREATE TABLE IF NOT EXISTS call_legs
(
    minute          DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    attempt_id      FixedString(16) CODEC(ZSTD(1)),
    version         UInt64 CODEC(ZSTD(1)),
    is_deleted      UInt8 CODEC(ZSTD(1)),
    judged_at       DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    party           LowCardinality(String),
    carrier         LowCardinality(String),
    call_key        FixedString(16) CODEC(ZSTD(1)),
    rule            LowCardinality(String),
    confidence      Float32 CODEC(ZSTD(1)),
    INDEX call_key_index call_key TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX attempt_id_index attempt_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, attempt_id)
TTL judged_at + INTERVAL 14 MONTH;

-- Who runs the passes, and how far they are: each process that takes over writes an epoch above all before, and versions of
-- what it writes begin at that epoch, so that one that was thought dead and wakes up changes nothing. progress: the time of
-- computed_at up to which every pass has seen all minutes of kpi_minute.
CREATE TABLE IF NOT EXISTS evidence_leases
(
    name            LowCardinality(String),
    epoch           UInt64,
    owner           String,
    heard_at        DateTime64(3, 'UTC'),
    beat            UInt64,
    progress        String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(beat)
ORDER BY (name, epoch);

-- Which minutes changed lately is asked every few seconds.
ALTER TABLE kpi_minute ADD INDEX IF NOT EXISTS computed_at_index computed_at TYPE minmax GRANULARITY 1;

ALTER TABLE kpi_minute MATERIALIZE INDEX computed_at_index;
