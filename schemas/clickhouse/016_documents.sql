-- Documents that were made and are kept as they were made (api/scorecards/documents.ts): scorecards of a schedule. document_id
-- follows from what was to be made, and of rows with the same id the first one stands: what was told about a document stays
-- true whoever makes it again. carrier '' and party '' : all carriers side by side. headline is what is told of it, as JSON.
-- body comes as base64, because not every document is text. A part goes to the disk before the insert is answered.
CREATE TABLE IF NOT EXISTS documents
(
    document_id     String,
    stands          UInt64 DEFAULT 18446744073709551615 - toUInt64(toUnixTimestamp64Micro(now64(6))),
    kind            LowCardinality(String),
    schedule        LowCardinality(String),
    fired_at        DateTime('UTC'),
    party           LowCardinality(String),
    carrier         LowCardinality(String),
    week            LowCardinality(String),
    format          LowCardinality(String),
    file_name       String,
    made_at         DateTime64(3, 'UTC'),
    as_of           DateTime64(6, 'UTC'),
    sha256          String,
    size_bytes      UInt64,
    headline        String CODEC(ZSTD(1)),
    body_base64     String EPHEMERAL,
    body            String DEFAULT base64Decode(body_base64) CODEC(ZSTD(6)),
    stored_at       DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(stands)
ORDER BY (kind, week, carrier, document_id)
TTL stored_at + INTERVAL 25 MONTH
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- What became of a firing of a schedule (api/scorecards/run-store.ts). event: since (from when on a schedule with this
-- definition is followed), claim (who makes it; a turn of a few minutes), done. The first row of a key stands. A few rows a
-- week, kept.
CREATE TABLE IF NOT EXISTS document_runs
(
    schedule        String,
    event           LowCardinality(String),
    definition      String,
    fired_at        DateTime('UTC'),
    turn            UInt32,
    stands          UInt64 DEFAULT 18446744073709551615 - toUInt64(toUnixTimestamp64Micro(now64(6))),
    owner           String,
    at              DateTime64(3, 'UTC'),
    note            String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(stands)
ORDER BY (schedule, event, definition, fired_at, turn)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
