-- What each agent sent, by the minute of arrival: totals written whole, never added up. counted_until is the bus position
-- up to which the row counts, so that frames read again after a crash are not counted again.
CREATE TABLE IF NOT EXISTS agents_minute
(
    bus_partition   UInt16,
    minute          DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    agent           LowCardinality(String),
    peer_address    String CODEC(ZSTD(1)),
    agent_id        UInt32 CODEC(ZSTD(1)),
    agent_name      String CODEC(ZSTD(1)),
    counted_until   UInt64 CODEC(ZSTD(1)),
    frames          UInt64 CODEC(ZSTD(1)),
    sip_messages    UInt64 CODEC(ZSTD(1)),
    keepalives      UInt64 CODEC(ZSTD(1)),
    refused         UInt64 CODEC(ZSTD(1)),
    unreadable      UInt64 CODEC(ZSTD(1)),
    truncated       UInt64 CODEC(ZSTD(1)),
    timestamps_replaced UInt64 CODEC(ZSTD(1)),
    last_seen       DateTime64(6, 'UTC') CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(counted_until)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, agent, bus_partition)
TTL minute + INTERVAL 13 MONTH;
