-- Alerts as the last evaluation left them (api/alerts/state.ts): the row with the highest version stands. told = 0: decided,
-- and its notice may not be with the outbox yet; whoever evaluates next gives it there before anything else. labels,
-- annotations and details are JSON. carrier and site repeat two of the labels ('' : none), and party says whose the alert is
-- (carrier, unknown, or '' : nobody's alone), so that a reader can be held to its carriers as in every other table. Alerts are few: a part goes to the disk before the insert is answered.
CREATE TABLE IF NOT EXISTS alert_states
(
    alert_key       String,
    version         UInt64,
    rule            LowCardinality(String),
    severity        LowCardinality(String),
    state           LowCardinality(String),
    party           LowCardinality(String),
    carrier         LowCardinality(String),
    site            LowCardinality(String),
    held            String CODEC(ZSTD(1)),
    labels          String CODEC(ZSTD(1)),
    annotations     String CODEC(ZSTD(1)),
    details         String CODEC(ZSTD(1)),
    sinks           Array(String),
    sites           Array(String),
    since_us        UInt64,
    starts_at_us    UInt64,
    ends_at_us      UInt64,
    last_true_us    UInt64,
    transition      UInt64,
    told            UInt8,
    evaluated_at    DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY alert_key
TTL toDateTime(evaluated_at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- What was told, for ever the same: firing has odd numbers, resolved even ones.
CREATE TABLE IF NOT EXISTS alert_transitions
(
    alert_key       String,
    transition      UInt64,
    status          LowCardinality(String),
    rule            LowCardinality(String),
    severity        LowCardinality(String),
    party           LowCardinality(String),
    carrier         LowCardinality(String),
    site            LowCardinality(String),
    labels          String CODEC(ZSTD(1)),
    annotations     String CODEC(ZSTD(1)),
    details         String CODEC(ZSTD(1)),
    at              DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (alert_key, transition)
TTL toDateTime(at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
