// SPDX-License-Identifier: Apache-2.0
// Mirrors of the record, with real sockets and files.
#include "node-host/record/record_mirrors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "base/text.h"
#include "node-host/record/record_mirror_text.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {
namespace {

class PrivateDirectory {
 public:
  PrivateDirectory() {
    char pattern[] = "/tmp/hostclaw-mirror.XXXXXX";
    path_ = ::mkdtemp(pattern);
  }
  ~PrivateDirectory() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Stands in for the journal or a syslog daemon.
class Receiver {
 public:
  explicit Receiver(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    ::unlink(path.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  // The next datagram; empty when there is none.
  std::string next() {
    std::string block(1 << 20, '\0');
    const ssize_t size = ::recv(socket_.get(), block.data(), block.size(), 0);
    return size < 0 ? std::string() : block.substr(0, static_cast<std::size_t>(size));
  }
  int drain() {
    int count = 0;
    while (!next().empty()) ++count;
    return count;
  }

 private:
  UniqueFd socket_;
};

// What the journal makes of a datagram (systemd, "Native Journal Protocol").
std::map<std::string, std::string> journal_fields(const std::string& datagram) {
  std::map<std::string, std::string> fields;
  std::size_t at = 0;
  while (at < datagram.size()) {
    const std::size_t end = datagram.find('\n', at);
    REQUIRE(end != std::string::npos);
    const std::string line = datagram.substr(at, end - at);
    if (const std::size_t equals = line.find('='); equals != std::string::npos) {
      fields[line.substr(0, equals)] = line.substr(equals + 1);
      at = end + 1;
      continue;
    }
    REQUIRE(end + 9 <= datagram.size());
    std::uint64_t size = 0;
    for (int i = 7; i >= 0; --i)
      size = size << 8 | static_cast<unsigned char>(datagram[end + 1 + static_cast<std::size_t>(i)]);
    REQUIRE(end + 9 + size < datagram.size());
    fields[line] = datagram.substr(end + 9, size);
    REQUIRE(datagram[end + 9 + size] == '\n');
    at = end + 10 + size;
  }
  return fields;
}

approvals::AuditRow row_number(std::int64_t sequence, std::string body = R"({"verdict":"allow"})") {
  return {sequence,        1'795'852'206'242,    "decision",
          std::move(body), std::string(64, 'a'), std::string(64, 'b')};
}

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

MirrorStates at_position(std::int64_t position) {
  MirrorStates states;
  states.position = position;
  return states;
}

}  // namespace

TEST_CASE("the journal gets a row as fields, also where a value has several lines") {
  approvals::AuditRow row = row_number(
      7, R"({"agent":"main","argv":["git","push"],"code":"RULE_ASK","run":"a\nPRIORITY=0","verdict":"ask"})");
  const auto fields = journal_fields(journal_datagram(row));
  CHECK(fields.at("MESSAGE") == "decision ask RULE_ASK: git push");
  CHECK(fields.at("PRIORITY") == "5");
  CHECK(fields.at("SYSLOG_IDENTIFIER") == "hostclaw-audit");
  CHECK(fields.at("HOSTCLAW_SEQUENCE") == "7");
  CHECK(fields.at("HOSTCLAW_KIND") == "decision");
  CHECK(fields.at("HOSTCLAW_VERDICT") == "ask");
  CHECK(fields.at("HOSTCLAW_AGENT") == "main");
  CHECK(fields.at("HOSTCLAW_RUN") == "a\nPRIORITY=0");
  CHECK(fields.at("HOSTCLAW_HASH") == row.hash);
  CHECK(fields.at("HOSTCLAW_PREVIOUS") == row.previous_hash);
  CHECK(fields.at("HOSTCLAW_BODY") == row.body);
  row.body = "not an object";
  CHECK(journal_fields(journal_datagram(row)).at("HOSTCLAW_BODY") == "not an object");
}

TEST_CASE("syslog gets a row as RFC 5424 has it, with the line of an export") {
  const approvals::AuditRow row = row_number(3);
  CHECK(syslog_datagram(row, "ho st", 12) ==
        "<86>1 2026-11-28T07:50:06.242Z host hostclaw-audit 12 decision [meta sequenceId=\"3\"] " +
            approvals::audit_line(row));
  const approvals::AuditRow denied = row_number(2'147'483'648, R"({"verdict":"deny"})");
  const std::string text = syslog_datagram(denied, "", 12);
  CHECK(text.starts_with("<85>1 "));
  CHECK(text.find(" - hostclaw-audit ") != std::string::npos);
  CHECK(text.find("sequenceId=\"1\"") != std::string::npos);
}

TEST_CASE("each mirror gets each row") {
  PrivateDirectory base;
  Receiver journal(base / "journal");
  Receiver syslog(base / "log");
  RecordMirrors mirrors({base / "journal", base / "log", base / "rows"}, at_position(4));
  mirrors.send(row_number(5));
  mirrors.send(row_number(6));
  for (const char* sequence : {"5", "6"}) {
    CHECK(journal_fields(journal.next()).at("HOSTCLAW_SEQUENCE") == sequence);
    CHECK(syslog.next().find(std::string("sequenceId=\"") + sequence) != std::string::npos);
  }
  CHECK(content_of(base / "rows") ==
        approvals::audit_line(row_number(5)) + "\n" + approvals::audit_line(row_number(6)) + "\n");
  struct stat facts {};
  REQUIRE(::stat((base / "rows").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK(mirrors.states().position == 6);
  for (const auto& [name, state] : mirrors.states().by_name) {
    INFO(name);
    CHECK(state.sent == 2);
    CHECK(state.dropped == 0);
    CHECK(state.last_sequence == 6);
    CHECK(state.problem.empty());
  }
}

TEST_CASE("a mirror that nobody listens at misses rows, is counted, keeps nobody waiting and comes back") {
  PrivateDirectory base;
  RecordMirrors mirrors({base / "journal", "", base / "rows"}, at_position(0));
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 1; i <= 100; ++i) mirrors.send(row_number(i));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  const MirrorState& journald = mirrors.states().by_name.at("journald");
  CHECK(journald.dropped == 100);
  CHECK(journald.sent == 0);
  CHECK(journald.problem.find("No such file") != std::string::npos);
  CHECK(journald.failing_since_ms > 0);
  CHECK(mirrors.states().by_name.at("file").sent == 100);
  {
    Receiver journal(base / "journal");
    mirrors.send(row_number(101));
    CHECK(journal.drain() == 1);
    CHECK(journald.problem.empty());
    CHECK(journald.last_sequence == 101);
  }
  mirrors.send(row_number(102));  // gone again
  CHECK(journald.dropped == 101);
  Receiver again(base / "journal");
  mirrors.send(row_number(103));
  CHECK(again.drain() == 1);
  CHECK(mirrors.states().by_name.at("file").sent == 103);
}

TEST_CASE("a receiver that was started again is found without losing a row") {
  PrivateDirectory base;
  auto first = std::make_unique<Receiver>(base / "journal");
  RecordMirrors mirrors({base / "journal", "", ""}, at_position(0));
  mirrors.send(row_number(1));
  first.reset();
  Receiver second(base / "journal");
  mirrors.send(row_number(2));
  CHECK(second.drain() == 1);
  CHECK(mirrors.states().by_name.at("journald").dropped == 0);
}

TEST_CASE("a receiver that does not read makes rows be dropped, not wait") {
  PrivateDirectory base;
  Receiver journal(base / "journal");
  RecordMirrors mirrors({base / "journal", "", ""}, at_position(0));
  int sent = 0;
  const MirrorState& state = mirrors.states().by_name.at("journald");
  while (state.dropped == 0 && sent < 100'000) mirrors.send(row_number(++sent, R"({"filler":"x"})"));
  REQUIRE(state.dropped == 1);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) mirrors.send(row_number(++sent));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
  CHECK(state.dropped == 1001);
  journal.drain();
  mirrors.send(row_number(++sent));
  CHECK(state.problem.empty());
  CHECK(state.sent + state.dropped == sent);
}

TEST_CASE("a row that is too long for a datagram goes without its body") {
  PrivateDirectory base;
  Receiver journal(base / "journal");
  RecordMirrors mirrors({base / "journal", "", base / "rows"}, at_position(0));
  const std::string body = "{\"shown\":\"" + std::string(3'000'000, 'x') + "\"}";
  mirrors.send(row_number(1, body));
  const auto fields = journal_fields(journal.next());
  CHECK(fields.at("HOSTCLAW_SEQUENCE") == "1");
  CHECK(fields.at("HOSTCLAW_BODY").find("leftOut") != std::string::npos);
  CHECK(mirrors.states().by_name.at("journald").shortened == 1);
  CHECK(content_of(base / "rows").find(body) != std::string::npos);
}

TEST_CASE("rows that retention took before they were sent count as missed") {
  PrivateDirectory base;
  RecordMirrors mirrors({"", "", base / "rows"}, at_position(10));
  mirrors.send(row_number(15));
  CHECK(mirrors.states().by_name.at("file").dropped == 4);
  CHECK(mirrors.states().by_name.at("file").sent == 1);
}

TEST_CASE("a file that was rotated is followed by a new one") {
  PrivateDirectory base;
  RecordMirrors mirrors({"", "", base / "rows"}, at_position(0));
  mirrors.send(row_number(1));
  std::filesystem::rename(base / "rows", base / "rows.1");
  mirrors.send(row_number(2));
  CHECK(content_of(base / "rows.1") == approvals::audit_line(row_number(1)) + "\n");
  CHECK(content_of(base / "rows") == approvals::audit_line(row_number(2)) + "\n");
  std::filesystem::remove(base / "rows");
  mirrors.send(row_number(3));
  CHECK(content_of(base / "rows") == approvals::audit_line(row_number(3)) + "\n");
}

TEST_CASE("a file that is a link, a pipe or open to others gets no row") {
  PrivateDirectory base;
  const std::string path = base / "rows";
  std::string expected;
  SECTION("link") {
    std::filesystem::create_symlink(base / "elsewhere", path);
    expected = "is a link";
  }
  SECTION("pipe") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    expected = "No such device";  // nobody reads; it is not waited for
  }
  SECTION("directory") {
    std::filesystem::create_directory(path);
    expected = "directory";
  }
  SECTION("readable") {
    std::ofstream(path) << "";
    ::chmod(path.c_str(), 0644);
    expected = "chmod 600";
  }
  SECTION("no directory") {
    std::filesystem::remove_all(base / "");
    expected = "No such file";
  }
  RecordMirrors mirrors({"", "", path}, at_position(0));
  mirrors.send(row_number(1));
  CHECK(mirrors.states().by_name.at("file").dropped == 1);
  CHECK(mirrors.states().by_name.at("file").problem.find(expected) != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(base / "elsewhere"));
}

TEST_CASE("a full disk leaves no half of a line behind, and the file goes on when there is space") {
  // A limit on the size of files, in a process of its own, stands in for the disk.
  PrivateDirectory base;
  const pid_t child = ::fork();
  if (child == 0) {
    RecordMirrors mirrors({"", "", base / "rows"}, at_position(0));
    ::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit {};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t all = limit.rlim_cur;
    limit.rlim_cur = 1000;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 1; i <= 10; ++i) mirrors.send(row_number(i));
    const bool dropped = mirrors.states().by_name.at("file").dropped > 0;
    limit.rlim_cur = all;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    mirrors.send(row_number(11));
    ::_exit(dropped && mirrors.states().by_name.at("file").problem.empty() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  std::istringstream lines(content_of(base / "rows"));
  std::int64_t last = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto row = approvals::audit_row_from_line(line);
    REQUIRE(row.has_value());
    last = row->sequence;
  }
  CHECK(last == 11);
}

TEST_CASE("what is known about mirrors survives the store, and nonsense counts as nothing") {
  MirrorStates states;
  states.position = 12;
  states.by_name["file"] = {"/x", 10, 2, 1, 11, "no space", 99};
  const MirrorStates back = mirror_states_from(to_json(states));
  CHECK(back.position == 12);
  CHECK(to_json(back) == to_json(states));
  for (const Json& json : {Json(), Json("x"), Json{{"position", "x"}, {"mirrors", Json::array()}},
                           Json{{"mirrors", {{"file", 3}}}}}) {
    CHECK(mirror_states_from(json).position == 0);
    CHECK(mirror_states_from(json).by_name.empty());
  }
  // A mirror that goes elsewhere now begins anew.
  RecordMirrors mirrors({"", "", "/y"}, states);
  CHECK(mirrors.states().position == 12);
  CHECK(mirrors.states().by_name.at("file").sent == 0);
}

}  // namespace hostclaw::node_host
