// SPDX-License-Identifier: Apache-2.0
// Dependencies go one way: every `#include "room/..."` and every link between room targets must be an edge of
// the table below. docs and design call the folders rooms; a folder in a room may be a room of its own.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Edges = std::map<std::string, std::set<std::string>>;

// What each room may know, beside itself. A folder's name stands for all of its rooms.
const Edges kAllowed = {
    {"base", {}},
    {"policy/model", {"base"}},
    {"policy/request", {"base", "policy/model"}},
    {"policy/shell", {"base", "policy/model"}},
    {"policy/windows", {"base", "policy/model"}},
    {"policy/document", {"base", "policy/model", "policy/request"}},
    {"policy/programs", {"base", "policy/model", "policy/request", "policy/shell", "policy/windows"}},
    {"policy/rules",
     {"base", "policy/model", "policy/request", "policy/shell", "policy/document", "policy/programs"}},
    {"policy/decide",
     {"base", "policy/model", "policy/request", "policy/shell", "policy/windows", "policy/document",
      "policy/programs", "policy/rules"}},
    {"policy/lint",
     {"base", "policy/model", "policy/request", "policy/windows", "policy/document", "policy/programs",
      "policy/rules", "policy/decide"}},
    {"approvals", {"base", "policy"}},
    {"gateway-proto", {"base"}},
    {"hostlink/proto", {"base"}},
    // It becomes the small static program: nothing of the host's side.
    {"hostlink/client", {"base", "hostlink/proto"}},
    {"hostlink/door",
     {"base", "hostlink/proto", "policy", "approvals", "gateway-proto", "node-host/system", "node-host/loop",
      "node-host/run", "node-host/questions", "node-host/record", "node-host/corridor", "node-host/app"}},
    // It knows neither the node nor what is decided about commands.
    {"clawlink", {"base", "approvals"}},
    {"node-host/system", {"base", "policy"}},
    {"node-host/loop", {"base", "policy", "approvals", "node-host/system"}},
    {"node-host/run", {"base", "policy", "node-host/system"}},
    {"node-host/questions", {"base", "policy", "approvals", "node-host/system", "node-host/loop"}},
    {"node-host/record",
     {"base", "policy", "approvals", "gateway-proto", "node-host/system", "node-host/loop", "node-host/run"}},
    // It knows no door, and no wire.
    {"node-host/corridor",
     {"base", "policy", "approvals", "node-host/system", "node-host/loop", "node-host/run",
      "node-host/questions", "node-host/record"}},
    {"node-host/doors/gateway",
     {"base", "policy", "approvals", "gateway-proto", "node-host/system", "node-host/loop", "node-host/run",
      "node-host/questions", "node-host/record", "node-host/corridor"}},
    {"node-host/app",
     {"base", "policy", "approvals", "gateway-proto", "node-host/system", "node-host/loop", "node-host/run",
      "node-host/questions", "node-host/record", "node-host/corridor", "node-host/doors/gateway"}},
    {"service-linux", {"base", "node-host/system", "node-host/app"}},
    {"service-win", {"base", "node-host/system", "node-host/app"}},
    {"cli",
     {"base", "policy", "approvals", "gateway-proto", "node-host/system", "node-host/loop", "node-host/run",
      "node-host/questions", "node-host/record", "node-host/doors/gateway", "node-host/app", "service-linux",
      "service-win", "hostlink/client", "hostlink/door", "clawlink"}},
};

// The room of "node-host/system/process/spawn.h": the longest name that it lies in; empty for none.
std::string room_of_path(const std::string& path) {
  std::string found;
  for (const auto& [room, known] : kAllowed) {
    if (path.starts_with(room + "/") && room.size() > found.size()) found = room;
  }
  return found;
}

std::string folder_of(const std::string& room) { return room.substr(0, room.find('/')); }

std::set<std::string> folders() {
  std::set<std::string> out;
  for (const auto& [room, known] : kAllowed) out.insert(folder_of(room));
  return out;
}

// What may be linked: what one of the folder's rooms may know.
std::set<std::string> folders_known_by(const std::string& folder) {
  std::set<std::string> out;
  for (const auto& [room, known] : kAllowed) {
    if (folder_of(room) != folder) continue;
    for (const std::string& other : known) out.insert(folder_of(other));
  }
  return out;
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<fs::path> files_of(const std::string& folder, const std::set<std::string>& extensions) {
  std::vector<fs::path> out;
  const fs::path root = fs::path(HOSTCLAW_SOURCE_DIR) / folder;
  if (!fs::exists(root)) return out;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    const fs::path& path = entry.path();
    if (extensions.contains(path.extension().string()) || extensions.contains(path.filename().string())) {
      out.push_back(path);
    }
  }
  return out;
}

std::string room_of_include(const std::string& path) {
  return path.starts_with("tests/") ? "tests" : room_of_path(path);
}

std::string folder_of_target(std::string target) {
  const std::string prefix = "hostclaw_";
  if (!target.starts_with(prefix)) return {};
  target = target.substr(prefix.size());
  for (char& c : target) {
    if (c == '_') c = '-';
  }
  // hostclaw_node_host_system belongs to node-host.
  for (const std::string& folder : folders()) {
    if (target == folder || target.starts_with(folder + "-")) return folder;
  }
  return {};
}

bool may_know(const std::string& room, const std::string& other) {
  const std::set<std::string>& known = kAllowed.at(room);
  return known.contains(other) || known.contains(folder_of(other));
}

std::vector<std::string> forbidden_includes(const std::string& room, const std::string& text) {
  static const std::regex kInclude("^[ \t]*#[ \t]*include[ \t]*[\"<]([^\">]+)[\">]",
                                   std::regex::ECMAScript | std::regex::multiline);
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), kInclude), end; it != end; ++it) {
    const std::string to = room_of_include((*it)[1]);
    if (!to.empty() && to != room && !may_know(room, to)) out.push_back((*it)[1]);
  }
  return out;
}

std::vector<std::string> forbidden_links(const std::string& folder, const std::string& text) {
  static const std::regex kTarget("hostclaw_[a-z0-9_]+");
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), kTarget), end; it != end; ++it) {
    const std::string to = folder_of_target(it->str());
    if (!to.empty() && to != folder && !folders_known_by(folder).contains(to)) out.push_back(it->str());
  }
  return out;
}

}  // namespace

TEST_CASE("every include between rooms is an edge of the table") {
  for (const std::string& folder : folders()) {
    for (const fs::path& path : files_of(folder, {".h", ".cc"})) {
      const std::string room = room_of_path(fs::relative(path, HOSTCLAW_SOURCE_DIR).generic_string());
      INFO(path.string() << " of " << room);
      REQUIRE_FALSE(room.empty());
      CHECK(forbidden_includes(room, read(path)) == std::vector<std::string>{});
    }
  }
}

TEST_CASE("every link between room targets is an edge of the table") {
  for (const std::string& folder : folders()) {
    for (const fs::path& path : files_of(folder, {"CMakeLists.txt"})) {
      INFO(path.string());
      CHECK(forbidden_links(folder, read(path)) == std::vector<std::string>{});
    }
  }
}

TEST_CASE("the corridor names no door's files, whatever folder they lie in") {
  static const std::regex kOfADoor("#[ \t]*include[ \t]*\"[^\"]*(gateway|/doors/)[^\"]*\"");
  for (const fs::path& path : files_of("node-host/corridor", {".h", ".cc"})) {
    INFO(path.string());
    CHECK_FALSE(std::regex_search(read(path), kOfADoor));
  }
  CHECK(std::regex_search(std::string("#include \"node-host/doors/gateway/gateway_session.h\"\n"), kOfADoor));
}

TEST_CASE("the table has no circle") {
  // Repeatedly drop rooms that know only dropped rooms; what is left knows itself through others.
  Edges left = kAllowed;
  for (bool progress = true; progress;) {
    progress = false;
    for (auto it = left.begin(); it != left.end();) {
      bool free = true;
      for (const auto& [other, known] : left)
        free = free && (other == it->first || !may_know(it->first, other));
      it = free ? (progress = true, left.erase(it)) : std::next(it);
    }
  }
  CHECK(left.empty());
}

TEST_CASE("the check sees a forbidden include and a forbidden link") {
  CHECK(forbidden_includes("policy/decide", "#include \"approvals/store/store.h\"\n").size() == 1);
  CHECK(forbidden_includes("policy/programs", "#include \"policy/decide/engine.h\"\n").size() == 1);
  CHECK(forbidden_includes("approvals", "#include \"policy/decide/engine.h\"\n#include <vector>\n").empty());
  CHECK(forbidden_includes("node-host/run", "int x;\n#  include \"tests/support/fake_clock.h\"\n").size() ==
        1);
  CHECK(forbidden_links("gateway-proto", "hostclaw_room(hostclaw_gateway_proto DEPENDS hostclaw_node_host)")
            .size() == 1);
  CHECK(forbidden_links("cli", "DEPENDS hostclaw_node_host hostclaw_cli11").empty());
  CHECK(forbidden_includes("node-host/corridor", "#include \"gateway-proto/messages.h\"\n").size() == 1);
  CHECK(forbidden_includes("node-host/corridor", "#include \"node-host/doors/gateway/methods.h\"\n").size() ==
        1);
  CHECK(forbidden_includes("node-host/record", "#include \"node-host/corridor/corridor.h\"\n").size() == 1);
  CHECK(
      forbidden_includes("node-host/doors/gateway", "#include \"node-host/corridor/corridor.h\"\n").empty());
  CHECK(room_of_path("node-host/app/node_host.cc") == "node-host/app");
}

TEST_CASE("the rooms of the table exist, and the ones that hold the work hold files") {
  for (const auto& [room, known] : kAllowed) {
    INFO(room);
    CHECK(fs::exists(fs::path(HOSTCLAW_SOURCE_DIR) / room));
  }
  CHECK_FALSE(files_of("policy", {".cc"}).empty());
  CHECK_FALSE(files_of("node-host", {".cc"}).empty());
}
