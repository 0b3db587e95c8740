// SPDX-License-Identifier: Apache-2.0
// A state directory of its own with questions in it, and the shipped executable beside it. No gateway.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "approvals/questions/questions.h"
#include "base/json.h"
#include "tests/integration/host_process.h"

namespace hostclaw::integration {

class LocalState {
 public:
  LocalState();

  Environment environment() const;
  // `hostclaw <arguments>` to its end.
  Finished hostclaw(const std::vector<std::string>& arguments) const;
  // The same with --json; fails the test unless it ends with `status`.
  Json json(std::vector<std::string> arguments, int status = 0) const;

  // A question about `git push origin main` of agent main that somebody waits for.
  static approvals::NewQuestion git_push(const std::string& key = "key-1");
  std::string ask(const approvals::NewQuestion& question);  // its id

  TemporaryDirectory directory;
  std::unique_ptr<approvals::Store> store;
  std::unique_ptr<approvals::Questions> questions;
};

}  // namespace hostclaw::integration
