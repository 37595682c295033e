-- The sum of the minutes of an hour (collector/store/hours.ts), in the shape of kpi_minute. The columns of each KPI are
-- added at start from the catalog. A day of hours is a few thousand rows: small granules, and histograms that are quick to
-- unpack, read it in 13 ms where the defaults take 33 (50 carriers, 8 groups each; twice the disk).
CREATE TABLE IF NOT EXISTS kpi_hour
(
    bus_partition   UInt16,
    hour            DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
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
    pdd_histogram   Map(UInt16, UInt64) CODEC(LZ4),
    pdd_sum_ms      Float64 CODEC(ZSTD(1)),
    pdd_count       UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, party, carrier, site, direction, bus_partition)
TTL computed_at + INTERVAL 37 MONTH
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 1024;
