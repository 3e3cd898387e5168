#!/usr/bin/env bash
# Makes starling-common, starling-agent and starling-hub as packages of Debian, from a build that is there.
#
#   packaging/build-packages.sh [BUILD [OUTPUT]]    default: build/release, build/packages
#
# ARCH, if that is not the machine's own. Its version is the project's, and what VERSION_SUFFIX says, as ~3 or +git1.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

build=${1:-build/release}
output=${2:-build/packages}
arch=${ARCH:-$(dpkg --print-architecture)}
version=$(sed -n 's/^project(starling VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)${VERSION_SUFFIX-}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}  # the same input, the same bytes
export SOURCE_DATE_EPOCH

work=

main() {
  local component
  work=$(mktemp -d --tmpdir starling-packages-XXXXXX)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$output"
  for component in common agent hub; do make_package "$component" "$work/starling-$component"; done
}

# make_package COMPONENT FOLDER
make_package() {
  local name=starling-$1 root=$2 script package_arch=$arch
  [[ $1 != common ]] || package_arch=all
  DESTDIR=$root cmake --install "$build" --prefix /usr --component "$1" --strip >/dev/null
  document "$name" "$root/usr/share/doc/$name"
  mkdir -p "$root/DEBIAN"
  for script in postinst prerm postrm; do
    [[ ! -e packaging/debian/$name.$script ]] || install -m 755 "packaging/debian/$name.$script" "$root/DEBIAN/$script"
  done
  control "$name" "$package_arch" "$root" >"$root/DEBIAN/control"
  (cd "$root" && find usr -type f -printf '%P\0' | sort -z | sed -z 's|^|usr/|' | xargs -0 md5sum >DEBIAN/md5sums)
  chmod -R u=rwX,go=rX "$root"
  dpkg-deb --root-owner-group -Zxz --build "$root" "$output/${name}_${version}_$package_arch.deb"
}

# control NAME ARCHITECTURE ROOT
control() {
  local libraries
  libraries=$(libraries_of "$3")
  printf 'Package: %s\nVersion: %s\nArchitecture: %s\nPriority: optional\n' "$1" "$version" "$2"
  printf 'Maintainer: Starling <starling@example.org>\nInstalled-Size: %s\n' "$(du -sk --apparent-size "$3/usr" | cut -f1)"
  sed "s/\${version}/$version/; s/\${shlibs:Depends}/$libraries/; s/, *$//" "packaging/debian/$1.control"
}

# The packages, with their least versions, of the shared libraries that the programs ask for. The tool wants a source
# package's control file beside it.
libraries_of() {
  local programs
  # The keeper is static.
  mapfile -t programs < <(find "$1/usr/bin" -type f ! -name starling-keeper 2>/dev/null)
  ((${#programs[@]})) || return 0
  mkdir -p "$1.source/debian"
  printf 'Source: starling\n\nPackage: starling\nArchitecture: any\n' >"$1.source/debian/control"
  (cd "$1.source" && dpkg-shlibdeps -O "${programs[@]}" | sed -n 's/^shlibs:Depends=//p')
}

# document NAME FOLDER
document() {
  mkdir -p "$2"
  printf '%s (%s) bookworm; urgency=medium\n\n  * See the log of the source.\n\n -- Starling <starling@example.org>  %s\n' \
    "$1" "$version" "$(date --utc --rfc-email --date "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$2/changelog.gz"
}

main
