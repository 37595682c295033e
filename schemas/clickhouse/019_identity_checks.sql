-- What became of the Identity tokens of an attempt (schemas/identity-checks.ts; written by evidence/identity): a row a token,
-- and one with a token_hash of zeros for an attempt that has none but carries a verstat, an Attestation-Info or a STIR
-- Reason. The highest version stands; a token that is no longer the attempt's, or whose attempt moved to another minute, gets
-- a row with is_deleted = 1. The ids come as hex digits in columns of no storage, since JSON carries no bytes. Party, carrier, site and direction are those of the attempt: they say who may see the row.
CREATE TABLE IF NOT EXISTS identity_checks
(
    minute             DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    attempt_hex        String EPHEMERAL,
    token_hex          String EPHEMERAL,
    attempt_id         FixedString(16) DEFAULT toFixedString(unhex(attempt_hex), 16) CODEC(ZSTD(1)),
    token_hash         FixedString(16) DEFAULT toFixedString(unhex(token_hex), 16) CODEC(ZSTD(1)),
    position           UInt8 CODEC(ZSTD(1)),
    version            UInt64 CODEC(ZSTD(1)),
    is_deleted         UInt8 CODEC(ZSTD(1)),
    checked_at         DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    depth              UInt8 CODEC(ZSTD(1)),
    party              LowCardinality(String),
    carrier            LowCardinality(String),
    site               LowCardinality(String),
    direction          LowCardinality(String),
    form               LowCardinality(String),
    ppt                LowCardinality(String),
    attest             LowCardinality(String),
    orig               String CODEC(ZSTD(1)),
    dest               Array(String) CODEC(ZSTD(1)),
    diverted           String CODEC(ZSTD(1)),
    origid             String CODEC(ZSTD(1)),
    iat                UInt32 CODEC(ZSTD(1)),
    iat_delta_ms       Nullable(Int64) CODEC(ZSTD(1)),
    x5u                String CODEC(ZSTD(1)),
    signer_id          String CODEC(ZSTD(1)),
    spc                String CODEC(ZSTD(1)),
    certificate_sha256 String CODEC(ZSTD(1)),
    certificate_subject String CODEC(ZSTD(1)),
    certificate_not_after UInt64 CODEC(ZSTD(1)),
    signature          LowCardinality(String),
    signature_reason   LowCardinality(String),
    verified           LowCardinality(String),
    findings           Array(LowCardinality(String)),
    orig_match         LowCardinality(String),
    dest_match         LowCardinality(String),
    chain              LowCardinality(String),
    raw_claims         String CODEC(ZSTD(1)),
    verstat            LowCardinality(String),
    attestation_info   LowCardinality(String),
    origination_id     String CODEC(ZSTD(1)),
    stir_reasons       Array(String) CODEC(ZSTD(1)),
    INDEX attempt_id_index attempt_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, attempt_id, token_hash, position)
TTL checked_at + INTERVAL 13 MONTH;
