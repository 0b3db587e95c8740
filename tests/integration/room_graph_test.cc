// Dependencies go one way: every `#include "room/..."` and every link between room targets must be an edge of
// the table below. docs and design call the folders rooms.
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

// What each room may know, beside itself.
const Edges kAllowed = {
    {"base", {}},
    {"policy", {"base"}},
    {"approvals", {"base", "policy"}},
    {"gateway-proto", {"base"}},
    {"node-host", {"base", "policy", "approvals", "gateway-proto"}},
    {"service-linux", {"base", "node-host"}},
    {"service-win", {"base", "node-host"}},
    {"cli", {"base", "policy", "approvals", "gateway-proto", "node-host", "service-linux", "service-win"}},
};

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<fs::path> files_of(const std::string& room, const std::set<std::string>& extensions) {
  std::vector<fs::path> out;
  const fs::path root = fs::path(HOSTCLAW_SOURCE_DIR) / room;
  if (!fs::exists(root)) return out;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    const fs::path& path = entry.path();
    if (extensions.contains(path.extension().string()) || extensions.contains(path.filename().string())) {
      out.push_back(path);
    }
  }
  return out;
}

// The room that a text such as "node-host/system/spawn.h" starts with, or an empty string.
std::string room_of_include(const std::string& path) {
  const std::string first = path.substr(0, path.find('/'));
  return kAllowed.contains(first) || first == "tests" ? first : std::string();
}

std::string room_of_target(std::string target) {
  const std::string prefix = "hostclaw_";
  if (!target.starts_with(prefix)) return {};
  target = target.substr(prefix.size());
  for (char& c : target) {
    if (c == '_') c = '-';
  }
  // hostclaw_node_host_system belongs to node-host.
  for (const auto& [room, known] : kAllowed) {
    if (target == room || target.starts_with(room + "-")) return room;
  }
  return {};
}

std::vector<std::string> forbidden_includes(const std::string& room, const std::string& text) {
  static const std::regex kInclude("^[ \t]*#[ \t]*include[ \t]*[\"<]([^\">]+)[\">]",
                                   std::regex::ECMAScript | std::regex::multiline);
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), kInclude), end; it != end; ++it) {
    const std::string to = room_of_include((*it)[1]);
    if (!to.empty() && to != room && !kAllowed.at(room).contains(to)) out.push_back((*it)[1]);
  }
  return out;
}

std::vector<std::string> forbidden_links(const std::string& room, const std::string& text) {
  static const std::regex kTarget("hostclaw_[a-z0-9_]+");
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), kTarget), end; it != end; ++it) {
    const std::string to = room_of_target(it->str());
    if (!to.empty() && to != room && !kAllowed.at(room).contains(to)) out.push_back(it->str());
  }
  return out;
}

}  // namespace

TEST_CASE("every include between rooms is an edge of the table") {
  for (const auto& [room, known] : kAllowed) {
    for (const fs::path& path : files_of(room, {".h", ".cc"})) {
      INFO(path.string());
      CHECK(forbidden_includes(room, read(path)) == std::vector<std::string>{});
    }
  }
}

TEST_CASE("every link between room targets is an edge of the table") {
  for (const auto& [room, known] : kAllowed) {
    for (const fs::path& path : files_of(room, {"CMakeLists.txt"})) {
      INFO(path.string());
      CHECK(forbidden_links(room, read(path)) == std::vector<std::string>{});
    }
  }
}

TEST_CASE("the table has no circle") {
  // Repeatedly drop rooms that know only dropped rooms; what is left knows itself through others.
  Edges left = kAllowed;
  for (bool progress = true; progress;) {
    progress = false;
    for (auto it = left.begin(); it != left.end();) {
      bool free = true;
      for (const std::string& known : it->second) free = free && !left.contains(known);
      it = free ? (progress = true, left.erase(it)) : std::next(it);
    }
  }
  CHECK(left.empty());
}

TEST_CASE("the check sees a forbidden include and a forbidden link") {
  CHECK(forbidden_includes("policy", "#include \"approvals/store.h\"\n").size() == 1);
  CHECK(forbidden_includes("approvals", "#include \"policy/engine.h\"\n#include <vector>\n").empty());
  CHECK(forbidden_includes("node-host", "int x;\n#  include \"tests/support/fake_clock.h\"\n").size() == 1);
  CHECK(forbidden_links("gateway-proto", "hostclaw_room(hostclaw_gateway_proto DEPENDS hostclaw_node_host)")
            .size() == 1);
  CHECK(forbidden_links("cli", "DEPENDS hostclaw_node_host hostclaw_cli11").empty());
}

TEST_CASE("the rooms of the table exist, and the ones that hold the work hold files") {
  for (const auto& [room, known] : kAllowed) CHECK(fs::exists(fs::path(HOSTCLAW_SOURCE_DIR) / room));
  CHECK_FALSE(files_of("policy", {".cc"}).empty());
  CHECK_FALSE(files_of("node-host", {".cc"}).empty());
}
