// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/files.h"

#include "base/sha256.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/agents.h"
#include "clawlink/store/queue.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

Result<std::int64_t> version_of(StoreSession& session, const std::string& file_key) {
  Statement query = session.database.statement("SELECT version FROM files WHERE file_key = ?");
  const Result<bool> found = query.bind(file_key).step();
  if (!found) return found.error();
  return *found ? query.integer(0) : std::int64_t{0};
}

struct OldVersion {
  std::string file_key;
  std::int64_t version = 0;
  std::int64_t bytes = 0;
};

// Until so many bytes are free, or there is nothing left but newest versions.
Result<void> drop_old_versions(StoreSession& session, std::int64_t wanted) {
  std::vector<OldVersion> old;
  {
    Statement query = session.database.statement(
        "SELECT v.file_key, v.version, v.bytes FROM file_versions v JOIN files f ON f.file_key = v.file_key "
        "WHERE "
        "v.version < f.version ORDER BY v.at_ms, v.version");
    for (std::int64_t found_bytes = 0; found_bytes < wanted;) {
      const Result<bool> found = query.step();
      if (!found) return found.error();
      if (!*found) break;
      old.push_back({query.text(0), query.integer(1), query.integer(2)});
      found_bytes += old.back().bytes;
    }
  }
  for (const OldVersion& one : old) {
    Statement query =
        session.database.statement("DELETE FROM file_versions WHERE file_key = ? AND version = ?");
    if (Result<void> done = query.bind(one.file_key).bind(one.version).run(); !done) return done;
  }
  return {};
}

Result<std::int64_t> bytes_kept(StoreSession& session) {
  return session.database.integer("SELECT coalesce(sum(bytes), 0) FROM file_versions");
}

Result<void> check_room(StoreSession& session, const FilePut& put, bool is_new) {
  const auto bytes = static_cast<std::int64_t>(put.content.size());
  if (bytes > session.limits.file_bytes)
    return make_error("FILE_TOO_LARGE",
                      "a file has at most " + std::to_string(session.limits.file_bytes) + " bytes");
  const Result<std::int64_t> files = count_files(session);
  if (!files) return files.error();
  Result<std::int64_t> kept = bytes_kept(session);
  if (kept && *kept + bytes > session.limits.files_bytes) {
    const std::int64_t wanted = *kept + bytes - session.limits.files_bytes;
    if (Result<void> freed = drop_old_versions(session, wanted); !freed) return freed;
    kept = bytes_kept(session);
  }
  if (!kept) return kept.error();
  if ((is_new && *files >= session.limits.files) || *kept + bytes > session.limits.files_bytes)
    return make_error("FILES_FULL", "this relay keeps as many files as it may");
  return {};
}

Result<void> insert_version(StoreSession& session, const FilePut& put, std::int64_t version,
                            const std::string& digest) {
  Result<void> done =
      session.database
          .statement(
              "INSERT INTO files (file_key, file_type, last_editor, version, updated_at_ms) VALUES (?, "
              "?, ?, ?, ?) ON CONFLICT (file_key) DO UPDATE SET file_type = excluded.file_type, "
              "last_editor = excluded.last_editor, version = excluded.version, updated_at_ms = "
              "excluded.updated_at_ms")
          .bind(put.file_key)
          .bind(put.file_type)
          .bind(put.editor)
          .bind(version)
          .bind(session.now_ms)
          .run();
  if (!done) return done;
  done = session.database
             .statement(
                 "INSERT INTO file_versions (file_key, version, file_type, editor, sha256, bytes, at_ms, "
                 "content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
             .bind(put.file_key)
             .bind(version)
             .bind(put.file_type)
             .bind(put.editor)
             .bind(digest)
             .bind(static_cast<std::int64_t>(put.content.size()))
             .bind(session.now_ms)
             .bind_blob(put.content)
             .run();
  if (!done) return done;
  return session.database.statement("DELETE FROM file_versions WHERE file_key = ? AND version <= ?")
      .bind(put.file_key)
      .bind(version - session.limits.file_versions)
      .run();
}

Result<void> tell_others(StoreSession& session, const FilePut& put, std::int64_t version) {
  AgentFilter others;
  others.except = put.editor;
  const Result<std::vector<Agent>> agents = list_agents(session, others);
  if (!agents) return agents.error();
  std::vector<std::string> ids;
  for (const Agent& agent : *agents) ids.push_back(agent.agent_id);
  const Result<std::int64_t> told = enqueue_for_all(session, ids, "file_updated",
                                                    dump_json(Json{{"type", "file_updated"},
                                                                   {"file_key", put.file_key},
                                                                   {"version", version},
                                                                   {"last_editor", put.editor},
                                                                   {"timestamp", iso_time(session.now_ms)}}));
  if (!told) return told.error();
  return {};
}

#define HOSTCLAW_VERSION_COLUMNS "file_key, file_type, editor, version, at_ms, bytes, sha256"

FileInfo read_info(const Statement& query) {
  return {query.text(0),    query.text(1),    query.text(2), query.integer(3),
          query.integer(4), query.integer(5), query.text(6)};
}

Result<std::vector<FileInfo>> read_infos(Statement& query) { return approvals::read_rows(query, read_info); }

}  // namespace

Result<FilePutResult> put_file(StoreSession& session, const FilePut& put) {
  const Result<std::int64_t> before = version_of(session, put.file_key);
  if (!before) return before.error();
  if (put.expected_version && *put.expected_version != *before) return FilePutResult{false, *before};
  if (Result<void> room = check_room(session, put, *before == 0); !room) return room.error();
  const std::int64_t version = *before + 1;
  const std::string digest = sha256_hex(put.content);
  if (Result<void> done = insert_version(session, put, version, digest); !done) return done.error();
  if (Result<void> told = tell_others(session, put, version); !told) return told.error();
  const Result<void> recorded = session.record("file", {{"key", put.file_key},
                                                        {"version", version},
                                                        {"by", put.editor},
                                                        {"bytes", put.content.size()},
                                                        {"sha256", digest}});
  if (!recorded) return recorded.error();
  return FilePutResult{true, version};
}

Result<void> remove_file(StoreSession& session, const std::string& file_key, const std::string& by) {
  if (Result<void> done =
          session.database.statement("DELETE FROM files WHERE file_key = ?").bind(file_key).run();
      !done) {
    return done;
  }
  if (sqlite3_changes64(session.database.handle()) == 0)
    return make_error("FILE_UNKNOWN", "there is no file " + file_key, "hostclaw clawlink files list");
  if (Result<void> done =
          session.database.statement("DELETE FROM file_versions WHERE file_key = ?").bind(file_key).run();
      !done) {
    return done;
  }
  return session.record("file", {{"key", file_key}, {"by", by}, {"removed", true}});
}

Result<std::vector<FileInfo>> list_files(StoreSession& session) {
  Statement query = session.database.statement(
      "SELECT f.file_key, f.file_type, f.last_editor, f.version, f.updated_at_ms, v.bytes, v.sha256 FROM "
      "files "
      "f JOIN file_versions v ON v.file_key = f.file_key AND v.version = f.version ORDER BY f.file_key");
  return read_infos(query);
}

Result<std::int64_t> count_files(StoreSession& session) {
  return session.database.integer("SELECT count(*) FROM files");
}

Result<std::vector<FileInfo>> file_history(StoreSession& session, const std::string& file_key) {
  Statement query = session.database.statement(
      "SELECT " HOSTCLAW_VERSION_COLUMNS " FROM file_versions WHERE file_key = ? ORDER BY version DESC");
  query.bind(file_key);
  return read_infos(query);
}

Result<std::optional<FileContent>> get_file(StoreSession& session, const std::string& file_key,
                                            std::int64_t version) {
  Statement query = session.database.statement("SELECT " HOSTCLAW_VERSION_COLUMNS
                                               ", content FROM file_versions WHERE file_key = ?1 AND (?2 = 0 "
                                               "OR version = ?2) ORDER BY version DESC LIMIT 1");
  const Result<bool> found = query.bind(file_key).bind(version).step();
  if (!found) return found.error();
  if (!*found) return std::optional<FileContent>();
  return std::optional<FileContent>(FileContent{read_info(query), query.blob(7)});
}

}  // namespace hostclaw::clawlink
