-- Health of the tap (docs/tap-health.md). Rows of before this file read as 0 here: nothing seen, nothing cut.
-- counted_from: a row counts a stretch of the bus, from counted_from to before counted_until. A minute that was put away and
-- gets frames again (a capture that catches up beside one that is on time) has another row; whoever reads sums them.
-- arrival_delay_min_us: the smallest (received - captured) of the timed_messages, those with a timestamp of their own; it
-- says nothing where there are none, as first_sip and last_sip say nothing without sip_messages.
ALTER TABLE agents_minute
    ADD COLUMN IF NOT EXISTS counted_from UInt64,
    ADD COLUMN IF NOT EXISTS udp_frames UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS duplicates UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS first_sip DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS last_sip DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS timed_messages UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS arrival_delay_min_us Int64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS identity_seen UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS identity_cut UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS sdp_seen UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS sdp_cut UInt64 CODEC(ZSTD(1)),
    MODIFY ORDER BY (minute, agent, bus_partition, counted_from);
