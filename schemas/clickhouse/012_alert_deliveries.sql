-- What is to be told to whom (api/alerts/outbox.ts): a row a transition of an alert and sink, written before anything is
-- sent, and again with a higher version after every try. State: pending, retrying, delivered or dead. notice is what is
-- told, as JSON (schemas/alert-hook.ts); last_error is our own sentence, never what the other side answered. Alerts are few:
-- a part goes to the disk before the insert is answered.
CREATE TABLE IF NOT EXISTS alert_deliveries
(
    alert_key       String,
    transition      UInt64,
    sink            LowCardinality(String),
    version         UInt64,
    state           LowCardinality(String),
    status          LowCardinality(String),
    carrier         LowCardinality(String),
    site            LowCardinality(String),
    tries           UInt32,
    next_try_at     DateTime64(3, 'UTC'),
    last_error      String CODEC(ZSTD(1)),
    notice          String CODEC(ZSTD(1)),
    stored_at       DateTime64(3, 'UTC'),
    updated_at      DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (alert_key, transition, sink)
TTL toDateTime(stored_at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
