// SPDX-License-Identifier: Apache-2.0
// The tokens by which containers are known, and what each may do. What is stored are SCRAM-SHA-256 verifiers
// (RFC 5802, RFC 7677): whoever steals the database can log in nowhere with it.
//
// A token that this program makes is `hlt_<key id>_<43 characters of base64url>`: 256 random bits behind a
// public id. Any other text belongs to the token named `default`, the configuration's `auth_token`.
// Thread rule: one thread at a time; reading and changing what is stored belongs to the store's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"
#include "hostlink/proto/v2_scram.h"

namespace hostclaw::hostlink {

inline constexpr std::string_view kDefaultTokenName = "default";
inline constexpr std::size_t kMaxTokens = 256;

// Its bytes.
inline std::string text_of(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

struct TokenRights {
  bool exec = false;
  bool jobs = false;
  bool files_read = false;
  bool files_write = false;
  std::vector<std::string> words() const;  // exec, jobs, files-read, files-write
};
// Errors: ARGUMENT_INVALID names the word.
Result<TokenRights> rights_from(const std::vector<std::string>& words);

struct TokenEntry {
  std::string name;
  std::string key_id;
  v2::Verifier verifier;
  std::string agent;  // whose policy applies
  TokenRights rights;
  std::vector<std::string> roots;   // absolute directories
  std::vector<std::string> denied;  // globs on real paths
  std::int64_t created_at_ms = 0;
  std::int64_t expires_at_ms = 0;  // 0: never

  bool expired(std::int64_t now_ms) const { return expires_at_ms != 0 && now_ms >= expires_at_ms; }
};

// The agent whose policy holds for a token that names none: its own.
std::string own_agent(std::string_view token_name);
bool is_token_name(std::string_view name);  // lower-case letters, digits, - and _; at most 48

class TokenBook {
 public:
  // Errors: STORE_*, TOKENS_INVALID when what is stored cannot be read: then nobody is let in.
  static Result<TokenBook> read(approvals::Store& store);

  const std::vector<TokenEntry>& entries() const { return entries_; }
  const TokenEntry* find(std::string_view name) const;
  const TokenEntry* find_key(std::string_view key_id) const;

  // The token of that name. Errors: TOKEN_UNKNOWN, and those of read().
  static Result<TokenEntry> entry(approvals::Store& store, const std::string& name);

  // Makes the change and its row of the record together. Errors: TOKEN_EXISTS, TOKEN_UNKNOWN, STORE_*.
  static Result<std::string> add(approvals::Store& store, TokenEntry entry, const approvals::Actor& by,
                                 std::int64_t now_ms);  // answers the token: shown once
  static Result<void> change(approvals::Store& store, const TokenEntry& entry, const approvals::Actor& by,
                             std::int64_t now_ms);
  static Result<void> revoke(approvals::Store& store, const std::string& name, const approvals::Actor& by,
                             std::int64_t now_ms);
  // The configuration's `auth_token`. An empty text takes the token away; the same text writes nothing. What
  // the token may do stays as it was set.
  static Result<void> set_default(approvals::Store& store, const std::string& token, std::int64_t now_ms);

 private:
  // Answers the entry that it added, changed or took away.
  using Edit = std::function<Result<TokenEntry>(TokenBook& book)>;
  // Reads, edits and writes, with no one else between.
  static Result<void> edit(approvals::Store& store, const char* change, const approvals::Actor& by,
                           std::int64_t now_ms, const Edit& edit);
  std::vector<TokenEntry> entries_;
};

// Whether `token` is the one that the verifier was made of. Costs the verifier's rounds: a millisecond and
// more.
bool verifies(const v2::Verifier& verifier, std::string_view token);

// Without what would let anybody in.
Json shown(const TokenEntry& entry);

}  // namespace hostclaw::hostlink
