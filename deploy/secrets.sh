#!/bin/sh
# Makes the passwords, keys and tokens of the compose cluster.
#
#   secrets.sh FOLDER
#
# FOLDER/originals holds each secret once. It is made when it is missing and never changed: deleting a file there and
# running this again is how a secret is replaced. Every other folder below FOLDER is the volume of one service and holds
# copies of what that service reads, no more; ClickHouse gets a hash. Copies are written anew each time, whole or not at all.
set -eu
umask 027
root=${1:?which folder?}

# Standard input into a file that its group may read and nobody may write.
put() {
  mkdir -p "$(dirname "$1")"
  rm -f "$1.new"
  cat >"$1.new"
  chmod 0440 "$1.new"
  mv -f "$1.new" "$1"
}

# original NAME BYTES: makes the secret if there is none yet.
original() {
  [ -s "$root/originals/$1" ] && return
  value=$(openssl rand -hex "$2")
  printf '%s\n' "$value" | put "$root/originals/$1"
}

# copy NAME TARGET
copy() {
  put "$root/$2" <"$root/originals/$1"
}

original kafka_password 32
original clickhouse_init_password 32
for user in admin store api alerts grafana; do original "clickhouse_${user}_password" 32; done
original agent_key 16
original api_token 32
original grafana_token 32
original grafana_admin_password 16

# For HEP over TLS, until the operator brings a certificate that agents can verify.
if ! [ -s "$root/originals/hep.crt" ] || ! [ -s "$root/originals/hep.key" ]; then
  rm -f "$root/originals/hep.key.new" "$root/originals/hep.crt.new"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=trunkscope \
    -addext subjectAltName=DNS:capture,DNS:localhost \
    -keyout "$root/originals/hep.key.new" -out "$root/originals/hep.crt.new" 2>/dev/null
  put "$root/originals/hep.key" <"$root/originals/hep.key.new"
  put "$root/originals/hep.crt" <"$root/originals/hep.crt.new"
  rm -f "$root/originals/hep.key.new" "$root/originals/hep.crt.new"
fi

put "$root/kafka/jaas.conf" <<END
KafkaServer {
  org.apache.kafka.common.security.plain.PlainLoginModule required
  user_trunkscope="$(cat "$root/originals/kafka_password")";
};
END

# One user that may make users: trunkscope init is it, and makes the others, each with what it needs.
hash=$(tr -d '\n' <"$root/originals/clickhouse_init_password" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
put "$root/clickhouse/trunkscope.xml" <<END
<clickhouse>
  <users>
    <default remove="remove"/>
    <trunkscope_init>
      <password_sha256_hex>$hash</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </trunkscope_init>
  </users>
</clickhouse>
END

copy kafka_password init/kafka_password
copy clickhouse_init_password init/clickhouse_password
for user in admin store api alerts grafana; do copy "clickhouse_${user}_password" "init/passwords/$user"; done

copy kafka_password capture/kafka_password
copy agent_key capture/agent_key
copy hep.crt capture/hep.crt
copy hep.key capture/hep.key

copy kafka_password store/kafka_password
copy clickhouse_store_password store/clickhouse_password

copy clickhouse_api_password api/clickhouse_password
copy clickhouse_alerts_password api/clickhouse_alerts_password
# The API keeps digests; the operator's token lies beside them to be read out, and for the health check.
digest() {
  tr -d '\n' <"$root/originals/$1" | openssl dgst -sha256 -r | cut -d ' ' -f 1
}
put "$root/api/tokens" <<END
- id: operator
  sha256: "$(digest api_token)"
  role: admin
- id: grafana
  sha256: "$(digest grafana_token)"
  role: viewer
END
copy api_token api/api_token
# Of an earlier version: both tokens as they are.
rm -f "$root/api/api_tokens"

# Read as it is, into a header: no line end.
printf %s "$(cat "$root/originals/grafana_token")" | put "$root/grafana/api_token"
copy grafana_admin_password grafana/admin_password

copy agent_key demo/agent_key
