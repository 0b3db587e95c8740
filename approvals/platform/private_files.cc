// SPDX-License-Identifier: Apache-2.0
#include "approvals/platform/private_files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "approvals/platform/random_id.h"
#include "base/file_names.h"

namespace hostclaw::approvals {

Result<void> check_private_database(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"})
    if (Result<void> checked = check_private_file(path + suffix); !checked) return checked;
  return {};
}
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

}  // namespace

bool same_content(const std::string& left, const std::string& right) {
  const File left_file(open_file(left, "rb"));
  const File right_file(open_file(right, "rb"));
  if (!left_file || !right_file) return false;
  std::string left_part(1 << 16, '\0');
  std::string right_part(1 << 16, '\0');
  for (;;) {
    const std::size_t left_size = std::fread(left_part.data(), 1, left_part.size(), left_file.get());
    const std::size_t right_size = std::fread(right_part.data(), 1, right_part.size(), right_file.get());
    if (left_size != right_size || left_part.compare(0, left_size, right_part, 0, right_size) != 0)
      return false;
    if (left_size < left_part.size())
      return std::ferror(left_file.get()) == 0 && std::ferror(right_file.get()) == 0;
  }
}

void remove_directory_tree(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove_all(to_path(directory), ignored);
}

Result<void> check_space(const std::string& directory) {
  // As much as a few rows of the record with their index.
  constexpr std::size_t kBytes = 64 * 1024;
  const std::string path = directory + "/space-" + new_uuid();
  Result<std::FILE*> file = open_new_private_file(path);
  if (!file) return file.error();
  const std::string block(kBytes, '\0');
  bool written = std::fwrite(block.data(), 1, block.size(), *file) == block.size() && std::fflush(*file) == 0;
  const int reason = errno;
  written = std::fclose(*file) == 0 && written;
  std::error_code ignored;
  std::filesystem::remove(to_path(path), ignored);
  if (written) return {};
  const bool full = reason == ENOSPC || is_out_of_space(reason);
  return make_error(full ? "STORE_FULL" : "STORE_IO",
                    full ? "no space is left for the database, so nothing may run"
                         : "cannot write in " + directory + ": " + std::strerror(reason),
                    command_for_free_space(directory));
}

}  // namespace hostclaw::approvals
