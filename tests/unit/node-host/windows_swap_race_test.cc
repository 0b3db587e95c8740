// SPDX-License-Identifier: Apache-2.0
// A second thread swaps a program's file and writes to it while the program is judged and run: what runs is
// always what was judged, or nothing.
#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "base/sha256.h"
#include "run_harness.h"
#include "windows_support.h"

namespace hostclaw::node_host {
namespace {

std::string beside_test_child(const std::string& name) {
  const std::string child = test_child();
  return child.substr(0, child.rfind('\\') + 1) + name;
}

bool copy_file(const std::string& from, const std::string& to) {
  return ::CopyFileW(wide(from).c_str(), wide(to).c_str(), FALSE) != 0;
}

class Swapper {
 public:
  Swapper(const TemporaryDirectory& directory, const std::string& tool, std::vector<std::string> contents)
      : thread_([this, spare = directory / "spare.exe", tool, contents = std::move(contents)] {
          for (std::size_t i = 0; !done_; ++i) {
            const std::string& content = contents[i % contents.size()];
            // Another file in its place; then other bytes in the same file.
            if (copy_file(content, spare) && rename_file(spare, tool)) ++swaps;
            if (copy_file(contents[(i + 1) % contents.size()], tool)) ++writes;
          }
        }) {}
  ~Swapper() {
    done_ = true;
    thread_.join();
  }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;

  std::atomic<int> swaps{0};
  std::atomic<int> writes{0};

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

TEST_CASE("while a program is swapped and overwritten only the judged one runs") {
  TemporaryDirectory directory;
  const std::vector<std::string> programs{beside_test_child("marker_a.exe"),
                                          beside_test_child("marker_b.exe")};
  std::map<std::string, std::string> mark_of{{sha256_hex(read_file(programs[0])), "a"},
                                             {sha256_hex(read_file(programs[1])), "b"}};
  REQUIRE(mark_of.size() == 2);
  const std::string tool = directory / "tool.exe";
  REQUIRE(copy_file(programs[0], tool));
  Harness harness;
  int ran = 0;
  int refused = 0;
  int not_judged = 0;
  int swaps = 0;
  int writes = 0;
  {
    Swapper swapper(directory, tool, programs);
    const auto give_up = std::chrono::steady_clock::now() + 240s;
    while ((ran < 150 || swapper.swaps < 150 || swapper.writes < 150) &&
           std::chrono::steady_clock::now() < give_up) {
      auto files = std::make_shared<OpenedFiles>();
      const auto facts = files->facts(tool);
      const auto digest = files->content_sha256(tool);
      const auto mark = mark_of.find(digest.value_or(""));
      // Missing or being written at this moment: a decision would say so.
      if (facts.kind != policy::FileKind::kRegular || mark == mark_of.end()) {
        ++not_judged;
        continue;
      }
      auto judged = command(tool, {"tool"});
      judged.identity = facts.identity;
      judged.content_sha256 = digest;
      const auto outcome = harness.run(plan(judged), {}, files);
      if (!outcome.launch_error.empty()) {
        ++refused;
      } else {
        ++ran;
        REQUIRE(outcome.standard_output.text == mark->second);
      }
    }
    swaps = swapper.swaps;
    writes = swapper.writes;
  }
  WARN("ran " << ran << ", refused " << refused << ", not judged " << not_judged << ", swapped " << swaps
              << ", overwritten " << writes);
  CHECK(ran >= 150);
  CHECK(swaps >= 150);
  CHECK(writes >= 150);
  // Held from the judgement on, it cannot have changed.
  CHECK(refused == 0);
}

}  // namespace
}  // namespace hostclaw::node_host
