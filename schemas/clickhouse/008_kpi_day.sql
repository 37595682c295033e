-- The sum of the hours of a day of UTC (collector/store/hours.ts), in the shape of kpi_minute.
CREATE TABLE IF NOT EXISTS kpi_day
(
    bus_partition   UInt16,
    day             DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
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
PARTITION BY toYear(day)
ORDER BY (day, party, carrier, site, direction, bus_partition)
TTL computed_at + INTERVAL 120 MONTH
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 256;

-- Which hours and days may be read: one whose `changed` stands above its `summed` has newer minutes than it sums. Written
-- before the minutes, and after the sums, so that a process that dies in between leaves a stale hour, never a wrong one.
-- Both only grow, so rows merge by max in any order. There is no TTL: an hour that is forgotten would pass as fresh.
CREATE TABLE IF NOT EXISTS rollup_freshness
(
    grain           LowCardinality(String),
    start           DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    bus_partition   UInt16,
    changed         SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
    summed          SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (grain, start, bus_partition);

-- Minutes of before there were hours: all of them are still to be summed.
INSERT INTO rollup_freshness (grain, start, bus_partition, changed, summed)
SELECT arrayJoin(['hour', 'day']) AS grain, if(grain = 'hour', toStartOfHour(minute), toStartOfDay(minute)) AS start,
    bus_partition, max(version), 0
FROM kpi_minute GROUP BY grain, start, bus_partition;
