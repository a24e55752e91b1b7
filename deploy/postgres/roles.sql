-- The roles of the ledger's database. Run as a superuser, in the ledger's own database:
--
--   createdb holdpoint
--   psql -d holdpoint -f roles.sql
--
-- holdpoint_owner  owns the tables and migrates them; no process runs as it day to day
-- holdpoint_app    is what `holdpoint api` and `holdpoint worker` connect as: it may add to the record and read
--                  it, and can neither change nor delete an entry, switch off the guards, or make tables
--
-- Give both a password (\password holdpoint_app), or let them in by certificate or peer in pg_hba.conf. Then, and
-- again with each update of Holdpoint, run with the owner's ledger_url, which makes the tables and grants:
--
--   holdpoint migrate --grant-to holdpoint_app

CREATE ROLE holdpoint_owner LOGIN;
CREATE ROLE holdpoint_app LOGIN;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO holdpoint_owner;
GRANT USAGE ON SCHEMA public TO holdpoint_app;
