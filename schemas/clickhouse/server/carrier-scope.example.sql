-- An example, run by nobody: a user of the server that sees one carrier, as a second wall behind the scope of an API token.
-- Replace acme twice in each line. A table without a line here must not be granted to the user.
--
-- The last two policies keep everybody else's view whole: where a table has a policy, users without one can see nothing of
-- it (users_without_row_policies_can_read_rows in the server's configuration says which).
CREATE USER IF NOT EXISTS trunkscope_carrier_acme IDENTIFIED WITH sha256_hash BY '<sha256 of its password>' SETTINGS PROFILE 'trunkscope_api';
GRANT SELECT ON trunkscope.call_attempts TO trunkscope_carrier_acme;
GRANT SELECT ON trunkscope.kpi_minute TO trunkscope_carrier_acme;
CREATE ROW POLICY IF NOT EXISTS carrier_acme ON trunkscope.call_attempts FOR SELECT USING party = 'carrier' AND carrier = 'acme' TO trunkscope_carrier_acme;
CREATE ROW POLICY IF NOT EXISTS carrier_acme ON trunkscope.kpi_minute FOR SELECT USING party = 'carrier' AND carrier = 'acme' TO trunkscope_carrier_acme;
CREATE ROW POLICY IF NOT EXISTS everybody_else ON trunkscope.call_attempts FOR SELECT USING 1 TO ALL EXCEPT trunkscope_carrier_acme;
CREATE ROW POLICY IF NOT EXISTS everybody_else ON trunkscope.kpi_minute FOR SELECT USING 1 TO ALL EXCEPT trunkscope_carrier_acme;
