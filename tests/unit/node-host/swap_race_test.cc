// SPDX-License-Identifier: Apache-2.0
// Ten thousand decisions, and in each of them a second thread swaps something at a moment of its own choice:
// the link that PATH leads to, a directory above the program, the program, its content, the working
// directory, a script, a script's content. What ran must be what was judged; to refuse is always right.
#include <sys/syscall.h>

#include <atomic>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "base/sha256.h"
#include "run_support.h"

namespace hostclaw::node_host {
namespace {

constexpr int kAttempts = 10'000;
constexpr unsigned kExchange = 2;  // RENAME_EXCHANGE

bool exchange(const std::string& left, const std::string& right) {
  return ::syscall(SYS_renameat2, AT_FDCWD, left.c_str(), AT_FDCWD, right.c_str(), kExchange) == 0;
}

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string hex_digest(const std::string& bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string marker_of(int number) {
  std::string text = std::to_string(number);
  return "MARK" + std::string(4 - text.size(), '0') + text;
}

// Files whose contents differ only in a marker of eight bytes, each with two markers that are its own.
class Scenery {
 public:
  Scenery() {
    const std::string program = read_whole(std::string(HOSTCLAW_BINARY_DIR) + "/swap_marker");
    REQUIRE_FALSE(program.empty());
    for (const char* side : {"left", "right"}) {
      directory_.make_directory(side, 0777);
      directory_.make_directory(std::string(side) + "/bin", 0777);
      for (const char* name : {"tool", "tool.other"}) add(std::string(side) + "/bin/" + name, program, "");
      for (const char* name : {"script", "script.other"})
        add(std::string(side) + "/bin/" + name, "#!/bin/sh\necho ", "\n");
    }
    directory_.link("entry", directory_ / "left");
    directory_.link("entry.other", directory_ / "right");
    directory_.make_directory("work");
    directory_.make_directory("work.other");
  }

  std::string tool() const { return directory_ / "entry/bin/tool"; }
  std::string script() const { return directory_ / "entry/bin/script"; }
  std::string work() const { return directory_ / "work"; }

  // The marker in the content that has this digest; empty when it was read in the middle of a change.
  std::string marker(const std::string& digest) const {
    const auto found = markers_.find(digest);
    return found == markers_.end() ? std::string() : found->second;
  }

  void swap(std::mt19937& random) {
    const std::string side = random() % 2 == 0 ? "left" : "right";
    switch (random() % 7) {
      case 0:
        exchange(directory_ / "entry", directory_ / "entry.other");
        break;
      case 1:
        exchange(directory_ / "left/bin", directory_ / "right/bin");
        break;
      case 2:
        exchange(directory_ / (side + "/bin/tool"), directory_ / (side + "/bin/tool.other"));
        break;
      case 3:
        exchange(directory_ / (side + "/bin/script"), directory_ / (side + "/bin/script.other"));
        break;
      case 4:
        exchange(directory_ / "work", directory_ / "work.other");
        break;
      default: {
        // Names move, so this may be any of the files; what counts is that one is rewritten in place.
        const std::string name = random() % 2 == 0 ? "tool" : "script";
        rewrite(directory_ / (side + "/bin/" + name), random);
      }
    }
  }

 private:
  void add(const std::string& name, const std::string& before, const std::string& after) {
    const int first = 2 * count_++;
    for (const int number : {first, first + 1})
      markers_[hex_digest(before + marker_of(number) + after)] = marker_of(number);
    directory_.write(name, before + marker_of(first) + after, 0777);
  }

  // Between the two markers of the file; whatever runs at the moment cannot be written.
  static void rewrite(const std::string& path, std::mt19937& random) {
    const UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file) return;
    const off_t size = ::lseek(file.get(), 0, SEEK_END);
    char tail[9];
    if (::pread(file.get(), tail, 9, size - 9) != 9) return;
    const off_t at = tail[8] == '\n' ? size - 9 : size - 8;
    char number[4];
    if (::pread(file.get(), number, 4, at + 4) != 4) return;
    const int other = std::atoi(std::string(number, 4).c_str()) ^ 1;
    const std::string marker = marker_of(random() % 4 == 0 ? other ^ 1 : other);
    const ssize_t ignored = ::pwrite(file.get(), marker.data(), marker.size(), at);
    static_cast<void>(ignored);
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> markers_;
  int count_ = 0;
};

// One swap in each attempt, at a moment between its start and a little after its usual end.
class Swapper {
 public:
  Swapper(Scenery& scenery, unsigned seed) : thread_([this, &scenery, seed] { work(scenery, seed); }) {}
  ~Swapper() {
    stop_ = true;
    turn_.fetch_add(1);
    turn_.notify_one();
    thread_.join();
  }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;
  void next() {
    turn_.fetch_add(1);
    turn_.notify_one();
  }

 private:
  void work(Scenery& scenery, unsigned seed) {
    std::mt19937 random(seed);
    int seen = 0;
    for (;;) {
      turn_.wait(seen);
      seen = turn_;
      if (stop_) return;
      const auto moment = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 800);
      while (std::chrono::steady_clock::now() < moment) std::this_thread::yield();
      scenery.swap(random);
    }
  }

  std::atomic<int> turn_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_CASE("what ran was what was judged, whatever was swapped in ten thousand runs") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  Scenery scenery;
  Harness harness;
  int ran = 0;
  int refused = 0;
  {
    Swapper swapper(scenery, seed);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      swapper.next();
      auto files = std::make_shared<OpenedFiles>();
      const bool operand = attempt % 4 == 3;
      const std::string subject = attempt % 2 == 0 ? scenery.tool() : scenery.script();
      const policy::FileFacts facts = files->facts(subject);
      const auto digest = files->content_sha256(subject);
      const std::string judged = digest ? scenery.marker(*digest) : std::string();
      const policy::FileIdentity cwd = files->facts(scenery.work()).identity;
      if (judged.empty() || !cwd.known) {
        ++refused;
        continue;
      }
      PlannedCommand planned = command(subject, {"name"});
      if (operand) {
        planned = command("/bin/sh", {"sh", subject});
        planned.script = policy::ScriptOperand{1, subject, facts.identity, digest};
      } else {
        planned.identity = facts.identity;
        planned.content_sha256 = digest;
      }
      ExecutionPlan whole = plan(std::move(planned));
      whole.cwd = scenery.work();
      whole.cwd_identity = cwd;
      const RunOutcome outcome = harness.run(std::move(whole), {}, files);
      if (!outcome.launch_error.empty()) {
        REQUIRE(outcome.standard_output.text.empty());
        REQUIRE(outcome.leader_pid == 0);
        ++refused;
        continue;
      }
      std::string expected = judged + "\n";
      if (attempt % 2 == 0)
        expected =
            judged + " " + std::to_string(facts.identity.inode) + " " + std::to_string(cwd.inode) + "\n";
      INFO("attempt " << attempt);
      REQUIRE(outcome.standard_output.text == expected);
      ++ran;
    }
  }
  // The race was one: both happened.
  CHECK(ran > 0);
  CHECK(refused > 0);
  std::cout << "ran as judged: " << ran << ", refused: " << refused << '\n';
}

}  // namespace
}  // namespace hostclaw::node_host
