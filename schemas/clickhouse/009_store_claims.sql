-- Which store process works on a base partition of the bus: each claims it with an epoch above all before. Versions of its
-- rows begin at the epoch, so that a process that was thought dead and wakes up writes rows that lose; and it looks here
-- before it commits. The highest epoch must never be forgotten, so there is no TTL; merges keep one row a partition.
CREATE TABLE IF NOT EXISTS store_claims
(
    bus_partition   UInt16,
    epoch           UInt64,
    owner           String,
    claimed_at      DateTime('UTC')
)
ENGINE = ReplacingMergeTree(epoch)
ORDER BY bus_partition;

-- Minutes of which somebody else changed attempts (recompute): whoever has claimed the partition recomputes their rollups
-- and writes the mark again with done = 1. A newer mark stands above an older one that is done.
CREATE TABLE IF NOT EXISTS stale_minutes
(
    bus_partition   UInt16,
    minute          DateTime('UTC'),
    marked_at       DateTime64(6, 'UTC'),
    done            UInt8
)
ENGINE = ReplacingMergeTree(marked_at)
ORDER BY (bus_partition, minute)
TTL toDateTime(marked_at) + INTERVAL 30 DAY;
