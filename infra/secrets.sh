#!/bin/sh
# Makes what compose.yaml needs and no repository may hold: infra/.env with random passwords, an
# authority with certificates for Kafka and the event store, and a first API key, shown once. Never
# overwrites anything: delete a file to have it made again.
set -eu
cd "$(dirname "$0")"
umask 077
days=825

random() { openssl rand -hex 24; }

if [ ! -e .env ]; then
  while IFS= read -r line; do
    case $line in
    *_SECRET=) printf '%s%s\n' "$line" "$(random)" ;;
    *) printf '%s\n' "$line" ;;
    esac
  done <.env.example >.env
fi

mkdir -p secrets/authority secrets/ca secrets/eventstore secrets/kafka secrets/api
if [ ! -e secrets/ca/ca.pem ]; then
  openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj '/CN=usage-ledger authority' \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout secrets/authority/ca.key -out secrets/ca/ca.pem 2>/dev/null
fi

# certificate <folder> <common name> <host>: node.key and node.crt of a server that is also a client
certificate() {
  [ ! -e "secrets/$1/node.crt" ] || return 0
  openssl req -newkey rsa:3072 -nodes -subj "/CN=$2" \
    -keyout "secrets/$1/node.key" -out "secrets/$1/node.csr" 2>/dev/null
  cat >"secrets/$1/extensions" <<END
basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:$3,DNS:localhost,IP:127.0.0.1
END
  openssl x509 -req -days $days -in "secrets/$1/node.csr" -extfile "secrets/$1/extensions" \
    -CA secrets/ca/ca.pem -CAkey secrets/authority/ca.key -CAserial secrets/authority/ca.srl -CAcreateserial \
    -out "secrets/$1/node.crt" 2>/dev/null
  rm "secrets/$1/node.csr" "secrets/$1/extensions"
}
# The event store refuses certificates of another common name.
certificate eventstore eventstoredb-node eventstore
certificate kafka kafka kafka
# Kafka reads key and certificate from one file.
[ -e secrets/kafka/node.pem ] || cat secrets/kafka/node.key secrets/kafka/node.crt >secrets/kafka/node.pem

if [ ! -e secrets/api/api-keys.json ]; then
  tenant=${1:-main}
  key=$(random)
  sha256=$(printf %s "$key" | openssl dgst -sha256 -r | cut -d' ' -f1)
  cat >secrets/api/api-keys.json <<END
[
  {
    "sha256": "$sha256",
    "tenant_id": "$tenant",
    "scopes": ["usage:write", "grants:write", "prices:write", "read"]
  }
]
END
  echo "API key of tenant $tenant, shown this once: $key"
fi

# The containers run as user 1000; the authority's key stays with whoever ran this.
if [ "$(id -u)" = 0 ]; then
  chown -R 1000:1000 secrets/ca secrets/eventstore secrets/kafka secrets/api
  chmod 711 secrets
elif [ "$(id -u)" != 1000 ]; then
  echo 'run: sudo chown -R 1000:1000 infra/secrets/ca infra/secrets/eventstore' \
    'infra/secrets/kafka infra/secrets/api; chmod 711 infra/secrets'
fi
