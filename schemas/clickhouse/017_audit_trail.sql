-- Who looked at calls, and who took some away (api/audit/trail.ts): a row an answer, refused ones too. Rows are only ever
-- added; a repeated insert is the same row. numbers: those that were searched for, masked; number_digests: the same as
-- HMAC-SHA-256 under the key that key_id names (api/audit/number-digests.ts), so that the table holds no number. carriers:
-- what the token was held to, empty: all. rows: what was answered, -1: not counted. A part goes to the disk before the insert
-- is answered, because an export waits for its row.
CREATE TABLE IF NOT EXISTS audit_trail
(
    at              DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    audit_id        String CODEC(ZSTD(1)),
    token           LowCardinality(String),
    role            LowCardinality(String),
    carriers        Array(LowCardinality(String)),
    address         String CODEC(ZSTD(1)),
    action          LowCardinality(String),
    route           LowCardinality(String),
    status          UInt16,
    carrier         String CODEC(ZSTD(1)),
    attempt_id      String CODEC(ZSTD(1)),
    filters         String CODEC(ZSTD(1)),
    numbers         Array(String) CODEC(ZSTD(1)),
    number_digests  Array(String) CODEC(ZSTD(1)),
    key_id          LowCardinality(String),
    rows            Int64 CODEC(ZSTD(1)),
    INDEX number_index number_digests TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, audit_id)
TTL toDateTime(at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
