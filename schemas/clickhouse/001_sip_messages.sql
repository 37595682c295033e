-- Every SIP message as it arrived (redacted), and what could be read of it. Exact by row identity: agent, 5-tuple,
-- capture time and payload hash make row_id, so that a frame sent again is the same row. Ordered for one-call look-up.
-- stored_at is the wall clock at the insert: retention counts from it, because a replayed capture may be old.
CREATE TABLE IF NOT EXISTS sip_messages
(
    call_id          String CODEC(ZSTD(1)),
    captured_at      DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    row_id           FixedString(16) CODEC(ZSTD(1)),
    received_at      DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    stored_at        DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    agent            LowCardinality(String),
    transport        LowCardinality(String),
    ip_protocol      UInt8,
    source_address   String CODEC(ZSTD(1)),
    source_port      UInt16 CODEC(ZSTD(1)),
    destination_address String CODEC(ZSTD(1)),
    destination_port UInt16 CODEC(ZSTD(1)),
    method           LowCardinality(String),
    status_code      UInt16 CODEC(ZSTD(1)),
    cseq_number      Int64 CODEC(ZSTD(1)),
    parse_error      LowCardinality(String),
    frame_flags      UInt8,
    truncated        Bool,
    raw              String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(captured_at)
ORDER BY (call_id, captured_at, row_id)
TTL stored_at + INTERVAL 7 DAY
SETTINGS index_granularity_bytes = 2097152;
