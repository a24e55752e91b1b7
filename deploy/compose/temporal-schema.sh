#!/bin/sh
# Make Temporal's two databases, or bring their tables to this release. Where they are is in SQL_HOST, SQL_PORT
# and SQL_USER, which the tool itself reads.
set -eu
SQL_PASSWORD="$(cat "$SQL_PASSWORD_FILE")"
export SQL_PASSWORD
for pair in temporal:temporal temporal_visibility:visibility; do
  tool="temporal-sql-tool --plugin=postgres12 --database=${pair%:*}"
  $tool create
  $tool setup-schema -v 0.0
  $tool update-schema -d "$SCHEMA/${pair#*:}/versioned"
done
