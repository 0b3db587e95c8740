// SPDX-License-Identifier: Apache-2.0
// Files that agents share: whole contents by key, each change a version, the newest ones kept. When there is
// no room for a change, the oldest contents that were replaced go first.
//
// Errors: FILE_CONFLICT (another version is there; its number is in `current`), FILES_FULL, FILE_TOO_LARGE,
// FILE_UNKNOWN, STORE_*.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

struct FileInfo {
  std::string file_key;
  std::string file_type;
  std::string last_editor;
  std::int64_t version = 0;
  std::int64_t updated_at_ms = 0;
  std::int64_t bytes = 0;
  std::string sha256;
};

struct FilePut {
  std::string file_key;
  std::string content;
  std::string editor;
  std::string file_type = "text";
  std::optional<std::int64_t> expected_version;  // 0: there must be none
};
struct FilePutResult {
  bool saved = false;
  std::int64_t version = 0;  // the new one, or of a conflict the one that is there
};
// Tells everybody else who is registered.
Result<FilePutResult> put_file(StoreSession& session, const FilePut& put);

// With all its versions. FILE_UNKNOWN.
Result<void> remove_file(StoreSession& session, const std::string& file_key, const std::string& by);

Result<std::vector<FileInfo>> list_files(StoreSession& session);
Result<std::int64_t> count_files(StoreSession& session);
Result<std::vector<FileInfo>> file_history(StoreSession& session, const std::string& file_key);
struct FileContent {
  FileInfo info;
  std::string content;
};
// `version` 0: the newest. nullopt: no such file, or its version is kept no more.
Result<std::optional<FileContent>> get_file(StoreSession& session, const std::string& file_key,
                                            std::int64_t version = 0);

}  // namespace hostclaw::clawlink
