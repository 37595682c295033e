-- Counts and histograms a minute, recomputed from call_attempts whenever an attempt of that minute changed and never
-- added up (schemas/kpi-rollup.ts). A row a bus partition, so that two store processes never write each other's minute:
-- readers sum. The columns of each KPI (<id>_numerator …) are added at start from the catalog.
CREATE TABLE IF NOT EXISTS kpi_minute
(
    bus_partition   UInt16,
    minute          DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    party           LowCardinality(String),
    carrier         LowCardinality(String),
    site            LowCardinality(String),
    direction       LowCardinality(String),
    version         UInt64 CODEC(ZSTD(1)),
    computed_at     DateTime('UTC') CODEC(ZSTD(1)),
    attempts        UInt64 CODEC(ZSTD(1)),
    open            UInt64 CODEC(ZSTD(1)),
    incomplete      UInt64 CODEC(ZSTD(1)),
    responses       Map(UInt16, UInt64) CODEC(ZSTD(1)),
    dispositions    Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    cancels         Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    attestations    Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    pdd_histogram   Map(UInt16, UInt64) CODEC(ZSTD(1)),
    pdd_sum_ms      Float64 CODEC(ZSTD(1)),
    pdd_count       UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, party, carrier, site, direction, bus_partition)
TTL computed_at + INTERVAL 13 MONTH
SETTINGS min_bytes_for_wide_part = 268435456;
