// SPDX-License-Identifier: Apache-2.0
#include "approvals/audit/audit_encoding.h"

#include "base/sha256.h"

namespace hostclaw::approvals {
namespace {

constexpr std::string_view kPrefix("hostclaw-audit-v1\0", 18);

void append_big_endian(std::uint64_t value, int bytes, std::string& out) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift & 0xFF));
}

void append_text(std::string_view text, std::string& out) {
  append_big_endian(text.size(), 4, out);
  out.append(text);
}

}  // namespace

std::string audit_zero_hash() { return std::string(32, '\0'); }

std::string audit_hash(std::string_view encoding) {
  const Sha256Digest digest = sha256(encoding);
  return std::string(digest.begin(), digest.end());
}

void encode_audit_row(std::string_view previous, std::int64_t sequence, std::int64_t at_ms,
                      std::string_view kind, std::string_view body, std::string& out) {
  out.assign(kPrefix);
  out.append(previous);
  append_big_endian(static_cast<std::uint64_t>(sequence), 8, out);
  append_big_endian(static_cast<std::uint64_t>(at_ms), 8, out);
  append_text(kind, out);
  append_text(body, out);
}

}  // namespace hostclaw::approvals
