-- What was seen of each trunk (schemas/trunks.ts, docs/trunks.md) in a minute: OPTIONS and calls that began in it, by what came
-- of them. Counts only; the state (up, degraded, down, unknown) is judged when it is asked for (api/trunks/state.ts). Written
-- whole by evidence/trunks-pass.ts; the highest version stands, a row that holds no more is written with is_deleted = 1.
CREATE TABLE IF NOT EXISTS trunk_minutes
(
    minute              DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    party               LowCardinality(String) DEFAULT 'carrier',
    carrier             LowCardinality(String),
    site                LowCardinality(String),
    far_address         String CODEC(ZSTD(1)),
    far_port            UInt16 CODEC(ZSTD(1)),
    version             UInt64 CODEC(ZSTD(1)),
    is_deleted          UInt8 CODEC(ZSTD(1)),
    judged_at           DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    options_answered    UInt32 CODEC(ZSTD(1)),
    options_503         UInt32 CODEC(ZSTD(1)),
    options_5xx         UInt32 CODEC(ZSTD(1)),
    options_unanswered  UInt32 CODEC(ZSTD(1)),
    options_pending     UInt32 CODEC(ZSTD(1)),
    options_in          UInt32 CODEC(ZSTD(1)),
    calls_out           UInt32 CODEC(ZSTD(1)),
    calls_in            UInt32 CODEC(ZSTD(1)),
    calls_responded     UInt32 CODEC(ZSTD(1)),
    calls_503           UInt32 CODEC(ZSTD(1)),
    calls_unanswered    UInt32 CODEC(ZSTD(1)),
    unanswered_after    UInt16 CODEC(ZSTD(1)),
    last_life_us        UInt64 CODEC(ZSTD(1)),
    last_options_us     UInt64 CODEC(ZSTD(1)),
    last_options_status UInt16 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, carrier, site, far_address, far_port)
TTL judged_at + INTERVAL 3 MONTH;

-- The peaks of an hour, of a trunk, of a carrier at a site, of a carrier, and of all carriers at a site (scope). Of the last, a
-- reader that may see some carriers only sees nothing: carrier is ''. Limits are those of the contract when it was computed.
CREATE TABLE IF NOT EXISTS trunk_hours
(
    hour                DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    scope               LowCardinality(String),
    party               LowCardinality(String) DEFAULT 'carrier',
    carrier             LowCardinality(String),
    site                LowCardinality(String),
    far_address         String CODEC(ZSTD(1)),
    far_port            UInt16 CODEC(ZSTD(1)),
    version             UInt64 CODEC(ZSTD(1)),
    is_deleted          UInt8 CODEC(ZSTD(1)),
    judged_at           DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    attempts            UInt64 CODEC(ZSTD(1)),
    calls_peak          UInt32 CODEC(ZSTD(1)),
    calls_peak_s        UInt32 CODEC(ZSTD(1)),
    talking_peak        UInt32 CODEC(ZSTD(1)),
    talking_peak_s      UInt32 CODEC(ZSTD(1)),
    unended             UInt32 CODEC(ZSTD(1)),
    per_second_peak     UInt32 CODEC(ZSTD(1)),
    per_second_peak_s   UInt32 CODEC(ZSTD(1)),
    per_second_p99      UInt32 CODEC(ZSTD(1)),
    congestion          UInt64 CODEC(ZSTD(1)),
    congestion_near_limit UInt64 CODEC(ZSTD(1)),
    seconds_near_limit  UInt32 CODEC(ZSTD(1)),
    calls_limit         UInt32 CODEC(ZSTD(1)),
    per_second_limit    UInt32 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, scope, carrier, site, far_address, far_port)
TTL judged_at + INTERVAL 14 MONTH;
