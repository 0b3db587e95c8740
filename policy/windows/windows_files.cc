// SPDX-License-Identifier: Apache-2.0
#include "policy/windows/windows_files.h"

#include <algorithm>

#include "policy/windows/windows_text.h"

namespace hostclaw::policy {

bool LocalFiles::may_be_looked_at(const std::string& path) const {
  return suspicious_windows_path(path).empty() || real_paths_.contains(path);
}

FileFacts LocalFiles::facts(const std::string& path) {
  if (!may_be_looked_at(path)) return {};
  FileFacts facts = files_.facts(path);
  std::replace(facts.real_path.begin(), facts.real_path.end(), '\\', '/');
  if (!may_be_looked_at(facts.real_path)) real_paths_.insert(facts.real_path);
  return facts;
}

bool LocalFiles::is_symlink(const std::string& path) {
  return may_be_looked_at(path) && files_.is_symlink(path);
}

bool LocalFiles::changeable_by_others(const std::string& path) {
  return !may_be_looked_at(path) || files_.changeable_by_others(path);
}

std::optional<std::string> LocalFiles::content_sha256(const std::string& path) {
  return may_be_looked_at(path) ? files_.content_sha256(path) : std::nullopt;
}

std::string LocalFiles::head(const std::string& path, std::size_t count) {
  return may_be_looked_at(path) ? files_.head(path, count) : std::string();
}

}  // namespace hostclaw::policy
