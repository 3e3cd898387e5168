#!/usr/bin/env bash
# Tells the agent of this device where its hub is, and starts it. To be run again with another address or key at any time.
#
#   setup [--hub URL] [--pin PIN,PIN] [--key KEY | --key-file FILE] [--release-root FILE]
#
# One line to paste, as root:
#   /usr/share/starling/setup --hub https://HUB:8000 --pin sha256/...,sha256/... --key KEY
# Of the hub's address, its pins and the key it asks when it is run by hand without them. What is left out stays as it was.
set -euo pipefail

folder=${STARLING_ETC:-/etc/starling}
file=$folder/agent.env

fail() { echo "setup: $1" >&2; exit 1; }

usage() { sed -n '2,8s/^# \?//p' "${BASH_SOURCE[0]}"; exit "$1"; }

# former NAME: what the file says so far.
former() { [[ ! -e $file ]] || sed -n "s/^$1=//p" "$file" | tail -n 1; }

# ask WHAT: from the terminal, if there is one.
ask() {
  local answer
  [[ -t 0 ]] || fail "$1 is missing; see --help"
  read -r -p "$1: " answer
  printf '%s' "$answer"
}

# one_line WHAT VALUE: nothing that would be another line or a quote of the environment file.
one_line() { [[ $2 =~ ^[[:graph:]]*$ && $2 != *[\"\'\\#]* ]] || fail "$1 has characters that it cannot have"; }

main() {
  local hub pin key='' root new_root=''
  hub=$(former STARLING_HUB) pin=$(former STARLING_PIN) root=$(former STARLING_RELEASE_ROOT)
  while (($#)); do
    case $1 in
      --help) usage 0 ;;
      --hub | --pin | --key | --key-file | --release-root) (($# > 1)) || usage 2 ;;&
      --hub) hub=$2 ;;
      --pin) pin=$2 ;;
      --key) key=$2 ;;
      --key-file) key=$(<"$2") ;;
      --release-root)
        [[ -r $2 ]] || fail "$2 cannot be read"
        new_root=$2
        ;;
      *) usage 2 >&2 ;;
    esac
    shift 2
  done
  if [[ -z $hub ]]; then
    hub=$(ask "The hub's address, as https://HUB:8000")
    [[ -n $pin || $hub != https:* ]] || pin=$(ask "Its pins, as the hub printed them, with a comma between (empty: the device trusts its certificate)")
  fi
  [[ $hub =~ ^https?://[^/]+$ ]] || fail "the hub's address looks like https://HUB:8000, not like '$hub'"
  [[ -n $key ]] || key=$(former STARLING_ENROLMENT_KEY)
  [[ -n $key || -e /var/lib/starling-agent/identity.json ]] || key=$(ask "An enrolment key (starling key create NAME --enrolment)")
  one_line "the hub's address" "$hub"; one_line "the pin" "$pin"; one_line "the key" "$key"; one_line "the root's path" "$root"
  if [[ -n $new_root ]]; then
    install -D -m 644 "$new_root" "$folder/root.json"
    root=$folder/root.json
  fi
  write "$hub" "$pin" "$key" "$root"
  [[ -d /run/systemd/system ]] || { echo "$file is written. systemd does not run here: nothing is started."; return; }
  systemctl enable --quiet starling-agent.service
  systemctl restart starling-agent.service
  echo "The agent runs. What it says: journalctl -u starling-agent -f"
}

# In one rename: a power cut leaves the old file or the new one.
write() {
  local new=$file.new
  mkdir -p "$folder"
  (
    umask 077
    echo "STARLING_HUB=$1"
    [[ -z $2 ]] || echo "STARLING_PIN=$2"
    [[ -z $3 ]] || echo "STARLING_ENROLMENT_KEY=$3"
    [[ -z $4 ]] || echo "STARLING_RELEASE_ROOT=$4"
  ) >"$new"
  chmod 600 "$new"
  sync "$new"
  mv "$new" "$file"
  sync "$folder"
}

main "$@"
