// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/patient_look.h"

#include <chrono>

#include "node-host/system/files/file_handles.h"
#include "test_support.h"
#include "tests/support/hung_mount.h"

namespace hostclaw::node_host {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

milliseconds since(Steady::time_point began) {
  return std::chrono::duration_cast<milliseconds>(Steady::now() - began);
}

TEST_CASE("files that do not answer cost a request its patience, once, and nobody else theirs") {
  TemporaryDirectory directory;
  const auto tool = directory.write("tool", "#!/bin/sh\n", 0755);
  test::HungMount hung(directory.path() + "/hung");
  if (!hung.mounted) {
    WARN("NOT TESTED: no file system that hangs could be mounted here: " << hung.why_not);
    return;
  }
  CHECK(mounts_may_hang());
  {
    OpenedFiles files;
    CHECK(files.facts(tool).kind == policy::FileKind::kRegular);
    CHECK(files.not_answering().empty());
    const auto began = Steady::now();
    const policy::FileFacts facts = files.facts(hung.place + "/tool");
    CHECK(facts.kind == policy::FileKind::kUnreadable);
    CHECK(files.not_answering() == hung.place + "/tool");
    CHECK(since(began) < milliseconds(10'000));
    // The request is over: nothing else is looked at for it.
    CHECK(files.facts("/usr").kind == policy::FileKind::kUnreadable);
    CHECK_FALSE(files.content_sha256(tool).has_value());
  }
  // As long as a look is out there, nobody else waits for that place.
  for (int i = 0; i < 50; ++i) {
    OpenedFiles again;
    const auto began = Steady::now();
    CHECK(again.is_symlink(hung.place + "/other"));
    CHECK(again.not_answering() == hung.place + "/other");
    CHECK(since(began) < milliseconds(1'000));
  }
  OpenedFiles elsewhere;
  CHECK(elsewhere.facts(tool).kind == policy::FileKind::kRegular);
  CHECK(elsewhere.content_sha256(tool).has_value());
  CHECK(elsewhere.unchanged(tool));
  CHECK(elsewhere.not_answering().empty());
  // When it is back, or gone, it is asked again.
  hung.answer_nobody();
  const auto until = Steady::now() + std::chrono::seconds(10);
  bool answered = false;
  while (!answered && Steady::now() < until) {
    OpenedFiles later;
    answered =
        later.facts(hung.place + "/tool").kind != policy::FileKind::kRegular && later.not_answering().empty();
  }
  CHECK(answered);
}

}  // namespace
}  // namespace hostclaw::node_host
