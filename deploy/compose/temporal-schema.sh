#!/bin/sh
# Makes the two databases of Temporal and brings their tables up to date. What is there already stays.
set -eu

sql() { temporal-sql-tool --plugin "$DB" --ep "$POSTGRES_SEEDS" -p "$DB_PORT" -u "$POSTGRES_USER" "$@"; }

prepare() {
  database=$1 tables=$2
  sql --db "$database" create
  # It fails where a schema is, which is no fault; a missing one shows in the next step.
  sql --db "$database" setup-schema -v 0.0 || true
  sql --db "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/$tables/versioned"
}

prepare temporal temporal
prepare temporal_visibility visibility
