#!/bin/sh
# Makes the two users of the ledger through the server's HTTP API, as its administrator. Again is
# harmless: a user that is there is left as it is.
set -eu

# user <name> <password>
user() {
  answer=$(printf '{"loginName":"%s","fullName":"%s","groups":[],"password":"%s"}' "$1" "$1" "$2" |
    curl --silent --show-error --cacert "${CA_FILE:-/secrets-ca/ca.pem}" --user "admin:$ADMIN_SECRET" \
      --output /dev/null --write-out '%{http_code}' --header 'content-type: application/json' \
      --data @- "$EVENTSTORE_HTTP/users/")
  case $answer in
  201) echo "made user $1" ;;
  409) echo "user $1 is there" ;;
  *)
    echo "user $1: HTTP $answer" >&2
    exit 1
    ;;
  esac
}

user ledger-writer "$WRITER_SECRET"
user ledger-reader "$READER_SECRET"
