-- Suspicions about early media and false answers (schemas/anomalies.ts; written by evidence/early-media-pass.ts): a row an
-- attempt that has one, or that rang and whose messages were not stored any more when it was looked at (basis 'record': rules
-- over messages said nothing of it). `evidence` is a JSON text: code, severity, sentence, and the messages by kind and time;
-- no number, no name. The highest version stands; what holds no more gets is_deleted = 1. The id comes as hex digits in a
-- column of no storage, since JSON carries no bytes. Party, carrier, site and direction say who may see the row.
CREATE TABLE IF NOT EXISTS attempt_anomalies
(
    minute          DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    attempt_hex     String EPHEMERAL,
    attempt_id      FixedString(16) DEFAULT toFixedString(unhex(attempt_hex), 16) CODEC(ZSTD(1)),
    version         UInt64 CODEC(ZSTD(1)),
    is_deleted      UInt8 CODEC(ZSTD(1)),
    judged_at       DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    party           LowCardinality(String),
    carrier         LowCardinality(String),
    site            LowCardinality(String),
    direction       LowCardinality(String),
    prefix          LowCardinality(String),
    basis           LowCardinality(String),
    codes           Array(LowCardinality(String)),
    severities      Array(LowCardinality(String)),
    evidence        String CODEC(ZSTD(1)),
    INDEX attempt_id_index attempt_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, attempt_id)
TTL judged_at + INTERVAL 13 MONTH;

-- Minutes that were looked at: attempts of others are in no rate, rather than counted as free of suspicion.
CREATE TABLE IF NOT EXISTS anomaly_minutes
(
    minute          DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    judged_at       DateTime('UTC') CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY minute
TTL judged_at + INTERVAL 13 MONTH;
