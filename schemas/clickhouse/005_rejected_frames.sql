-- Samples of what was refused, by stage and reason (schemas/reasons.ts); rate-limited where they arise, the agent key
-- blanked. The counters of /metrics tell how many there were.
CREATE TABLE IF NOT EXISTS rejected_frames
(
    received_at     DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    sample_id       FixedString(16) CODEC(ZSTD(1)),
    stage           LowCardinality(String),
    reason          LowCardinality(String),
    transport       LowCardinality(String),
    peer_address    String CODEC(ZSTD(1)),
    size_bytes      UInt32 CODEC(ZSTD(1)),
    sample          String CODEC(ZSTD(1)),
    stored_at       DateTime('UTC') CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (stage, reason, received_at, sample_id)
TTL stored_at + INTERVAL 7 DAY;
