#include "policy/windows_files.h"

#include "policy/analysis/windows_text.h"

namespace hostclaw::policy {
namespace {

bool may_be_looked_at(const std::string& path) { return suspicious_windows_path(path).empty(); }

}  // namespace

FileFacts LocalFiles::facts(const std::string& path) {
  return may_be_looked_at(path) ? files_.facts(path) : FileFacts{};
}

bool LocalFiles::is_symlink(const std::string& path) {
  return may_be_looked_at(path) && files_.is_symlink(path);
}

std::optional<std::string> LocalFiles::content_sha256(const std::string& path) {
  return may_be_looked_at(path) ? files_.content_sha256(path) : std::nullopt;
}

std::string LocalFiles::head(const std::string& path, std::size_t count) {
  return may_be_looked_at(path) ? files_.head(path, count) : std::string();
}

}  // namespace hostclaw::policy
