#!/bin/sh
# Run once by PostgreSQL's image, on an empty volume: the ledger has a user and a database of its own.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/postgres_password)" --username "$POSTGRES_USER" <<'SQL'
CREATE ROLE holdpoint LOGIN PASSWORD :'password';
CREATE DATABASE holdpoint OWNER holdpoint;
SQL
