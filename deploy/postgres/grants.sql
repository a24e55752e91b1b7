-- What the application may change besides adding rows. Run as holdpoint_owner after each migration:
--
--   psql -d holdpoint -U holdpoint_owner -f grants.sql
--
-- entries, tiles, checkpoints and blobs are missing on purpose: they are added to
-- and read, never changed.

GRANT UPDATE ON head, tickets, intents, freezes, targets, lane, outbox TO holdpoint_app;
GRANT DELETE ON idempotency_keys, lane, archives TO holdpoint_app;

-- The owner migrates; the application only looks which version it has found.
REVOKE INSERT ON alembic_version FROM holdpoint_app;
