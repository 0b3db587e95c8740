// SPDX-License-Identifier: Apache-2.0
// What HostLink adds to starting a program, to hashing a file, to a word for another process and back.
//   hostlink_bench HOSTCLAW HOSTLINK
//
// The two executables, of a release build. A daemon of its own in a private directory (in $TMPDIR; 1 GiB
// free) serves a token as `token add` makes it: its programs are on its list, each run is judged and
// recorded. Prints a line of JSON for each figure, and takes turns with what it is compared with, `beside`:
//   figure                                                           beside
//   ping             an open connection, p50                         cat over a socket pair, p50
//   run              /bin/true on an open connection, p50            a bare spawn and wait + ping, p50
//   process          `hostlink exec true` from start to end, p50     two bare spawns + 1 ms
//   first_byte       from a program's write to its arrival, p50      the same over a socket pair
//   upload           put-stream of 256 MiB, synced to the disk       sha256sum of the same file
//   download         get-stream of the same                          sha256sum of the same file
//   transfer_memory  the daemon's peak behind that - its size before the size of the file
//   at_once          16 connections, /bin/true on each in a loop     16 threads, a bare spawn in a loop
// On a busy machine both are worse: read `ratio`, figure / beside. A target that is no ratio needs a quiet
// one. Exit status 0 when all could be measured, met or not.
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/programs.h"
#include "bench/side_by_side.h"
#include "hostlink/client/session.h"
#include "hostlink/client/stream.h"
#include "hostlink/client/v2_link.h"
#include "hostlink/proto/v2_frame.h"
#include "hostlink/proto/v2_messages.h"

namespace {

using namespace hostclaw;
using namespace hostclaw::bench;
using bench::Clock;
using namespace std::chrono_literals;
using hostlink::OwnedFd;
namespace v2 = hostlink::v2;
namespace fs = std::filesystem;
constexpr const char* kTrue = "/bin/true";
constexpr int kAtOnce = 16;
constexpr int kRunsOfEach = 20;
constexpr double kFileMiB = 256;
constexpr std::string_view kEightBytes = "8 bytes.";

void bare_spawn() {
  if (Child({kTrue}).wait() != 0) throw Trouble(std::string(kTrue) + " failed");
}

struct Output {
  std::string text;
  Clock::time_point arrived;  // the first of it
};

// A program that reads and writes the other end of a socket pair.
class Neighbour {
 public:
  explicit Neighbour(const std::vector<std::string>& argv) {
    int ends[2];
    must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no socket pair");
    ours_ = OwnedFd(ends[0]);
    const OwnedFd theirs(ends[1]);
    child_ = std::make_unique<Child>(argv, Ends{"", "", theirs.get()});
  }
  Output receive() const {  // what it writes at once
    char bytes[64];
    const ssize_t count = ::recv(ours_.get(), bytes, sizeof bytes, 0);
    const auto arrived = Clock::now();
    must(count >= 0, "nothing came");
    return {{bytes, static_cast<std::size_t>(count)}, arrived};
  }
  void ping() const {
    (void)::send(ours_.get(), kEightBytes.data(), kEightBytes.size(), MSG_NOSIGNAL);
    if (receive().text != kEightBytes) throw Trouble("no word came back");
  }

 private:
  OwnedFd ours_;
  std::unique_ptr<Child> child_;
};

// One connection of protocol 2, used for one thing after the other. Used by one thread at a time.
class OpenConnection {
 public:
  explicit OpenConnection(hostlink::V2Link link) : link_(std::move(link)) {
    decoder_.append(link_.read_already);
  }
  void ping() {
    send(v2::Kind::kPing, 0, kEightBytes);
    while (next().kind != v2::Kind::kPong) continue;
  }
  Output run(const std::vector<std::string>& argv) {
    v2::OpenRun open;
    open.id = hostlink::new_request_id();
    open.argv = argv;
    send(v2::Kind::kOpen, ++last_, v2::build_open_run(open));
    Output output;
    for (;;) {
      const v2::Frame frame = next();
      if (frame.stream == last_ && frame.kind == v2::Kind::kStdout) {
        if (output.text.empty()) output.arrived = Clock::now();
        output.text += frame.payload;  // a line; it never needs more credit
      }
      if (frame.stream != last_ || frame.kind != v2::Kind::kExit) continue;
      const v2::Exit exit = must(v2::parse_exit(frame.payload));
      if (exit.head.status == hostlink::ReplyStatus::kOk && exit.exit_code == 0) return output;
      throw Trouble(argv[0] + " did not run well: " + exit.head.error_msg + " " + exit.head.explanation);
    }
  }

 private:
  void send(v2::Kind kind, std::uint32_t stream, std::string_view payload) {
    std::string bytes;
    v2::append_frame(bytes, kind, stream, payload);
    (void)hostlink::write_all(*link_.stream, bytes, in_time());  // next() says what has become of it
  }
  static hostlink::Deadline in_time() { return hostlink::Deadline::in(30s); }
  v2::Frame next() {
    for (;;) {
      if (const auto frame = decoder_.next()) return *frame;
      if (decoder_.problem() != v2::FrameProblem::kNone)
        throw Trouble("the daemon sent " + std::string(v2::frame_problem_text(decoder_.problem())));
      const std::size_t count =
          must(hostlink::read_some(*link_.stream, buffer_.data(), buffer_.size(), in_time()));
      if (count == 0) throw Trouble("the daemon closed the connection");
      decoder_.append({buffer_.data(), count});
    }
  }

  hostlink::V2Link link_;
  v2::Decoder decoder_{v2::Side::kClient};
  std::string buffer_ = std::string(65'536, '\0');
  std::uint32_t last_ = 0;
};

// The daemon on its own state, and this process's environment so that every program it starts knows of it.
class Scene {
 public:
  // Behind the constructor that makes the directory: what fails here takes it away again.
  Scene(const std::string& hostclaw, const std::string& own_program) : Scene() {
    for (const char* name : {"state", "files"}) fs::create_directory(at(name));
    std::ofstream(at("conf")) << "unix_path = " + at("socket") + "\nunix_group =\nmax_concurrent = 32"
                              << "\noutput_tmpdir = " + at("output") + "\n";
    ::clearenv();
    ::setenv("PATH", "/usr/bin:/bin", 1);
    ::setenv("HOME", directory_.c_str(), 1);
    ::setenv("HOSTCLAW_STATE_DIR", at("state").c_str(), 1);
    ::setenv("HOSTLINK_SOCKET", at("socket").c_str(), 1);
    run({hostclaw, "hostlink", "token", "add", "bench", "--allow", "exec,files-read,files-write", "--root",
         at("files")},
        at("token"));
    std::getline(std::ifstream(at("token")), session_.target.token);
    ::setenv("HOSTLINK_TOKEN", session_.target.token.c_str(), 1);
    for (const std::string& program : {fs::canonical(kTrue).string(), own_program})
      run({hostclaw, "approvals", "allowlist", "add", "--agent", "hostlink-bench", program});
    session_.target.endpoint.socket = at("socket");
    const std::vector<std::string> serve{hostclaw, "hostlink", "serve", "--config", at("conf")};
    daemon_ = std::make_unique<Child>(serve, Ends{"/dev/null", at("log")});
    for (const auto until = Clock::now() + 20s; !hostlink::open_v2(session_);) {
      if (daemon_->ended() || Clock::now() > until) throw Trouble("no daemon:\n" + last_words());
      std::this_thread::sleep_for(20ms);
    }
  }
  ~Scene() {
    daemon_.reset();
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  std::string at(const std::string& name) const { return directory_ + "/" + name; }
  OpenConnection connect() const {
    auto link = must(hostlink::open_v2(session_));
    if (!link) throw Trouble("the daemon does not speak protocol 2");
    return OpenConnection(std::move(*link));
  }
  double memory_mib(const std::string& name) const { return bench::memory_mib(daemon_->pid(), name); }
  // A program to its end, which must be a good one.
  void run(const std::vector<std::string>& argv, const std::string& output = "/dev/null") const {
    if (const int status = Child(argv, {output, at("log")}).wait(); status != 0)
      throw Trouble(argv[0] + " " + argv[1] + " ended with " + std::to_string(status) + ":\n" + last_words());
  }

 private:
  Scene() : directory_((fs::temp_directory_path() / "hostlink-bench.XXXXXX").string()) {
    must(::mkdtemp(directory_.data()) != nullptr, "cannot make a directory at " + directory_);
  }
  std::string last_words() const { return bench::last_words(at("log")); }

  std::string directory_;
  hostlink::Session session_;
  std::unique_ptr<Child> daemon_;
};

// The program of first_byte: its clock is ours (CLOCK_MONOTONIC). It goes on for a while, so that what
// arrives is live output and not the rest of a run that has ended.
int say_the_time() {
  const std::string line = std::to_string(Clock::now().time_since_epoch().count()) + "\n";
  if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 1;
  std::this_thread::sleep_for(5ms);
  return 0;
}
Clock::duration since_said(const Output& output) {
  if (output.text.empty() || output.text.back() != '\n') throw Trouble("no time came");
  return output.arrived - Clock::time_point(Clock::duration(std::stoll(output.text)));
}

void measure_one_by_one(const Scene& scene, const std::string& client, const std::string& own_program) {
  OpenConnection connection = scene.connect();
  const Neighbour cat({"cat"});
  const auto words = take_turns(3000, {timed([&] { cat.ping(); }), timed([&] { connection.ping(); })});
  report("ping", "us", words[1], words[0], Judged::kFigureAtMost, 40);
  const Timed run = timed([&] { (void)connection.run({kTrue}); });
  const Timed process = timed([&] { scene.run({client, "exec", "true"}); });
  const auto runs = take_turns(400, {timed(bare_spawn), run, process});
  report("run", "us", runs[1], runs[0] + words[1], Judged::kRatioAtMost, 1.3);
  report("process", "us", runs[2], 2 * runs[0] + 1000, Judged::kRatioAtMost, 1);
  const std::vector<std::string> say_time{own_program, "--say-time"};
  const Timed bare = [&] { return since_said(Neighbour(say_time).receive()); };
  const Timed linked = [&] { return since_said(connection.run(say_time)); };
  const auto bytes = take_turns(150, {bare, linked});
  report("first_byte", "us", bytes[1], bytes[0], Judged::kFigureAtMost, 1000);
}

void measure_transfers(const Scene& scene, const std::string& client) {
  const std::string local = scene.at("large");
  const std::string remote = scene.at("files/large");
  scene.run({"head", "-c", std::to_string(static_cast<int>(kFileMiB)) + "M", "/dev/urandom"}, local);
  const double before = scene.memory_mib("VmRSS");
  const Timed hash = timed([&] { scene.run({"sha256sum", local}); });
  const Timed put = timed([&] { scene.run({client, "put-stream", local, remote}); });
  const Timed get = timed([&] { scene.run({client, "get-stream", remote, scene.at("fetched")}); });
  const auto times = take_turns(3, {hash, put, get});
  const auto rate = [&](std::size_t i) { return kFileMiB / times[i] * 1e6; };
  report("upload", "MiB_per_second", rate(1), rate(0), Judged::kRatioAtLeast, 0.8);
  report("download", "MiB_per_second", rate(2), rate(0), Judged::kRatioAtLeast, 0.8);
  report("transfer_memory", "MiB", scene.memory_mib("VmHWM") - before, kFileMiB, Judged::kFigureAtMost, 20);
}

// `work(i)` so many times on each of so many threads.
void at_once(const std::function<void(std::size_t)>& work) {
  std::vector<std::future<void>> all;
  for (std::size_t i = 0; i < kAtOnce; ++i)
    all.push_back(std::async(std::launch::async, [&work, i] {
      for (int run = 0; run < kRunsOfEach; ++run) work(i);
    }));
  for (auto& one : all) one.get();
}

void measure_at_once(const Scene& scene) {
  std::vector<OpenConnection> connections;
  for (int i = 0; i < kAtOnce; ++i) connections.push_back(scene.connect());
  const Timed bare = timed([] { at_once([](std::size_t) { bare_spawn(); }); });
  const Timed linked = timed([&] { at_once([&](std::size_t i) { (void)connections[i].run({kTrue}); }); });
  const auto times = take_turns(10, {bare, linked});
  const auto rate = [&](std::size_t i) { return kAtOnce * kRunsOfEach / times[i] * 1e6; };
  report("at_once", "per_second", rate(1), rate(0), Judged::kRatioAtLeast, 0.8);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--say-time") == 0) return say_the_time();
  bench::stop_on_signals();
  ::umask(077);
  try {
    if (argc != 3) throw Trouble("usage: hostlink_bench HOSTCLAW HOSTLINK");
    const std::string client = fs::absolute(argv[2]).string();
    const std::string own_program = fs::canonical("/proc/self/exe").string();
    const Scene scene(fs::absolute(argv[1]).string(), own_program);
    measure_one_by_one(scene, client, own_program);
    measure_transfers(scene, client);
    measure_at_once(scene);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hostlink_bench: %s\n", error.what());
    return 1;
  }
}
