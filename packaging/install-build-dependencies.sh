#!/usr/bin/env bash
# Installs the Debian 12 packages that Starling needs; quick and silent when all are there. Why each of them:
# docs/decisions/0001-dependencies.md
#
#   packaging/install-build-dependencies.sh [build] [test] [fuzz] [machine] [packages] [bench]    groups; default: build
set -euo pipefail

declare -A packages=(
  [build]="g++ cmake ninja-build ccache libboost1.81-dev libboost-json1.81-dev libssl-dev libsqlite3-dev
           libfmt-dev libcctz-dev tzdata zlib1g-dev liblzma-dev libdivsufsort-dev prometheus-cpp-dev
           libvalijson-dev libcli11-dev libtomlplusplus-dev libgtest-dev libgmock-dev libbenchmark-dev"
  [test]="git clang-format-14 clang-tidy-19 shellcheck python3 python3-venv strace mosquitto redis-server postgresql-15 nginx-light mpd"
  [fuzz]="clang-19 libclang-rt-19-dev"
  [machine]="qemu-system-x86 busybox-static attr cpio mmdebstrap e2fsprogs"
  [packages]="dpkg-dev lintian"
  [bench]="nats-server mosquitto etcd-server python3 supervisor s6 xdelta3 bsdiff casync zchunk zstd time"
)

policy=/usr/sbin/policy-rc.d  # asked by packages whether they may start a daemon

missing_packages() {
  printf '%s\n' "$@" | grep -vxFf <(
    dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p'
  ) || true
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "Installing packages needs root, and sudo is not there. As root, run: $*" >&2
    return 1
  fi
}

enabled_units() {
  systemctl --root=/ list-unit-files --state=enabled --no-legend --plain 2>/dev/null | cut -d' ' -f1 | sort || true
}

# Installs packages without their daemons being started, now or at the next boot: tests and benchmarks start
# those that they need.
install_idle() {
  local before unit
  before=$(enabled_units)
  if [[ ! -e $policy ]]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
  while read -r unit; do
    as_root systemctl --root=/ disable --quiet "$unit" </dev/null
  done < <(comm -13 <(echo "$before") <(enabled_units))
}

main() {
  local group wanted=()
  for group in "${@:-build}"; do
    [[ -v packages[$group] ]] || { echo "unknown group '$group'; there are: ${!packages[*]}" >&2; exit 2; }
    # shellcheck disable=SC2206  # one word is one package
    wanted+=(${packages[$group]})
  done
  local missing
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  [[ ${#missing[@]} -eq 0 ]] && return

  command -v apt-get >/dev/null || {
    echo "Starling builds on Debian 12; this machine has no apt-get. It needs: ${missing[*]}" >&2
    exit 1
  }
  echo "Installing: ${missing[*]}"
  as_root apt-get update -qq </dev/null
  install_idle "${missing[@]}"
}

main "$@"
