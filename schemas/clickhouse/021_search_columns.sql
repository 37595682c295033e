-- What search and scorecards read of each attempt instead of its long texts. MATERIALIZED: the store writes the columns of
-- schemas/call-attempts.ts, the engine makes these of them; of rows of before this file they are made when they are read,
-- and stored as these are merged, or at once by ALTER TABLE call_attempts MATERIALIZE COLUMN …
--
-- number_tails: the last four digits of called_number, dialled_number, calling_number and from_number, 16 bits each, the
-- lowest first; 65535 where there are fewer than four characters or no digits (api/attempts/number-filter.ts).
-- destination: the prefix of the routing number (rn) of a ported call, else of the called number: seven digits, and never
-- the last four; '' where there is none (api/scorecards/destinations.ts).
ALTER TABLE call_attempts
    ADD COLUMN IF NOT EXISTS number_tails UInt64 MATERIALIZED
        toUInt64(if(length(called_number) < 4, 65535, toUInt16OrDefault(right(called_number, 4), toUInt16(65535))))
        + bitShiftLeft(toUInt64(if(length(dialled_number) < 4, 65535, toUInt16OrDefault(right(dialled_number, 4), toUInt16(65535)))), 16)
        + bitShiftLeft(toUInt64(if(length(calling_number) < 4, 65535, toUInt16OrDefault(right(calling_number, 4), toUInt16(65535)))), 32)
        + bitShiftLeft(toUInt64(if(length(from_number) < 4, 65535, toUInt16OrDefault(right(from_number, 4), toUInt16(65535)))), 48)
        CODEC(LZ4);

ALTER TABLE call_attempts
    ADD COLUMN IF NOT EXISTS destination LowCardinality(String) MATERIALIZED
        arrayMap(n -> if(match(n, '^[+]?[0-9]{7,}$'), substring(n, 1, least(length(n) - 4, 7 + startsWith(n, '+'))), ''),
            [if(positionCaseInsensitive(request_uri, ';rn=') > 0
                    AND replaceRegexpAll(extract(request_uri, '(?i)^[^@]*;rn=([+0-9.()-]+)'), '[.()-]', '') != '',
                replaceRegexpAll(extract(request_uri, '(?i)^[^@]*;rn=([+0-9.()-]+)'), '[.()-]', ''), called_number)])[1];

-- The last five digits of the four numbers, for suffixes of five and six digits (whole numbers and longer ones have the
-- index of 015): of 10 million attempts such a suffix reads a twentieth. Rows of before this file are read whole until they
-- are merged, or until somebody says: ALTER TABLE call_attempts MATERIALIZE INDEX number_tail5_index.
ALTER TABLE call_attempts ADD INDEX IF NOT EXISTS number_tail5_index
    [right(called_number, 5), right(dialled_number, 5), right(calling_number, 5), right(from_number, 5)]
    TYPE bloom_filter(0.01) GRANULARITY 1;
