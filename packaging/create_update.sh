#!/usr/bin/env bash
# Makes a release of the client's folder and gives it to the hub, for all devices of the fleet. On a hub that does not
# sign by itself it is a draft until somebody has signed it, and nobody's.
#
#   create_update.sh VERSION DESCRIPTION TYPE [PACKAGES]
#   create_update.sh v1.2.3 "Bug fixes" scheduled "libopus0,libopus-dev"
#
# The folder is PI_CLIENT, if that is set, or else the nearest pi_client/ in or above the current folder. Where the hub
# is, and the key: STARLING_HUB, STARLING_KEY (see: starling --help). STARLING is the program, if it is not in PATH.
set -euo pipefail

usage() {
  echo "usage: ${0##*/} VERSION DESCRIPTION scheduled|urgent [PACKAGES]" >&2
  echo "   eg: ${0##*/} v1.2.3 \"Bug fixes\" scheduled \"libopus0,libopus-dev\"" >&2
  exit 2
}

find_client() {
  local folder=$PWD
  until [[ -d $folder/pi_client ]]; do
    [[ $folder != / ]] || { echo "${0##*/}: no pi_client/ in or above $PWD; set PI_CLIENT to the folder" >&2; return 1; }
    folder=$(dirname "$folder")
  done
  echo "$folder/pi_client"
}

main() {
  [[ $# -eq 3 || $# -eq 4 ]] || usage
  [[ $3 == scheduled || $3 == urgent ]] || usage
  local client packages=()
  client=${PI_CLIENT:-$(find_client)}
  [[ -z ${4-} ]] || packages=(--packages "$4")
  exec "${STARLING:-starling}" release create "$1" "$2" --type "$3" "${packages[@]}" --all "$client"
}

main "$@"
