-- The users of a ClickHouse server, each with as little as it needs. Run by `trunkscope init` as a user that may make users;
-- safe to run again: it sets the passwords anew and takes nothing away. {database} and {…_password_sha256} are filled in by
-- init (collector/store/server-users.ts): the file holds no password, and the server is told none, only its SHA-256.
--
-- None of them is granted a source (url, file, s3, remote, executable …): a new user has no right but those given here.
-- Not run by any test: the embedded engine knows no users.

-- Makes and changes the tables. Used by `trunkscope init` only.
CREATE USER IF NOT EXISTS trunkscope_admin IDENTIFIED WITH sha256_hash BY '{admin_password_sha256}';
ALTER USER trunkscope_admin IDENTIFIED WITH sha256_hash BY '{admin_password_sha256}';
GRANT CREATE DATABASE, CREATE TABLE, DROP TABLE, ALTER TABLE, SELECT, INSERT, TRUNCATE, OPTIMIZE ON {database}.* TO trunkscope_admin;

-- The store: rows in, rows back. What it sets by itself (no asynchronous inserts, any number of months in one insert) stands
-- here too, so that a profile of the server cannot change it.
CREATE SETTINGS PROFILE IF NOT EXISTS trunkscope_store SETTINGS
    async_insert = 0,
    max_partitions_per_insert_block = 0,
    max_memory_usage = 8000000000;
CREATE USER IF NOT EXISTS trunkscope_store IDENTIFIED WITH sha256_hash BY '{store_password_sha256}';
ALTER USER trunkscope_store IDENTIFIED WITH sha256_hash BY '{store_password_sha256}' SETTINGS PROFILE 'trunkscope_store';
GRANT SELECT, INSERT ON {database}.* TO trunkscope_store;

-- The api: reads, within limits that it may lower and not raise. readonly = 2 lets a statement bring settings of its own, which
-- readonly = 1 does not; what it may never do is write.
CREATE SETTINGS PROFILE IF NOT EXISTS trunkscope_api SETTINGS
    max_execution_time = 30 MAX 30,
    max_memory_usage = 2000000000 MAX 2000000000,
    max_result_rows = 1000000 MAX 1000000,
    max_concurrent_queries_for_user = 32,
    allow_ddl = 0 CONST,
    readonly = 2;
CREATE USER IF NOT EXISTS trunkscope_api IDENTIFIED WITH sha256_hash BY '{api_password_sha256}';
ALTER USER trunkscope_api IDENTIFIED WITH sha256_hash BY '{api_password_sha256}' SETTINGS PROFILE 'trunkscope_api';
GRANT SELECT ON {database}.* TO trunkscope_api;

-- Who evaluates alerts (clickhouse.alerts of the configuration): reads sums, the health of the tap, attempts with
-- what evidence says of them, writes alerts, their deliveries, the scorecards of schedules and the audit trail, and nothing else. No messages. Made where init finds a password for it.
CREATE SETTINGS PROFILE IF NOT EXISTS trunkscope_alerts SETTINGS
    async_insert = 0,
    max_execution_time = 30 MAX 30,
    max_memory_usage = 2000000000 MAX 2000000000,
    max_concurrent_queries_for_user = 16,
    allow_ddl = 0 CONST;
CREATE USER IF NOT EXISTS trunkscope_alerts IDENTIFIED WITH sha256_hash BY '{alerts_password_sha256}';
ALTER USER trunkscope_alerts IDENTIFIED WITH sha256_hash BY '{alerts_password_sha256}' SETTINGS PROFILE 'trunkscope_alerts';
GRANT SELECT ON {database}.kpi_minute TO trunkscope_alerts;
GRANT SELECT ON {database}.kpi_hour TO trunkscope_alerts;
GRANT SELECT ON {database}.kpi_day TO trunkscope_alerts;
GRANT SELECT ON {database}.rollup_freshness TO trunkscope_alerts;
GRANT SELECT ON {database}.agents_minute TO trunkscope_alerts;
GRANT SELECT ON {database}.call_attempts TO trunkscope_alerts;
GRANT SELECT ON {database}.attempt_verdicts TO trunkscope_alerts;
GRANT SELECT ON {database}.identity_checks TO trunkscope_alerts;
GRANT SELECT ON {database}.call_legs TO trunkscope_alerts;
GRANT SELECT ON {database}.attempt_anomalies TO trunkscope_alerts;
GRANT SELECT ON {database}.anomaly_minutes TO trunkscope_alerts;
GRANT SELECT ON {database}.trunk_minutes TO trunkscope_alerts;
GRANT SELECT ON {database}.trunk_hours TO trunkscope_alerts;
GRANT SELECT, INSERT ON {database}.alert_states TO trunkscope_alerts;
GRANT SELECT, INSERT ON {database}.alert_transitions TO trunkscope_alerts;
GRANT SELECT, INSERT ON {database}.alert_deliveries TO trunkscope_alerts;
GRANT SELECT, INSERT ON {database}.documents TO trunkscope_alerts;
GRANT SELECT, INSERT ON {database}.document_runs TO trunkscope_alerts;
GRANT INSERT ON {database}.audit_trail TO trunkscope_alerts;

-- Grafana, where somebody draws from ClickHouse itself: sums and the health of the tap. No numbers of callers, no messages.
CREATE SETTINGS PROFILE IF NOT EXISTS trunkscope_grafana SETTINGS
    max_execution_time = 30 MAX 30,
    max_memory_usage = 1000000000 MAX 1000000000,
    max_result_rows = 100000 MAX 100000,
    max_concurrent_queries_for_user = 16,
    allow_ddl = 0 CONST,
    readonly = 2;
CREATE USER IF NOT EXISTS trunkscope_grafana IDENTIFIED WITH sha256_hash BY '{grafana_password_sha256}';
ALTER USER trunkscope_grafana IDENTIFIED WITH sha256_hash BY '{grafana_password_sha256}' SETTINGS PROFILE 'trunkscope_grafana';
GRANT SELECT ON {database}.kpi_minute TO trunkscope_grafana;
GRANT SELECT ON {database}.kpi_hour TO trunkscope_grafana;
GRANT SELECT ON {database}.kpi_day TO trunkscope_grafana;
GRANT SELECT ON {database}.rollup_freshness TO trunkscope_grafana;
GRANT SELECT ON {database}.agents_minute TO trunkscope_grafana;
