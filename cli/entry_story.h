// SPDX-License-Identifier: Apache-2.0
// What entries of the approvals document mean to people: the command and the directory behind a digest, when
// and by whom the entry came, and when it was last used. Put together from the record and the runs; what they
// do not hold any more is left out. Nothing of it is for a run: it would show what others ran.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"

namespace hostclaw::cli {

struct EntryStory {
  std::string command;           // what an allow-always was given for, secrets masked; empty: not known
  std::string directory;         // where; empty: not known
  std::int64_t added_at_ms = 0;  // 0: not known
  approvals::Actor added_by;
  std::optional<approvals::EntryUsage> usage;  // absent: never used
};

// Thread rule: the thread that owns the store. What cannot be read is treated as not known.
class EntryStories {
 public:
  explicit EntryStories(approvals::Store& store);

  // `agent`: the key under `agents`; `entry`: as the document holds it.
  EntryStory of(const std::string& agent, const OrderedJson& entry);

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // agent, pattern, argPattern
  const std::vector<approvals::RunRow>& runs_of(const std::string& agent);

  approvals::Store& store_;
  std::map<Key, EntryStory> known_;
  std::map<std::string, std::vector<approvals::RunRow>> runs_;
};

// One line each, without what is not known: "allows ...", "added ...", "used ...".
std::vector<std::string> story_lines(const EntryStory& story);
// The same as members of the entry.
void add_story(const EntryStory& story, OrderedJson& entry);

}  // namespace hostclaw::cli
