#!/bin/sh
# Run once by the Postgres image, on an empty data folder: the ledger owns its database and no more.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$LEDGER_SECRET" --username "$POSTGRES_USER" <<'END'
create role ledger login nosuperuser nocreatedb nocreaterole password :'password';
create database ledger owner ledger encoding 'UTF8' locale 'C' template template0;
revoke all on database ledger from public;
END
