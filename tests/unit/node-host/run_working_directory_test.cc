// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_working_directory.h"

#include "test_support.h"

namespace hostclaw::node_host {
namespace {

struct Place {
  TemporaryDirectory root;
  RunEnvironment environment;
  UniqueFd start;
  WorkingDirectory directory;

  Place() {
    root.make_directory("a/b");
    root.make_directory("home");
    root.link("link", root / "a/b");
    root.write("file", "x");
    environment.add("HOME", root / "home");
    start.reset(::open(root.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    directory = WorkingDirectory(start.get(), environment);
  }
  BuiltinResult cd(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "cd");
    return directory.change(arguments, environment);
  }
  std::string pwd(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), "pwd");
    return directory.print(arguments).output;
  }
};

TEST_CASE("cd enters a directory below and sets PWD and OLDPWD") {
  Place place;
  CHECK(place.cd({"a"}).status == 0);
  CHECK(place.pwd() == (place.root / "a") + "\n");
  CHECK(place.environment.get("PWD") == place.root / "a");
  CHECK(place.environment.get("OLDPWD") == place.root.path());
}

TEST_CASE("cd without operand goes home") {
  Place place;
  CHECK(place.cd({}).status == 0);
  CHECK(place.pwd() == (place.root / "home") + "\n");
}

TEST_CASE("cd through a symlink keeps the logical path and leaves it by its name") {
  Place place;
  REQUIRE(place.cd({"link"}).status == 0);
  CHECK(place.pwd() == (place.root / "link") + "\n");
  CHECK(place.pwd({"-P"}) == (place.root / "a/b") + "\n");
  REQUIRE(place.cd({".."}).status == 0);
  CHECK(place.pwd({"-P"}) == place.root.path() + "\n");
}

TEST_CASE("cd -P follows the symlink") {
  Place place;
  REQUIRE(place.cd({"-P", "link"}).status == 0);
  CHECK(place.pwd() == (place.root / "a/b") + "\n");
  REQUIRE(place.cd({"-P", ".."}).status == 0);
  CHECK(place.pwd() == (place.root / "a") + "\n");
}

TEST_CASE("cd - goes back and says where") {
  Place place;
  REQUIRE(place.cd({"a"}).status == 0);
  const auto back = place.cd({"-"});
  CHECK(back.status == 0);
  CHECK(back.output == place.root.path() + "\n");
  CHECK(place.pwd() == place.root.path() + "\n");
}

TEST_CASE("cd that fails changes nothing and says why") {
  Place place;
  const auto missing = place.cd({"nothing"});
  CHECK(missing.status == 2);
  CHECK(missing.message == "cd: nothing: No such file or directory\n");
  CHECK(place.cd({"file"}).message == "cd: file: Not a directory\n");
  CHECK(place.cd({"nothing/.."}).status == 2);
  CHECK(place.cd({"file/.."}).status == 2);
  CHECK(place.cd({"a", "b"}).message == "cd: too many arguments\n");
  CHECK(place.cd({"-x"}).message == "cd: -x: invalid option\n");
  CHECK(place.cd({"-"}).message == "cd: OLDPWD not set\n");
  CHECK(place.pwd() == place.root.path() + "\n");
  CHECK(place.environment.get("PWD").empty());
}

TEST_CASE("cd without HOME says so") {
  Place place;
  place.environment.set("HOME", "");
  CHECK(place.cd({}).message == "cd: HOME not set\n");
}

TEST_CASE("cd -- ends the options and .. above the root stays at the root") {
  Place place;
  CHECK(place.cd({"--", "a"}).status == 0);
  CHECK(place.cd({"/../.."}).status == 0);
  CHECK(place.pwd() == "/\n");
}

TEST_CASE("a relative cd stays below the directory that is held although its path leads elsewhere now") {
  Place place;
  std::filesystem::rename(place.root / "a", place.root / "moved");
  place.root.make_directory("moved/inner");
  REQUIRE(place.cd({"moved"}).status == 0);
  std::filesystem::rename(place.root / "moved", place.root / "again");
  place.root.make_directory("moved/inner");
  REQUIRE(place.cd({"inner"}).status == 0);
  CHECK(place.pwd({"-P"}) == (place.root / "again/inner") + "\n");
}

TEST_CASE("the start is PWD when it leads to the same directory and the real path otherwise") {
  Place place;
  const UniqueFd inner(::open((place.root / "a/b").c_str(), O_PATH | O_CLOEXEC));
  RunEnvironment environment;
  environment.add("PWD", place.root / "link");
  CHECK(WorkingDirectory(inner.get(), environment).logical_path() == place.root / "link");
  environment.set("PWD", place.root / "home");
  CHECK(WorkingDirectory(inner.get(), environment).logical_path() == place.root / "a/b");
  environment.set("PWD", "link");
  CHECK(WorkingDirectory(inner.get(), environment).logical_path() == place.root / "a/b");
  environment.set("PWD", (place.root / "a/../link"));
  CHECK(WorkingDirectory(inner.get(), environment).logical_path() == place.root / "a/b");
}

TEST_CASE("setting a variable replaces it and removes its doubles") {
  RunEnvironment environment;
  environment.add("A", "1");
  environment.add("AB", "2");
  environment.add("A", "3");
  environment.set("A", "4");
  CHECK(environment.entries() == std::vector<std::string>{"A=4", "AB=2"});
}

}  // namespace
}  // namespace hostclaw::node_host
