// SPDX-License-Identifier: Apache-2.0
#include "approvals/store/store.h"

#include <chrono>
#include <cstdlib>

#include "approvals/audit/audit_chain.h"
#include "approvals/database/schema.h"
#include "approvals/database/sqlite.h"
#include "approvals/platform/private_files.h"
#include "approvals/platform/secret_protection.h"
#include "approvals/policy/policy_changes.h"
#include "approvals/store/store_impl.h"
#include "base/clock.h"
#include "base/sha256.h"

namespace hostclaw::approvals {
namespace {

constexpr std::int64_t kKeptDocumentWrites = 200;
constexpr std::string_view kKeyName = "the device's private key";
constexpr std::string_view kTokenName = "the device token";

// The hash that stands for "there is no document" in compare-and-swap; part of the wire contract.
std::string missing_hash() { return "missing:" + sha256_hex(""); }

// Who may speak for this node changed. Tokens and keys themselves never enter the record.
Result<void> record_pairing(Database& database, std::string_view change, const std::string& device_id,
                            const std::string& role) {
  Json fields = {{"change", change}, {"device", device_id}};
  if (!role.empty()) fields["role"] = role;
  const Result<AuditRow> recorded = append_audit_row(database, unix_ms_now(), "pairing", fields);
  if (!recorded) return recorded.error();
  return {};
}

Result<Json> parse_setting(const std::string& key, std::string_view text) {
  Result<Json> value = parse_json(text);
  if (!value) {
    return make_error("SETTING_INVALID",
                      "the stored setting " + key + " is not valid JSON: " + value.error().message);
  }
  return value;
}

}  // namespace

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

std::string Store::path() const { return impl_->database->path(); }

Database& Store::database() { return *impl_->database; }

Result<void> Store::transaction(const std::function<Result<void>()>& body) {
  return database().transaction(body);
}

void Store::wait_for_locks(std::chrono::milliseconds patience) {
  impl_->options.busy_timeout = patience;
  sqlite3_busy_timeout(database().handle(), static_cast<int>(patience.count()));
}

Result<void> Store::survive_power_loss(bool yes) {
  impl_->survive_power_loss = yes;
  return database().execute(yes ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
}

Result<std::optional<IdentityRow>> Store::identity() {
  Statement query = database().statement(
      "SELECT device_id, public_key_pem, private_key_pem, created_at_ms FROM identity WHERE slot = 1");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  if (!*found) return std::optional<IdentityRow>();
  Result<std::string> key = unprotect_secret(query.text_view(2), kKeyName);
  if (!key) return key.error();
  return std::optional<IdentityRow>(
      IdentityRow{query.text(0), query.text(1), std::move(*key), query.integer(3)});
}

Result<std::optional<IdentityRow>> Store::public_identity() {
  Statement query =
      database().statement("SELECT device_id, public_key_pem, created_at_ms FROM identity WHERE slot = 1");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  if (!*found) return std::optional<IdentityRow>();
  return std::optional<IdentityRow>(IdentityRow{query.text(0), query.text(1), {}, query.integer(2)});
}

Result<IdentityRow> Store::insert_identity(const IdentityRow& candidate) {
  const Result<std::string> key = protect_secret(candidate.private_key_pem, kKeyName);
  if (!key) return key.error();
  return database().transaction([&]() -> Result<IdentityRow> {
    Result<void> inserted = database()
                                .statement(
                                    "INSERT INTO identity (slot, device_id, public_key_pem, private_key_pem, "
                                    "created_at_ms) VALUES (1, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
                                .bind(candidate.device_id)
                                .bind(candidate.public_key_pem)
                                .bind(*key)
                                .bind(candidate.created_at_ms)
                                .run();
    if (!inserted) return inserted.error();
    const bool made = sqlite3_changes(database().handle()) == 1;
    Result<std::optional<IdentityRow>> stored = identity();
    if (!stored) return stored.error();
    if (made) {
      Result<void> recorded = record_pairing(database(), "identity-made", candidate.device_id, "");
      if (!recorded) return recorded.error();
    }
    return **stored;
  });
}

Result<void> Store::replace_identity(const IdentityRow& row) {
  const Result<std::string> key = protect_secret(row.private_key_pem, kKeyName);
  if (!key) return key.error();
  return database().transaction([&]() -> Result<void> {
    Result<void> stored =
        database()
            .statement(
                "INSERT INTO identity (slot, device_id, public_key_pem, private_key_pem, created_at_ms) "
                "VALUES (1, ?, ?, ?, ?) ON CONFLICT (slot) DO UPDATE SET device_id = excluded.device_id, "
                "public_key_pem = excluded.public_key_pem, private_key_pem = excluded.private_key_pem, "
                "created_at_ms = excluded.created_at_ms")
            .bind(row.device_id)
            .bind(row.public_key_pem)
            .bind(*key)
            .bind(row.created_at_ms)
            .run();
    if (!stored) return stored;
    return record_pairing(database(), "identity-imported", row.device_id, "");
  });
}

Result<std::optional<DeviceToken>> Store::device_token(const std::string& device_id,
                                                       const std::string& role) {
  Statement query =
      database().statement("SELECT token, updated_at_ms FROM device_tokens WHERE device_id = ? AND role = ?");
  const Result<bool> found = query.bind(device_id).bind(role).step();
  if (!found) return found.error();
  if (!*found) return std::optional<DeviceToken>();
  Result<std::string> token = unprotect_secret(query.text_view(0), kTokenName);
  if (!token) return token.error();
  return std::optional<DeviceToken>(DeviceToken{std::move(*token), query.integer(1)});
}

Result<void> Store::put_device_token(const std::string& device_id, const std::string& role,
                                     const std::string& token, const std::optional<std::string>& expected) {
  return database().transaction([&]() -> Result<void> {
    const Result<std::optional<DeviceToken>> current = device_token(device_id, role);
    if (!current) return current.error();
    const bool as_expected = current->has_value() ? expected == (*current)->token : !expected.has_value();
    if (!as_expected) {
      return make_error("STORE_CONFLICT",
                        "the stored token for role " + role + " was changed by another process");
    }
    if (current->has_value() && (*current)->token == token) return {};
    const Result<std::string> protected_token = protect_secret(token, kTokenName);
    if (!protected_token) return protected_token.error();
    Result<void> stored =
        database()
            .statement(
                "INSERT INTO device_tokens (device_id, role, token, updated_at_ms) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (device_id, role) DO UPDATE SET token = excluded.token, "
                "updated_at_ms = excluded.updated_at_ms")
            .bind(device_id)
            .bind(role)
            .bind(*protected_token)
            .bind(unix_ms_now())
            .run();
    if (!stored) return stored;
    return record_pairing(database(), current->has_value() ? "token-replaced" : "token-received", device_id,
                          role);
  });
}

Result<void> Store::remove_device_token(const std::string& device_id, const std::string& role) {
  return database().transaction([&]() -> Result<void> {
    Result<void> removed = database()
                               .statement("DELETE FROM device_tokens WHERE device_id = ? AND role = ?")
                               .bind(device_id)
                               .bind(role)
                               .run();
    if (!removed || sqlite3_changes(database().handle()) == 0) return removed;
    return record_pairing(database(), "token-removed", device_id, role);
  });
}

Result<std::optional<Json>> Store::setting(const std::string& key) {
  Statement query = database().statement("SELECT value FROM settings WHERE key = ?");
  const Result<bool> found = query.bind(key).step();
  if (!found) return found.error();
  if (!*found) return std::optional<Json>();
  Result<Json> value = parse_setting(key, query.text_view(0));
  if (!value) return value.error();
  return std::optional<Json>(std::move(*value));
}

Result<void> Store::put_setting(const std::string& key, const Json& value) {
  return database()
      .statement(
          "INSERT INTO settings (key, value, updated_at_ms) VALUES (?, ?, ?) "
          "ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at_ms = excluded.updated_at_ms")
      .bind(key)
      .bind(dump_json(value))
      .bind(unix_ms_now())
      .run();
}

Result<void> Store::remove_setting(const std::string& key) {
  return database().statement("DELETE FROM settings WHERE key = ?").bind(key).run();
}

Result<std::map<std::string, Json>> Store::settings() {
  std::map<std::string, Json> all;
  Statement query = database().statement("SELECT key, value FROM settings");
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return all;
    Result<Json> value = parse_setting(query.text(0), query.text_view(1));
    if (!value) return value.error();
    all.emplace(query.text(0), std::move(*value));
  }
}

Result<StoredDocument> Store::document() {
  Statement query = database().statement(
      "SELECT raw_text, hash, generation, updated_at_ms FROM policy_document WHERE slot = 1");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  StoredDocument document;
  document.exists = *found;
  if (!*found) {
    document.hash = missing_hash();
    return document;
  }
  document.raw_text = query.text(0);
  document.hash = query.text(1);
  document.generation = query.integer(2);
  document.updated_at_ms = query.integer(3);
  return document;
}

Result<std::int64_t> Store::document_generation() {
  return database().integer("SELECT generation FROM policy_document WHERE slot = 1");
}

Result<StoredDocument> Store::put_document(const std::string& raw_text,
                                           const std::optional<std::string>& expected_hash,
                                           const Actor& actor) {
  return database().transaction([&]() -> Result<StoredDocument> {
    Result<StoredDocument> current = document();
    if (!current) return current;
    if (expected_hash && *expected_hash != current->hash) {
      return make_error("STORE_CONFLICT",
                        "the policy document was changed since it was read; reload and try again");
    }
    if (current->exists && current->raw_text == raw_text) return current;
    StoredDocument next{true, raw_text, sha256_hex(raw_text), current->generation + 1, unix_ms_now()};
    Result<void> stored =
        database()
            .statement(
                "INSERT INTO policy_document (slot, generation, hash, updated_at_ms, raw_text) "
                "VALUES (1, ?, ?, ?, ?) ON CONFLICT (slot) DO UPDATE SET "
                "generation = excluded.generation, hash = excluded.hash, "
                "updated_at_ms = excluded.updated_at_ms, raw_text = excluded.raw_text")
            .bind(next.generation)
            .bind(next.hash)
            .bind(next.updated_at_ms)
            .bind(next.raw_text)
            .run();
    if (!stored) return stored.error();
    Result<void> kept =
        database()
            .statement(
                "INSERT INTO policy_history (generation, written_at_ms, door, who, hash_before, "
                "hash_after, text_after) VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(next.generation)
            .bind(next.updated_at_ms)
            .bind(actor.door)
            .bind(actor.who)
            .bind(current->hash)
            .bind(next.hash)
            .bind(next.raw_text)
            .run();
    if (!kept) return kept.error();
    Result<void> trimmed = database()
                               .statement("DELETE FROM policy_history WHERE generation <= ?")
                               .bind(next.generation - kKeptDocumentWrites)
                               .run();
    if (!trimmed) return trimmed.error();
    const Result<AuditRow> recorded =
        append_audit_row(database(), next.updated_at_ms, "policy-write",
                         {{"door", actor.door},
                          {"who", actor.who},
                          {"generation", next.generation},
                          {"hashBefore", current->hash},
                          {"hashAfter", next.hash},
                          {"changes", policy_changes(current->raw_text, raw_text)}});
    if (!recorded) return recorded.error();
    return next;
  });
}

Result<std::vector<DocumentWrite>> Store::document_history(std::size_t limit) {
  Statement query = database().statement(
      "SELECT generation, written_at_ms, door, who, hash_before, hash_after, text_after FROM policy_history "
      "ORDER BY generation DESC LIMIT ?");
  query.bind(static_cast<std::int64_t>(limit));
  return read_rows(query, [](const Statement& row) {
    return DocumentWrite{row.integer(0), row.integer(1), Actor{row.text(2), row.text(3)},
                         row.text(4),    row.text(5),    row.text(6)};
  });
}

Result<void> Store::record_usage(const std::vector<EntryUsage>& usage) {
  if (usage.empty()) return {};
  return database().transaction([&]() -> Result<void> {
    for (const EntryUsage& entry : usage) {
      Result<void> stored =
          database()
              .statement(
                  "INSERT INTO allowlist_usage (agent, pattern, arg_pattern, last_used_at_ms, "
                  "last_used_command, "
                  "last_resolved_path, use_count) VALUES (?, ?, ?, ?, ?, ?, 1) "
                  "ON CONFLICT (agent, pattern, arg_pattern) DO UPDATE SET last_used_at_ms = "
                  "excluded.last_used_at_ms, "
                  "last_used_command = excluded.last_used_command, "
                  "last_resolved_path = excluded.last_resolved_path, use_count = use_count + 1")
              .bind(entry.agent)
              .bind(entry.pattern)
              .bind(entry.arg_pattern)
              .bind(entry.last_used_at_ms)
              .bind(entry.last_used_command)
              .bind(entry.last_resolved_path)
              .run();
      if (!stored) return stored;
    }
    return {};
  });
}

Result<std::vector<EntryUsage>> Store::usage() {
  Statement query = database().statement(
      "SELECT agent, pattern, arg_pattern, last_used_at_ms, last_used_command, last_resolved_path, use_count "
      "FROM allowlist_usage");
  return read_rows(query, [](const Statement& row) {
    return EntryUsage{row.text(0), row.text(1), row.text(2),   row.integer(3),
                      row.text(4), row.text(5), row.integer(6)};
  });
}

Result<std::int64_t> Store::foreign_change_count() {
  const Result<std::int64_t> version = database().integer("PRAGMA data_version");
  if (!version) return version;
  return impl_->epoch << 32 | *version;  // a 32-bit counter of one connection
}

Result<std::int64_t> Store::bytes_in_use() {
  std::int64_t pages = 0;
  for (const auto& [pragma, sign] :
       {std::pair("PRAGMA page_count", 1), std::pair("PRAGMA freelist_count", -1)}) {
    const Result<std::int64_t> counted = database().integer(pragma);
    if (!counted) return counted;
    pages += sign * *counted;
  }
  const Result<std::int64_t> size = database().integer("PRAGMA page_size");
  if (!size) return size;
  return pages * *size;
}

Result<void> Store::check_integrity() {
  Statement query = database().statement("PRAGMA quick_check(1)");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  const std::string verdict = *found ? query.text(0) : "no answer";
  if (verdict == "ok") return {};
  return make_error("STORE_CORRUPT", "the database " + path() + " is damaged: " + verdict,
                    command_to_rename(path(), path() + ".damaged"));
}

}  // namespace hostclaw::approvals
