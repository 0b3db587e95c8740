// SPDX-License-Identifier: Apache-2.0
#include "tests/support/corpus_file_probe.h"

#include <algorithm>
#include <deque>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/sha256.h"
#include "base/text.h"

namespace hostclaw::test {

using policy::FileFacts;
using policy::FileKind;

void CorpusFileProbe::add_file(const std::string& path, std::string content, bool executable,
                               std::uint32_t owner) {
  many_names_.clear();
  Node node{Kind::kFile, std::move(content), executable, owner, false, 0, 0, false};
  node.size = node.text.size();
  node.inode = std::hash<std::string>{}(path) | 1U;
  changes_[path] = std::move(node);
}

void CorpusFileProbe::add_directory(const std::string& path, std::uint32_t owner) {
  changes_[path] =
      Node{Kind::kDirectory, "", true, owner, false, std::hash<std::string>{}(path) | 1U, 0, false};
}

void CorpusFileProbe::add_symlink(const std::string& path, const std::string& target) {
  many_names_.clear();
  changes_[path] =
      Node{Kind::kSymlink, target, false, 0, false, std::hash<std::string>{}(path) | 1U, 0, false};
}

void CorpusFileProbe::remove(const std::string& path) {
  many_names_.clear();
  changes_[path] = Node{};
}

CorpusFileProbe::Node CorpusFileProbe::look(const std::string& path) const {
  if (const auto it = changes_.find(path); it != changes_.end()) return it->second;
  return look_on_disk(path);
}

bool CorpusFileProbe::is_ours(const std::string& path, const Node& node) const {
  if (uid == 0) return true;
  const bool own = std::any_of(own_prefixes.begin(), own_prefixes.end(), [&](const std::string& prefix) {
    return path == prefix || path.starts_with(prefix + "/");
  });
  return own || node.owner == uid;
}

std::optional<std::string> CorpusFileProbe::resolve(const std::string& path, bool& link_is_mutable) const {
  std::deque<std::string> rest;
  for (std::string& part : split(path, '/')) {
    if (!part.empty()) rest.push_back(std::move(part));
  }
  std::string done;
  int links = 0;
  while (!rest.empty()) {
    const std::string part = rest.front();
    rest.pop_front();
    if (part == ".") continue;
    if (part == "..") {
      done = done.substr(0, done.rfind('/') == std::string::npos ? 0 : done.rfind('/'));
      continue;
    }
    const std::string next = done + "/" + part;
    const Node node = look(next);
    if (node.kind == Kind::kMissing) return std::nullopt;
    if (node.kind != Kind::kSymlink) {
      done = next;
      continue;
    }
    if (++links > 40) return std::nullopt;
    if (is_ours(next, node) || is_ours(done.empty() ? "/" : done, look(done.empty() ? "/" : done)))
      link_is_mutable = true;
    std::vector<std::string> parts;
    for (std::string& item : split(node.text, '/')) {
      if (!item.empty()) parts.push_back(std::move(item));
    }
    if (node.text.starts_with('/')) done.clear();
    for (auto it = parts.rbegin(); it != parts.rend(); ++it) rest.push_front(*it);
  }
  return done.empty() ? "/" : done;
}

FileFacts CorpusFileProbe::facts(const std::string& path) {
  ++looks;
  FileFacts out;
  bool link_is_mutable = false;
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos) return out;
  const std::optional<std::string> real = resolve(path, link_is_mutable);
  if (!real) return out;
  const Node node = look(*real);
  const std::string parent = real->rfind('/') == 0 ? "/" : real->substr(0, real->rfind('/'));
  const Node directory = look(parent);
  out.kind = node.kind == Kind::kDirectory ? FileKind::kDirectory : FileKind::kRegular;
  out.executable = node.kind == Kind::kFile && node.executable;
  out.real_path = *real;
  const bool sticky_or_root = parent == "/tmp" || parent == "/var/tmp";
  out.mutable_by_us = link_is_mutable || is_ours(*real, node) || is_ours(parent, directory) ||
                      node.writable_by_others || (directory.writable_by_others && !sticky_or_root);
  out.writable_by_others = node.writable_by_others || (directory.writable_by_others && !sticky_or_root);
  const bool own = is_ours(*real, node);
  out.identity = {true, 1, node.inode, node.size, 0, own ? uid : node.owner};
  return out;
}

void CorpusFileProbe::let_others_write(const std::string& path) { changes_[path].writable_by_others = true; }

bool CorpusFileProbe::changeable_by_others(const std::string& path) {
  bool ignored = false;
  const std::optional<std::string> real = resolve(path, ignored);
  if (!real) return true;
  for (std::string at = *real;; at = at.substr(0, at.rfind('/') == 0 ? 1 : at.rfind('/'))) {
    const Node node = look(at);
    const bool sticky_on_the_way = at != *real && (at == "/tmp" || at == "/var/tmp");
    if ((node.owner != 0 && !is_ours(at, node)) || (node.writable_by_others && !sticky_on_the_way))
      return true;
    if (at == "/") return false;
  }
}

bool CorpusFileProbe::is_one_of_many_names(const std::string& path) {
  const auto known = many_names_.find(path);
  if (known != many_names_.end()) return known->second;
  return many_names_[path] = look_for_many_names(path);
}

bool CorpusFileProbe::look_for_many_names(const std::string& path) const {
  bool ignored = false;
  const std::optional<std::string> real = resolve(path, ignored);
  const std::optional<std::string> directory = resolve(path.substr(0, path.rfind('/')), ignored);
  if (!real || !directory) return false;
  const auto stem = [](const std::string& name) {
    return name.substr(0, name.find_last_not_of("0123456789.-") + 1);
  };
  const auto name_of = [](const std::string& file) { return file.substr(file.rfind('/') + 1); };
  std::set<std::string> names;
  for (std::string& name : names_on_disk(*directory)) names.insert(std::move(name));
  for (const auto& [changed, node] : changes_) {
    if (changed.starts_with(*directory + "/")) names.insert(changed.substr(directory->size() + 1));
  }
  const auto leads_there = [&](const std::string& name) {
    return name.find('/') == std::string::npos && name != name_of(path) &&
           stem(name) != stem(name_of(*real)) && resolve(*directory + "/" + name, ignored) == real;
  };
  return std::count_if(names.begin(), names.end(), leads_there) >= 2;
}

bool CorpusFileProbe::is_symlink(const std::string& path) { return look(path).kind == Kind::kSymlink; }

bool CorpusFileProbe::exists(const std::string& path) { return facts(path).kind != FileKind::kMissing; }

std::string CorpusFileProbe::read(const std::string& path, std::size_t limit) const {
  bool ignored = false;
  const std::optional<std::string> real = resolve(path, ignored);
  if (!real) return {};
  const Node node = look(*real);
  if (!node.on_disk) return node.text.substr(0, limit);
  std::ifstream file(*real, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str().substr(0, limit);
}

std::optional<std::string> CorpusFileProbe::content_sha256(const std::string& path) {
  const FileFacts found = facts(path);
  if (found.kind != FileKind::kRegular) return std::nullopt;
  return sha256_hex(read(path, std::string::npos));
}

std::string CorpusFileProbe::head(const std::string& path, std::size_t count) { return read(path, count); }

}  // namespace hostclaw::test
