// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/token_book.h"

#include <algorithm>

#include "approvals/audit/audit_chain.h"
#include "base/text.h"
#include "node-host/system/host/random_bytes.h"

namespace hostclaw::hostlink {
namespace {

constexpr const char* kSetting = "hostlink.tokens";
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kKeyIdBytes = 6;

Sha256Digest digest_from(const std::string& bytes) {
  Sha256Digest digest{};
  std::copy_n(bytes.begin(), digest.size(), digest.begin());
  return digest;
}

std::string hex(const std::string& bytes) { return to_hex(std::string_view(bytes)); }

std::optional<std::string> unhex(const Json& json, const char* name) {
  const auto it = json.find(name);
  if (it == json.end() || !it->is_string()) return std::nullopt;
  const auto bytes = from_hex(it->get_ref<const std::string&>());
  if (!bytes) return std::nullopt;
  return std::string(bytes->begin(), bytes->end());
}

Json stored(const TokenEntry& entry) {
  Json json = shown(entry);
  json["salt"] = hex(entry.verifier.salt);
  json["iterations"] = entry.verifier.iterations;
  json["storedKey"] = hex(text_of(entry.verifier.stored_key));
  json["serverKey"] = hex(text_of(entry.verifier.server_key));
  return json;
}

Error unreadable() {
  return make_error("TOKENS_INVALID", "the stored tokens of HostLink cannot be read: nobody is let in",
                    "hostclaw audit tail");
}

std::optional<std::vector<std::string>> texts(const Json& json, const char* name) {
  const auto it = json.find(name);
  if (it == json.end() || !it->is_array()) return std::nullopt;
  std::vector<std::string> out;
  for (const Json& text : *it) {
    if (!text.is_string()) return std::nullopt;
    out.push_back(text.get<std::string>());
  }
  return out;
}

std::optional<TokenEntry> entry_from(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  TokenEntry entry;
  const auto salt = unhex(json, "salt");
  const auto stored_key = unhex(json, "storedKey");
  const auto server_key = unhex(json, "serverKey");
  const auto allow = texts(json, "allow");
  const auto roots = texts(json, "roots");
  const auto denied = texts(json, "deny");
  if (!salt || !stored_key || !server_key || !allow || !roots || !denied) return std::nullopt;
  if (stored_key->size() != kKeyBytes || server_key->size() != kKeyBytes) return std::nullopt;
  for (const char* name : {"name", "keyId", "agent"})
    if (!json.contains(name) || !json[name].is_string()) return std::nullopt;
  for (const char* name : {"iterations", "createdAtMs", "expiresAtMs"})
    if (!json.contains(name) || !json[name].is_number_integer()) return std::nullopt;
  auto rights = rights_from(*allow);
  if (!rights) return std::nullopt;
  entry.name = json["name"].get<std::string>();
  entry.key_id = json["keyId"].get<std::string>();
  entry.agent = json["agent"].get<std::string>();
  entry.verifier = {*salt, json["iterations"].get<std::uint32_t>(), digest_from(*stored_key),
                    digest_from(*server_key)};
  entry.rights = *rights;
  entry.roots = *roots;
  entry.denied = *denied;
  entry.created_at_ms = json["createdAtMs"].get<std::int64_t>();
  entry.expires_at_ms = json["expiresAtMs"].get<std::int64_t>();
  if (entry.verifier.iterations < 1 || entry.verifier.iterations > v2::kMaxIterations) return std::nullopt;
  return entry;
}

Error unknown(const std::string& name) {
  return make_error("TOKEN_UNKNOWN", "there is no token named `" + name + "`",
                    "hostclaw hostlink token list");
}

v2::Verifier fresh_verifier(std::string_view token, std::uint32_t iterations) {
  return v2::make_verifier(token, node_host::random_bytes(v2::kSaltBytes), iterations);
}

}  // namespace

bool verifies(const v2::Verifier& verifier, std::string_view token) {
  const v2::Verifier same = v2::make_verifier(token, verifier.salt, verifier.iterations);
  return equal_constant_time(text_of(same.stored_key), text_of(verifier.stored_key));
}

std::vector<std::string> TokenRights::words() const {
  std::vector<std::string> out;
  if (exec) out.emplace_back("exec");
  if (jobs) out.emplace_back("jobs");
  if (files_read) out.emplace_back("files-read");
  if (files_write) out.emplace_back("files-write");
  return out;
}

Result<TokenRights> rights_from(const std::vector<std::string>& words) {
  TokenRights rights;
  for (const std::string& word : words) {
    if (word == "exec") {
      rights.exec = true;
    } else if (word == "jobs") {
      rights.jobs = true;
    } else if (word == "files-read") {
      rights.files_read = true;
    } else if (word == "files-write") {
      rights.files_write = true;
    } else {
      return make_error("ARGUMENT_INVALID", "`" + word + "` is none of exec, jobs, files-read, files-write");
    }
  }
  return rights;
}

std::string own_agent(std::string_view token_name) { return "hostlink-" + std::string(token_name); }

bool is_token_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 48 && std::all_of(name.begin(), name.end(), fits);
}

Json shown(const TokenEntry& entry) {
  return {{"name", entry.name},
          {"keyId", entry.key_id},
          {"agent", entry.agent},
          {"allow", entry.rights.words()},
          {"roots", entry.roots},
          {"deny", entry.denied},
          {"createdAtMs", entry.created_at_ms},
          {"expiresAtMs", entry.expires_at_ms}};
}

Result<TokenBook> TokenBook::read(approvals::Store& store) {
  auto setting = store.setting(kSetting);
  if (!setting) return setting.error();
  TokenBook book;
  if (!*setting) return book;
  if (!(*setting)->is_array() || (*setting)->size() > kMaxTokens) return unreadable();
  for (const Json& json : **setting) {
    auto entry = entry_from(json);
    if (!entry) return unreadable();
    book.entries_.push_back(std::move(*entry));
  }
  return book;
}

Result<TokenEntry> TokenBook::entry(approvals::Store& store, const std::string& name) {
  auto book = read(store);
  if (!book) return book.error();
  const TokenEntry* found = book->find(name);
  if (found == nullptr) return unknown(name);
  return *found;
}

const TokenEntry* TokenBook::find(std::string_view name) const {
  for (const TokenEntry& entry : entries_)
    if (entry.name == name) return &entry;
  return nullptr;
}

const TokenEntry* TokenBook::find_key(std::string_view key_id) const {
  for (const TokenEntry& entry : entries_)
    if (entry.key_id == key_id) return &entry;
  return nullptr;
}

Result<void> TokenBook::edit(approvals::Store& store, const char* change, const approvals::Actor& by,
                             std::int64_t now_ms, const Edit& edit) {
  return store.transaction([&]() -> Result<void> {
    auto book = read(store);
    if (!book) return book.error();
    const auto entry = edit(*book);
    if (!entry) return entry.error();
    Json all = Json::array();
    for (const TokenEntry& one : book->entries_) all.push_back(stored(one));
    Json fields = shown(*entry);
    fields["change"] = change;
    fields["door"] = by.door;
    fields["by"] = by.who;
    if (auto put = store.put_setting(kSetting, all); !put) return put;
    auto row = approvals::append_audit_row(store.database(), now_ms, "hostlink-token", fields);
    if (!row) return row.error();
    return {};
  });
}

Result<std::string> TokenBook::add(approvals::Store& store, TokenEntry entry, const approvals::Actor& by,
                                   std::int64_t now_ms) {
  entry.key_id = hex(node_host::random_bytes(kKeyIdBytes));
  const std::string secret = node_host::random_bytes(kKeyBytes);
  const std::string token =
      "hlt_" + entry.key_id + "_" +
      to_base64url(std::span(reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()));
  entry.verifier = fresh_verifier(token, v2::kGeneratedIterations);
  entry.created_at_ms = now_ms;
  auto added = edit(store, "add", by, now_ms, [&entry](TokenBook& book) -> Result<TokenEntry> {
    if (book.find(entry.name) != nullptr)
      return make_error("TOKEN_EXISTS", "there is a token named `" + entry.name + "` already",
                        "hostclaw hostlink token set " + entry.name);
    if (book.entries_.size() >= kMaxTokens)
      return make_error("TOKEN_EXISTS", "there are 256 tokens already", "hostclaw hostlink token list");
    book.entries_.push_back(entry);
    return entry;
  });
  if (!added) return added.error();
  return token;
}

Result<void> TokenBook::change(approvals::Store& store, const TokenEntry& entry, const approvals::Actor& by,
                               std::int64_t now_ms) {
  return edit(store, "change", by, now_ms, [&entry](TokenBook& book) -> Result<TokenEntry> {
    for (TokenEntry& one : book.entries_) {
      // Another one of that name is not the one that was looked at; its key is nobody's to change here.
      if (one.name != entry.name || one.key_id != entry.key_id) continue;
      const v2::Verifier kept = one.verifier;
      one = entry;
      one.verifier = kept;
      return one;
    }
    return unknown(entry.name);
  });
}

Result<void> TokenBook::revoke(approvals::Store& store, const std::string& name, const approvals::Actor& by,
                               std::int64_t now_ms) {
  return edit(store, "revoke", by, now_ms, [&name](TokenBook& book) -> Result<TokenEntry> {
    const TokenEntry* found = book.find(name);
    if (found == nullptr) return unknown(name);
    TokenEntry gone = *found;
    std::erase_if(book.entries_, [&name](const TokenEntry& entry) { return entry.name == name; });
    return gone;
  });
}

Result<void> TokenBook::set_default(approvals::Store& store, const std::string& token, std::int64_t now_ms) {
  const approvals::Actor by{"hostlink", "configuration file"};
  const std::string name(kDefaultTokenName);
  auto book = read(store);
  if (!book) return book.error();
  const TokenEntry* found = book->find(name);
  if (token.empty()) return found == nullptr ? Result<void>() : revoke(store, name, by, now_ms);
  if (v2::token_key_id(token) != kDefaultTokenName)
    return make_error("CONFIG_INVALID",
                      "auth_token is a token of `hostclaw hostlink token add`; those need no entry there",
                      "remove auth_token from the configuration file");
  if (found != nullptr && verifies(found->verifier, token)) return {};
  const v2::Verifier verifier = fresh_verifier(token, v2::kChosenIterations);
  return edit(store, found != nullptr ? "change" : "add", by, now_ms, [&](TokenBook& now) {
    for (TokenEntry& entry : now.entries_) {
      if (entry.name != name) continue;
      entry.verifier = verifier;
      return Result<TokenEntry>(entry);
    }
    TokenEntry entry;
    entry.name = entry.key_id = name;
    entry.agent = own_agent(name);
    entry.rights.exec = entry.rights.jobs = true;
    entry.created_at_ms = now_ms;
    entry.verifier = verifier;
    now.entries_.push_back(entry);
    return Result<TokenEntry>(entry);
  });
}

}  // namespace hostclaw::hostlink
