// SPDX-License-Identifier: Apache-2.0
// `hostclaw selftest` of the shipped executable, and that the documents name its rows.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

// A home and a place for state, with nothing in either.
struct EmptyHome {
  std::string state() const { return directory.path() + "/state"; }
  Finished hostclaw(const std::vector<std::string>& arguments, const Environment& extra = {}) const {
    const char* path = std::getenv("PATH");
    Environment all{
        {"PATH", path ? path : "/usr/bin:/bin"}, {"HOME", directory.path()}, {"HOSTCLAW_STATE_DIR", state()}};
    for (const auto& [name, value] : extra) all[name] = value;
    HostProcess process(hostclaw_program(), arguments, all);
    const auto finished = process.wait_exit(2 * kPatience);
    REQUIRE(finished.has_value());
    return *finished;
  }
  TemporaryDirectory directory;
};

std::string document(const std::string& name) {
  return read_file(std::string(HOSTCLAW_SOURCE_DIR) + "/docs/" + name);
}

Json row_of(const Json& report, const std::string& name) {
  for (const Json& row : report["rows"])
    if (row["row"] == name) return row;
  return Json();
}

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& item : std::filesystem::directory_iterator(folder)) names.insert(item.path().filename());
  return names;
}

}  // namespace

TEST_CASE("the self-test tries what runs need, in a folder that goes away, and touches no state") {
  EmptyHome state;
  const TemporaryDirectory temporary;
  const Finished finished = state.hostclaw({"selftest", "--json"}, {{"TMPDIR", temporary.path()}});
  INFO(finished.standard_output << finished.standard_error);
  REQUIRE(finished.status == 0);
  const Json report = Json::parse(finished.standard_output);
  CHECK(report["format"] == "hostclaw-selftest-1");
  CHECK(report["ok"] == true);
  CHECK(report["elapsedMs"] < 60'000);
  for (const char* name : {"arguments", "streams", "environment", "question", "time-limit", "store", "secret",
                           "descriptors", "terminal", "tree", "sealed-script", "links"}) {
    INFO(name);
    CHECK(row_of(report, name)["verdict"] == "pass");
  }
  for (const Json& row : report["rows"])
    CHECK(std::set<std::string>{"pass", "not-possible"}.contains(row["verdict"].get<std::string>()));
  CHECK(names_in(temporary.path()).empty());
  CHECK_FALSE(std::filesystem::exists(state.state()));
}

TEST_CASE(
    "a report is a new private file that names neither the machine nor its people, and is not written over") {
  EmptyHome state;
  const TemporaryDirectory place;
  const std::string file = place.path() + "/report.json";
  // Something to be told in a row, with the folder in it.
  const Finished finished = state.hostclaw({"selftest", "--report", file}, {{"TMPDIR", place.path()}});
  INFO(finished.standard_error);
  REQUIRE(finished.status == 0);
  const std::string text = read_file(file);
  CHECK(Json::parse(text)["counts"]["fail"] == 0);
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK(text.find(place.path()) == std::string::npos);
  char name[256] = {};
  REQUIRE(::gethostname(name, sizeof name - 1) == 0);
  if (std::string(name).size() > 3) CHECK(text.find(name) == std::string::npos);
  const Finished again = state.hostclaw({"selftest", "--report", file, "--json"});
  CHECK(again.status == 1);
  CHECK(Json::parse(again.standard_output)["error"]["code"] == "FILE_EXISTS");
  CHECK(read_file(file) == text);
  CHECK(state.hostclaw({"selftest", "--report", place.path() + "/none/x.json"}).status == 1);
}

TEST_CASE("a row that fails is told, and the exit status says so") {
  EmptyHome state;
  const TemporaryDirectory tools;
  // A git that does nothing of what it is asked.
  write_file(tools.path() + "/git", "#!/bin/sh\necho broken >&2\nexit 9\n", 0755);
  const Finished finished =
      state.hostclaw({"selftest", "--json"}, {{"PATH", tools.path() + ":/usr/bin:/bin"}});
  CHECK(finished.status == 1);
  const Json report = Json::parse(finished.standard_output);
  CHECK(report["ok"] == false);
  CHECK(row_of(report, "git-ownership")["verdict"] == "fail");
  CHECK(row_of(report, "git-ownership")["detail"].get<std::string>().find("exit 9: broken") !=
        std::string::npos);
  CHECK(row_of(report, "arguments")["verdict"] == "pass");
}

TEST_CASE("every row has its line in the documents") {
  EmptyHome state;
  const Json report = Json::parse(state.hostclaw({"selftest", "--json"}).standard_output);
  const std::string here = document("doctor.md");
  for (const Json& row : report["rows"]) {
    INFO(row.dump());
    CHECK(here.find("| `" + row["row"].get<std::string>() + "` |") != std::string::npos);
  }
  // Those of Windows cannot be asked for here; their table can be read.
  const std::string source = read_file(std::string(HOSTCLAW_SOURCE_DIR) + "/cli/selftest_windows.cc");
  const std::string there = document("windows.md");
  const std::regex name("Row\\{\"([a-z0-9-]+)\"");
  int rows = 0;
  for (auto found = std::sregex_iterator(source.begin(), source.end(), name); found != std::sregex_iterator();
       ++found, ++rows) {
    INFO((*found)[1].str());
    CHECK(there.find("`" + (*found)[1].str() + "`") != std::string::npos);
  }
  CHECK(rows > 15);
  // And every line of that table names a row or says that nobody has seen it.
  const std::size_t table = there.find("| row of selftest |");
  REQUIRE(table != std::string::npos);
  std::istringstream lines(there.substr(there.find("|---|", table)));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line.starts_with("| ")) {
    INFO(line);
    const std::string second = line.substr(line.find('|', 2));
    CHECK((second.starts_with("| `") || second.starts_with("| never seen on Windows")));
  }
}

}  // namespace hostclaw::integration
