#include "approvals/private_files.h"

#include <memory>

#include "base/file_names.h"

namespace hostclaw::approvals {
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

}  // namespace hostclaw::approvals
