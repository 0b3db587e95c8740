// SPDX-License-Identifier: Apache-2.0
// What a decision on Windows never looks at: names that stand for another file than they show, the network,
// devices. Looking alone would log on at a machine of the request's choice, or wake a device.
#pragma once

#include <set>
#include <string>

#include "policy/model/engine_context.h"
#include "policy/model/file_probe.h"

namespace hostclaw::policy {

// A FileProbe in front of another one, which must outlive it. Such paths are kMissing, unless they are the
// real path of a file that was looked at under a plain name (on a drive that its owner mapped). Real paths
// have `/` between their parts, as everywhere in this room.
class LocalFiles final : public FileProbe {
 public:
  explicit LocalFiles(FileProbe& files) : files_(files) {}
  FileFacts facts(const std::string& path) override;
  bool is_symlink(const std::string& path) override;
  bool changeable_by_others(const std::string& path) override;
  std::optional<std::string> content_sha256(const std::string& path) override;
  std::string head(const std::string& path, std::size_t count) override;

 private:
  bool may_be_looked_at(const std::string& path) const;

  FileProbe& files_;
  std::set<std::string> real_paths_;  // those that would not be looked at by themselves
};

// The context in which a decision is made: as given, on Windows with LocalFiles in front. Valid while
// `context` is.
class LocalContext {
 public:
  explicit LocalContext(const EngineContext& context) : files_(*context.files) {
    if (context.platform != Platform::kWindows) {
      used_ = &context;
      return;
    }
    guarded_ = context;
    guarded_.files = &files_;
    used_ = &guarded_;
  }
  LocalContext(const LocalContext&) = delete;
  LocalContext& operator=(const LocalContext&) = delete;
  const EngineContext& get() const { return *used_; }

 private:
  LocalFiles files_;
  EngineContext guarded_;
  const EngineContext* used_ = nullptr;
};

}  // namespace hostclaw::policy
