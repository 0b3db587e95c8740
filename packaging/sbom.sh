# SPDX-License-Identifier: Apache-2.0
# Which Debian packages are inside the executable, and an SPDX document that says so. Sourced by ./package.
# shellcheck shell=bash

# linked_packages BUILD_DIR: the packages whose code is linked or compiled in, sorted; asked of CMake's cache and dpkg.
linked_packages() {
  local cache=$1/CMakeCache.txt name
  {
    for name in OPENSSL_SSL_LIBRARY OPENSSL_CRYPTO_LIBRARY RE2_LIBRARY SQLITE3_LIBRARY; do
      sed -n "s/^$name:[A-Z]*=//p" "$cache"
    done
    echo "$(sed -n 's/^NLOHMANN_JSON_INCLUDE:[A-Z]*=//p' "$cache")/nlohmann/json.hpp"
    echo "$(sed -n 's/^CLI11_INCLUDE:[A-Z]*=//p' "$cache")/CLI/CLI.hpp"
    echo /usr/include/boost/version.hpp
    # The C library is in HostLink's client alone.
    for name in libstdc++.a libgcc.a libc.a; do readlink -f "$("${CXX:-g++}" -print-file-name=$name)"; done
  } | packages_of_files
}

# The same for the Windows program: headers of this system, and the runtime of the cross compiler.
linked_packages_windows() {
  local name
  {
    printf '%s\n' /usr/include/nlohmann/json.hpp /usr/include/CLI/CLI.hpp /usr/include/boost/version.hpp
    for name in libstdc++.a libgcc.a libssp.a libmingw32.a libwinpthread.a; do
      readlink -f "$(x86_64-w64-mingw32-g++-posix -print-file-name=$name)"
    done
  } | packages_of_files
}

packages_of_files() {
  local file
  while read -r file; do
    dpkg-query -S "$file" | sed 's/[:,].*//' || { echo "package: no Debian package holds $file" >&2; return 1; }
  done | sort -u
}

# sources_of_sysroot FOLDER: "source:openssl=3.0.22": what scripts/windows-dependencies built from source packages.
sources_of_sysroot() {
  [ -s "$1/sources" ] || { echo "package: $1/sources is missing; scripts/windows-dependencies makes it" >&2; return 1; }
  sed 's/^\([^ ]*\) \(.*\)$/source:\1=\2/' "$1/sources" | sort
}

# What Debian says about a library's terms stands in the package of its headers.
copyright_of() {
  case $1 in
    source:openssl=*) echo /usr/share/doc/libssl-dev/copyright ;;
    source:sqlite3=*) echo /usr/share/doc/libsqlite3-dev/copyright ;;
    source:re2=*) echo /usr/share/doc/libre2-dev/copyright ;;
    *) echo "/usr/share/doc/$1/copyright" ;;
  esac
}
# keep_copyrights FOLDER PACKAGE...
keep_copyrights() {
  local folder=$1 library name
  shift
  mkdir -p "$folder"
  for library in "$@"; do
    name=${library#source:}
    gzip -9nc "$(copyright_of "$library")" >"$folder/${name%%=*}.copyright.gz"
  done
}

licence_of() {
  case $1 in
    libboost*) echo BSL-1.0 ;;
    libssl-dev | source:openssl=*) echo Apache-2.0 ;;
    libsqlite3-dev | source:sqlite3=*) echo blessing ;;
    libre2-dev | source:re2=* | libcli11-dev) echo BSD-3-Clause ;;
    nlohmann-json3-dev) echo MIT ;;
    libc6-dev) echo LGPL-2.1-or-later ;;
    mingw-w64-x86-64-dev) echo "ZPL-2.1 AND MIT" ;;
    libstdc++-*-dev | libgcc-*-dev | g++-mingw-w64-* | gcc-mingw-w64-*) echo GPL-3.0-or-later WITH GCC-exception-3.1 ;;
    *) echo NOASSERTION ;;
  esac
}

# source_packages PACKAGE...: "openssl (= 3.0.1-1), ...", as Static-Built-Using wants it.
source_packages() {
  dpkg-query -W -f '${source:Package} (= ${source:Version})\n' "$@" | sort -u | paste -sd, | sed 's/,/, /g'
}

# package_lines PACKAGE: name, version, architecture, source package and its version, tab-separated.
package_lines() {
  local built=${1#source:}
  if [ "$built" != "$1" ]; then
    printf '%s\t%s\tsource\t%s\t%s\n' "${built%%=*}" "${built#*=}" "${built%%=*}" "${built#*=}"
  else
    dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n' "$1"
  fi
}

# sbom VERSION PLATFORM EXECUTABLE PACKAGE...: SPDX 2.3 as JSON on stdout.
sbom() {
  local version=$1 platform=$2 executable=$3 hash created package number=0 related=""
  shift 3
  hash=$(sha256sum "$executable" | cut -d' ' -f1)
  created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
  cat <<JSON
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "hostclaw-$version-$platform",
  "documentNamespace": "urn:hostclaw:spdx:$version:$hash",
  "creationInfo": {"created": "$created", "creators": ["Tool: hostclaw-package-$version"]},
  "documentDescribes": ["SPDXRef-hostclaw"],
  "packages": [
    {"SPDXID": "SPDXRef-hostclaw", "name": "hostclaw", "versionInfo": "$version", "primaryPackagePurpose": "APPLICATION",
     "downloadLocation": "NOASSERTION", "filesAnalyzed": false, "licenseConcluded": "NOASSERTION",
     "licenseDeclared": "Apache-2.0", "copyrightText": "The hostclaw authors",
     "checksums": [{"algorithm": "SHA256", "checksumValue": "$hash"}]}
JSON
  for package in "$@"; do
    number=$((number + 1))
    package_lines "$package" |
      while IFS=$'\t' read -r name full architecture source source_version; do
        cat <<JSON
    ,{"SPDXID": "SPDXRef-linked-$number", "name": "$name", "versionInfo": "$full", "primaryPackagePurpose": "LIBRARY",
     "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
     "licenseConcluded": "NOASSERTION", "licenseDeclared": "$(licence_of "$package")", "copyrightText": "NOASSERTION",
     "sourceInfo": "Debian source package $source $source_version; its copyright file is in third-party/",
     "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
       "referenceLocator": "pkg:deb/debian/$(sed 's/+/%2B/g' <<<"$name")@$(sed 's/+/%2B/g; s/:/%3A/g' <<<"$full")?arch=$architecture"}]}
JSON
      done
    related+=",
    {\"spdxElementId\": \"SPDXRef-hostclaw\", \"relationshipType\": \"STATIC_LINK\", \"relatedSpdxElement\": \"SPDXRef-linked-$number\"}"
  done
  cat <<JSON
  ],
  "relationships": [
    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-hostclaw"}$related
  ]
}
JSON
}
