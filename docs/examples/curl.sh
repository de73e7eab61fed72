#!/usr/bin/env bash
# Grant, charge, repeat, run out: against a ledger that runs on this machine.
#   LEDGER_DEV_KEY=dev npm start
#   LEDGER_DEV_KEY=dev bash docs/examples/curl.sh
URL=${LEDGER_URL:-http://127.0.0.1:8080}
KEY=${LEDGER_DEV_KEY:?set it to the key that the ledger was started with}
ACCOUNT=${ACCOUNT:-acct-$(date +%s)}

ask() { # METHOD PATH [BODY [CONTENT-TYPE]]
  curl --silent --show-error --request "$1" "$URL$2" \
    --header "Authorization: Bearer $KEY" \
    --header "Content-Type: ${4:-application/json}" \
    ${3:+--data "$3"} --write-out '\n%{http_code}\n\n'
}

# 50 credits for the account.
ask POST "/v1/accounts/$ACCOUNT/grants" '{"request_id":"grant-1","credits":"50","kind":"pack"}'

# An image costs 20. The request_id is yours: make it before the first attempt and keep it.
IMAGE='{"account_id":"'$ACCOUNT'","request_id":"job-1","operation":"image.generation"}'
ask POST /v1/usage "$IMAGE"

# Sent again, it is answered again and not charged again ("replayed":true).
ask POST /v1/usage "$IMAGE"

# The same id with other content is a conflict (409) and charges nothing.
ask POST /v1/usage \
  '{"account_id":"'$ACCOUNT'","request_id":"job-1","operation":"video.generation"}'

# What it cannot pay is rejected (402), with price and shortfall.
ask POST /v1/usage \
  '{"account_id":"'$ACCOUNT'","request_id":"job-2","operation":"video.generation"}'

# The same as a CloudEvent.
ask POST /v1/events \
  '{"specversion":"1.0","id":"1","source":"/renderer","type":"text.generation","subject":"'$ACCOUNT'"}' \
  application/cloudevents+json

# What is left, with all of the above in it, and why.
ask GET "/v1/accounts/$ACCOUNT/balance?at_least=3"
ask GET "/v1/accounts/$ACCOUNT/requests/job-1"
