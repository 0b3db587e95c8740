// SPDX-License-Identifier: Apache-2.0
// The bytes that were judged are the bytes that run: scripts, operands and content that a rule names.
#include <unistd.h>

#include "base/sha256.h"
#include "node-host/system/files/content_binding.h"
#include "run_support.h"

namespace hostclaw::node_host {
namespace {

constexpr const char* kChanged = "executable changed between decision and spawn";

std::string digest_of(const std::string& text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

// `sh FILE`, bound to the file as it is now.
PlannedCommand sh_of(const std::string& script, OpenedFiles& files, bool by_content = true) {
  PlannedCommand planned = command("/bin/sh", {"sh", script, "argument"});
  planned.script = policy::ScriptOperand{1, script, files.facts(script).identity, std::nullopt};
  if (by_content) planned.script->sha256 = files.content_sha256(script);
  return planned;
}

TEST_CASE("a sealed copy holds the same bytes and cannot be changed") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "one\n");
  OpenedFiles files;
  files.facts(path);
  const auto copy = sealed_copy(files.descriptor(path));
  REQUIRE(copy.has_value());
  CHECK(copy->sha256 == digest_of("one\n"));
  const std::string by_name = "/proc/self/fd/" + std::to_string(copy->fd.get());
  CHECK(::truncate(by_name.c_str(), 0) != 0);
  const UniqueFd writing(::open(by_name.c_str(), O_WRONLY | O_CLOEXEC));
  CHECK((!writing || ::write(writing.get(), "x", 1) < 0));
}

TEST_CASE("a lease is refused while somebody has the file open for writing") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "one\n");
  OpenedFiles files;
  files.facts(path);
  CHECK(WriteLease(files.descriptor(path)).state() != WriteLease::State::kOpenForWriting);
  const UniqueFd writing(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  CHECK(WriteLease(files.descriptor(path)).state() != WriteLease::State::kHeld);
}

TEST_CASE("a program that is being written is busy, as the kernel says") {
  Harness harness;
  TemporaryDirectory directory;
  const auto path = directory / "tool";
  std::filesystem::copy_file("/bin/true", path);
  const UniqueFd writing(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  CHECK(harness.run(command(path, {"tool"})).launch_error ==
        "Command failed during launch or output capture (ETXTBSY)");
}

TEST_CASE("a script that others can change runs from a copy which nobody can change") {
  Harness harness;
  TemporaryDirectory directory;
  directory.make_directory("open", 0777);
  const auto script = directory.write("open/tool", "#!/bin/sh\ncat \"$0\" | wc -l; echo \"$0 $1\"\n", 0755);
  CHECK(harness.run(command(script, {"tool", "a"})).standard_output.text == "2\n/dev/fd/97 a\n");
  const auto file = directory.write("tool", "#!/bin/sh\necho \"$0\"\n", 0757);
  CHECK(harness.run(command(file, {"tool"})).standard_output.text == "/dev/fd/97\n");
}

TEST_CASE("a script that only its owner can change keeps its name and finds its neighbours") {
  Harness harness;
  TemporaryDirectory directory;
  directory.write("library.sh", "greeting=found\n");
  const auto script =
      directory.write("tool", "#!/bin/sh\n. \"$(dirname \"$0\")/library.sh\"\necho $greeting\n", 0755);
  CHECK(harness.run(command(script, {"tool"})).standard_output.text == "found\n");
}

TEST_CASE("a script whose content a rule names runs from exactly these bytes, or not at all") {
  Harness harness;
  TemporaryDirectory directory;
  const std::string text = "#!/bin/sh\necho judged\n";
  PlannedCommand planned = command(directory.write("tool", text, 0755), {"tool"});
  planned.content_sha256 = digest_of(text);
  CHECK(harness.run(planned).standard_output.text == "judged\n");
  planned.content_sha256 = digest_of("another");
  const auto refused = harness.run(planned);
  CHECK(refused.launch_error == kChanged);
  CHECK(refused.leader_pid == 0);
}

TEST_CASE("a program whose content a rule names is compared once more before it starts") {
  Harness harness;
  PlannedCommand planned = command("/bin/echo", {"echo", "x"});
  planned.content_sha256 = OpenedFiles().content_sha256("/bin/echo");
  CHECK(harness.run(planned).standard_output.text == "x\n");
  planned.content_sha256 = digest_of("another");
  CHECK(harness.run(planned).launch_error == kChanged);
}

TEST_CASE("an operand that is still what was judged is read under its own name") {
  Harness harness;
  TemporaryDirectory directory;
  const auto script = directory.write("script", "echo \"$0 $1\"\n");
  auto files = std::make_shared<OpenedFiles>();
  CHECK(harness.run(plan(sh_of(script, *files)), {}, files).standard_output.text == script + " argument\n");
}

TEST_CASE("an operand that others can change is handed over as a copy which nobody can change") {
  Harness harness;
  TemporaryDirectory directory;
  directory.make_directory("open", 0777);
  const auto script = directory.write("open/script", "echo \"$0 $1\"\n");
  auto files = std::make_shared<OpenedFiles>();
  const bool by_content = GENERATE(true, false);
  CHECK(harness.run(plan(sh_of(script, *files, by_content)), {}, files).standard_output.text ==
        "/dev/fd/98 argument\n");
}

TEST_CASE("an operand that was rewritten, replaced or re-pointed is refused") {
  Harness harness;
  TemporaryDirectory directory;
  const auto script = directory.write("script", "echo judged\n");
  const auto link = directory.link("link", script);
  auto files = std::make_shared<OpenedFiles>();
  PlannedCommand planned = sh_of(script, *files);
  planned.argv[1] = link;
  RunOptions options;
  SECTION("rewritten") {
    options.before_spawn = [&]() -> boost::asio::awaitable<std::optional<Error>> {
      directory.write("script", "echo other!\n");
      co_return std::nullopt;
    };
  }
  SECTION("replaced") {
    options.before_spawn = [&]() -> boost::asio::awaitable<std::optional<Error>> {
      std::filesystem::rename(directory.write("new", "echo other!\n"), script);
      co_return std::nullopt;
    };
  }
  SECTION("the link re-pointed") {
    options.before_spawn = [&]() -> boost::asio::awaitable<std::optional<Error>> {
      std::filesystem::remove(link);
      directory.link("link", directory.write("new", "echo other!\n"));
      co_return std::nullopt;
    };
  }
  const auto outcome = harness.run(plan(planned), options, files);
  CHECK(outcome.launch_error == kChanged);
  CHECK(outcome.leader_pid == 0);
  CHECK(outcome.standard_output.text.empty());
}

TEST_CASE("a script and an operand can both be copies") {
  Harness harness;
  TemporaryDirectory directory;
  directory.make_directory("open", 0777);
  const auto tool = directory.write("open/tool", "#!/bin/sh\ncat \"$1\"\n", 0755);
  const auto data = directory.write("open/data", "judged\n");
  auto files = std::make_shared<OpenedFiles>();
  PlannedCommand planned = command(tool, {"tool", data});
  planned.script = policy::ScriptOperand{1, data, files->facts(data).identity, files->content_sha256(data)};
  CHECK(harness.run(plan(planned), {}, files).standard_output.text == "judged\n");
}

}  // namespace
}  // namespace hostclaw::node_host
