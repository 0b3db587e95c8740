# Which Debian packages are inside the executable, and an SPDX document that says so. Sourced by ./package.
# shellcheck shell=bash

# linked_packages BUILD_DIR: the packages whose code is linked or compiled in, sorted; asked of CMake's cache and dpkg.
linked_packages() {
  local cache=$1/CMakeCache.txt name file
  {
    for name in OPENSSL_SSL_LIBRARY OPENSSL_CRYPTO_LIBRARY RE2_LIBRARY SQLITE3_LIBRARY; do
      sed -n "s/^$name:[A-Z]*=//p" "$cache"
    done
    echo "$(sed -n 's/^NLOHMANN_JSON_INCLUDE:[A-Z]*=//p' "$cache")/nlohmann/json.hpp"
    echo "$(sed -n 's/^CLI11_INCLUDE:[A-Z]*=//p' "$cache")/CLI/CLI.hpp"
    echo /usr/include/boost/version.hpp
    for name in libstdc++.a libgcc.a; do readlink -f "$("${CXX:-g++}" -print-file-name=$name)"; done
  } | while read -r file; do
    dpkg-query -S "$file" | sed 's/[:,].*//' || { echo "package: no Debian package holds $file" >&2; return 1; }
  done | sort -u
}

licence_of() {
  case $1 in
    libboost*) echo BSL-1.0 ;;
    libssl-dev) echo Apache-2.0 ;;
    libsqlite3-dev) echo blessing ;;
    libre2-dev | libcli11-dev) echo BSD-3-Clause ;;
    nlohmann-json3-dev) echo MIT ;;
    libstdc++-*-dev | libgcc-*-dev) echo GPL-3.0-or-later WITH GCC-exception-3.1 ;;
    *) echo NOASSERTION ;;
  esac
}

# source_packages PACKAGE...: "openssl (= 3.0.1-1), ...", as Static-Built-Using wants it.
source_packages() {
  dpkg-query -W -f '${source:Package} (= ${source:Version})\n' "$@" | sort -u | paste -sd, | sed 's/,/, /g'
}

# sbom VERSION EXECUTABLE PACKAGE...: SPDX 2.3 as JSON on stdout.
sbom() {
  local version=$1 executable=$2 hash created package number=0 related=""
  shift 2
  hash=$(sha256sum "$executable" | cut -d' ' -f1)
  created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
  cat <<JSON
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "hostclaw-$version-linux-x64",
  "documentNamespace": "urn:hostclaw:spdx:$version:$hash",
  "creationInfo": {"created": "$created", "creators": ["Tool: hostclaw-package-$version"]},
  "documentDescribes": ["SPDXRef-hostclaw"],
  "packages": [
    {"SPDXID": "SPDXRef-hostclaw", "name": "hostclaw", "versionInfo": "$version", "primaryPackagePurpose": "APPLICATION",
     "downloadLocation": "NOASSERTION", "filesAnalyzed": false, "licenseConcluded": "NOASSERTION",
     "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
     "checksums": [{"algorithm": "SHA256", "checksumValue": "$hash"}]}
JSON
  for package in "$@"; do
    number=$((number + 1))
    dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n' "$package" |
      while IFS=$'\t' read -r name full architecture source source_version; do
        cat <<JSON
    ,{"SPDXID": "SPDXRef-linked-$number", "name": "$name", "versionInfo": "$full", "primaryPackagePurpose": "LIBRARY",
     "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
     "licenseConcluded": "NOASSERTION", "licenseDeclared": "$(licence_of "$name")", "copyrightText": "NOASSERTION",
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
