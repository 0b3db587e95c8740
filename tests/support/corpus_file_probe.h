// SPDX-License-Identifier: Apache-2.0
// A FileProbe for recorded cases: the real file system, seen as another user would see it, with files laid
// over it that this machine does not have. Nothing is opened; tests only.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/model/file_probe.h"

namespace hostclaw::test {

class CorpusFileProbe final : public policy::FileProbe {
 public:
  // The user who looks. Files below an `own` prefix belong to that user, whatever the disk says.
  std::uint32_t uid = 1500;
  std::vector<std::string> own_prefixes;

  void add_file(const std::string& path, std::string content, bool executable, std::uint32_t owner = 0);
  void add_directory(const std::string& path, std::uint32_t owner = 0);
  void let_others_write(const std::string& path);  // of a file or directory that was added
  void add_symlink(const std::string& path, const std::string& target);
  void remove(const std::string& path);
  void forget_changes() {
    changes_.clear();
    many_names_.clear();
  }
  // Changes made after this call are undone by forget_changes.
  void keep_changes() { base_ = changes_; }
  void restore() {
    changes_ = base_;
    many_names_.clear();
  }

  policy::FileFacts facts(const std::string& path) override;
  bool is_symlink(const std::string& path) override;
  bool changeable_by_others(const std::string& path) override;
  bool is_one_of_many_names(const std::string& path) override;
  std::optional<std::string> content_sha256(const std::string& path) override;
  std::string head(const std::string& path, std::size_t count) override;

  bool exists(const std::string& path);
  std::size_t looks = 0;  // calls of facts

 private:
  enum class Kind { kFile, kDirectory, kSymlink, kMissing };
  struct Node {
    Kind kind = Kind::kMissing;
    std::string text;  // content or link target
    bool executable = false;
    std::uint32_t owner = 0;
    bool writable_by_others = false;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    bool on_disk = false;
  };

  Node look(const std::string& path) const;
  static Node look_on_disk(const std::string& path);  // the link itself, not what it leads to
  static std::vector<std::string> names_on_disk(const std::string& directory);
  // Absolute path with every symlink resolved; nullopt when a component is missing or the links do not end.
  std::optional<std::string> resolve(const std::string& path, bool& link_is_mutable) const;
  bool is_ours(const std::string& path, const Node& node) const;
  bool look_for_many_names(const std::string& path) const;
  std::string read(const std::string& path, std::size_t limit) const;

  std::map<std::string, Node> changes_;
  std::map<std::string, Node> base_;
  std::map<std::string, bool> many_names_;  // answers, until something changes
};

}  // namespace hostclaw::test
