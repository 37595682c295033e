-- A page of attempts is fifty rows that lie apart, read whole: some ninety columns in as many granules. What is unpacked for a
-- value is at least a block, and by default five granules share one. With a block a granule such a page costs half the CPU,
-- for a hundredth more disk; scans cost the same (bench/results.md). It holds for parts that are written from now on: older
-- ones become so as they are merged.
ALTER TABLE call_attempts MODIFY SETTING min_compress_block_size = 8192;
