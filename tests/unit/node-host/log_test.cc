// SPDX-License-Identifier: Apache-2.0
#include "node-host/loop/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/json.h"
#include "test_support.h"

namespace hostclaw::node_host {
namespace {

// Standard error is this pipe for as long.
class ErrorPipe {
 public:
  ErrorPipe() : before_(::dup(2)) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    reading_ = ends[0];
    ::fcntl(reading_, F_SETFL, O_NONBLOCK);
    ::dup2(ends[1], 2);
    ::close(ends[1]);
  }
  ~ErrorPipe() {
    ::dup2(before_, 2);
    ::close(before_);
    ::close(reading_);
  }
  ErrorPipe(const ErrorPipe&) = delete;
  ErrorPipe& operator=(const ErrorPipe&) = delete;
  // What is in it now.
  std::string drain() const {
    std::string text;
    char block[65536];
    for (ssize_t size = 0; (size = ::read(reading_, block, sizeof block)) > 0;)
      text.append(block, static_cast<std::size_t>(size));
    return text;
  }

 private:
  int before_;
  int reading_ = -1;
};

TEST_CASE("a log that nobody reads holds nobody up, and what was dropped is told") {
  const ErrorPipe pipe;
  const std::string message(1'000, 'x');
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 2'000; ++i) log_info(message);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
  const std::string kept = pipe.drain();
  CHECK(kept.size() > 32'000);
  log_info("read again");
  const std::string told = pipe.drain();
  CHECK(told.find("lines of the log were dropped") != std::string::npos);
  CHECK(told.find(" info  read again\n") != std::string::npos);
  log_info("and again");
  CHECK(pipe.drain().find("dropped") == std::string::npos);
}

TEST_CASE("a line that is longer than a pipe takes at once arrives whole when somebody reads") {
  const ErrorPipe pipe;
  log_info(std::string(20'000, 'y'));
  const std::string text = pipe.drain();
  CHECK(text.size() > 20'000);
  CHECK(text.ends_with("y\n"));
}

TEST_CASE("what a terminal would obey or hide never reaches the log raw") {
  const ErrorPipe pipe;
  const std::string evil =
      "a\x1b[2Jb\xC2\x9B"
      "31mc\xE2\x80\xAE"
      "d\xEF\xBB\xBF"
      "e\xF3\xA0\x81\x81"
      "\nforged \x7F";
  for (const LogFormat format :
       {LogFormat::kText, LogFormat::kJournal, LogFormat::kJson, LogFormat::kJournalJson}) {
    set_log_format(format);
    log_warn(evil);
    const std::string line = pipe.drain();
    INFO(line);
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    for (const char* raw : {"\x1b", "\xC2\x9B", "\xE2\x80\xAE", "\xEF\xBB\xBF", "\xF3\xA0", "\x7F"})
      CHECK(line.find(raw) == std::string::npos);
    if (format != LogFormat::kJson) continue;
    // The reader of JSON gets what was said.
    const auto parsed = parse_json(line);
    REQUIRE(parsed.has_value());
    CHECK((*parsed)["message"] == evil);
  }
  set_log_format(LogFormat::kText);
  log_warn(
      "Gr\xC3\xBC\xC3\x9F"
      "e \xE4\xBD\xA0\xE5\xA5\xBD");
  CHECK(pipe.drain().find("Gr\xC3\xBC\xC3\x9F"
                          "e \xE4\xBD\xA0\xE5\xA5\xBD\n") != std::string::npos);
}

TEST_CASE("a log file is its owner's alone, whatever the umask and whatever it was before") {
  TemporaryDirectory directory;
  const mode_t before = ::umask(0);
  const std::string older = directory.write("older.log", "line\n", 0644);
  for (const std::string& path : {directory / "new.log", older}) {
    REQUIRE(set_log_file(path).has_value());
    struct stat facts {};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777U) == 0600);
  }
  ::umask(before);
}

}  // namespace
}  // namespace hostclaw::node_host
