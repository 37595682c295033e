-- What the store was about to do: the minutes whose rollups a flush makes stale, written before anything else, so that a
-- process that died in between recomputes them at its next start; and the highest received-at it had seen.
CREATE TABLE IF NOT EXISTS store_checkpoints
(
    bus_partition   UInt16,
    version         UInt64,
    as_of_us        UInt64,
    stale_minutes   Array(UInt32)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY bus_partition;
