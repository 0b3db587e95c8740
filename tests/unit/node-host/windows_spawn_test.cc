// SPDX-License-Identifier: Apache-2.0
// spawn() on Windows: what a child is given, and nothing else.
#include "node-host/system/process/spawn.h"

#include "base/text.h"
#include "node-host/system/text/windows_text.h"
#include "windows_support.h"

namespace hostclaw::node_host {
namespace {

struct Ended {
  std::string error;  // of spawn()
  std::string output;
  DWORD code = 0;
};

struct Wish {
  std::string program = test_child();
  std::string directory = "C:\\";
  std::vector<std::string> environment;
  NativeHandle tree = -1;
};

// Runs a program to its end; its output goes to a file, so that nothing here can block.
Ended run(std::vector<std::string> argv, const Wish& wish = {}) {
  TemporaryDirectory directory;
  OpenedFiles files;
  const auto output_path = directory.write("output", "");
  const UniqueFd output = open_for_writing(output_path);
  const UniqueFd input = open_null_input();
  std::vector<std::string> environment = wish.environment;
  if (environment.empty()) environment = {"SystemRoot=C:\\windows"};
  files.facts(wish.program);
  files.facts(wish.directory);
  SpawnRequest request{.executable = files.descriptor(wish.program),
                       .path = wish.program,
                       .argv = argv,
                       .environment = environment,
                       .directory = files.descriptor(wish.directory),
                       .stdio = {input.get(), output.get(), output.get()}};
  request.form = launch_form(request.executable, wish.program);
  request.tree = wish.tree;
  auto child = spawn(request);
  Ended ended;
  if (!child) {
    ended.error = child.error().code;
    return ended;
  }
  const HANDLE process = as_handle(child->exit_descriptor.get());
  REQUIRE(::WaitForSingleObject(process, 20'000) == WAIT_OBJECT_0);
  ::GetExitCodeProcess(process, &ended.code);
  ended.output = read_file(output_path);
  return ended;
}

std::string listed(const std::vector<std::string>& argv) {
  std::string text;
  for (std::size_t i = 0; i < argv.size(); ++i)
    if (i != 1) text += std::to_string(argv[i].size()) + ":" + argv[i] + "\n";
  return text;
}

TEST_CASE("a child receives exactly the arguments") {
  const std::vector<std::string> argv{"a name of its own",
                                      "arguments",
                                      "",
                                      "a b",
                                      "\"",
                                      "\\\"",
                                      "a\\",
                                      "C:\\dir with\\",
                                      "%PATH%",
                                      "^&|<>!",
                                      "*.exe",
                                      "'q'",
                                      "\n",
                                      "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x90\xBE"};
  const auto ended = run(argv);
  CHECK(ended.error.empty());
  CHECK(ended.code == 0);
  CHECK(ended.output == listed(argv));
}

TEST_CASE("made-up arguments reach a child as they are") {
  std::uint32_t state = 99;
  const auto random = [&state](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  const std::string alphabet = "\\\\\"\" \t\nab%^&";
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> argv{"child", "arguments"};
    for (std::uint32_t count = random(5); count > 0; --count) {
      std::string word;
      for (std::uint32_t length = random(9); length > 0; --length)
        word += alphabet[random(static_cast<std::uint32_t>(alphabet.size()))];
      argv.push_back(std::move(word));
    }
    CHECK(run(argv).output == listed(argv));
  }
}

TEST_CASE("a child has the given variables, sorted, and no others") {
  Wish wish;
  wish.environment = {"zeta=1",          "Alpha=a=b", "SystemRoot=C:\\windows", "path=first", "PATH=C:\\x",
                      "UMLAUT=\xC3\xA4", "EMPTY="};
  REQUIRE(::SetEnvironmentVariableW(L"HOSTCLAW_TEST_SECRET", L"secret") != 0);
  const auto ended = run({"child", "environment"}, wish);
  ::SetEnvironmentVariableW(L"HOSTCLAW_TEST_SECRET", nullptr);
  for (const char* line : {"zeta=1\n", "Alpha=a=b\n", "PATH=C:\\x\n", "UMLAUT=\xC3\xA4\n", "EMPTY=\n"}) {
    INFO(ended.output);
    CHECK(ended.output.find(line) != std::string::npos);
  }
  CHECK(ended.output.find("secret") == std::string::npos);
  CHECK(ended.output.find("first") == std::string::npos);
  CHECK(ended.output.find("Alpha") < ended.output.find("zeta"));
}

TEST_CASE("a child starts in the judged directory, its input at the end") {
  TemporaryDirectory directory;
  Wish wish;
  wish.directory = directory.make_directory("work \xC3\xA9");
  CHECK(run({"child", "directory"}, wish).output == wish.directory + "\n");
  CHECK(run({"child", "input"}).output == "end\n");
}

TEST_CASE("a handle that may be inherited reaches no child") {
  SECURITY_ATTRIBUTES inheritable{sizeof inheritable, nullptr, TRUE};
  const UniqueFd event = owned(::CreateEventW(&inheritable, TRUE, FALSE, nullptr));
  REQUIRE(event);
  // A number far from those that the child has itself.
  HANDLE far_away = nullptr;
  std::vector<UniqueFd> others;
  for (int i = 0; i < 500; ++i) {
    REQUIRE(::DuplicateHandle(::GetCurrentProcess(), as_handle(event.get()), ::GetCurrentProcess(), &far_away,
                              0, TRUE, DUPLICATE_SAME_ACCESS) != 0);
    others.push_back(owned(far_away));
  }
  CHECK(run({"child", "handle", std::to_string(as_number(far_away))}).output == "no such handle\n");
  CHECK(::WaitForSingleObject(as_handle(event.get()), 0) == WAIT_TIMEOUT);
}

TEST_CASE("a child is a member of the job from its first instruction on") {
  const UniqueFd job = owned(::CreateJobObjectW(nullptr, nullptr));
  Wish wish;
  wish.tree = job.get();
  CHECK(run({"child", "exit", "5"}, wish).code == 5);
  JOBOBJECT_BASIC_ACCOUNTING_INFORMATION numbers{};
  REQUIRE(::QueryInformationJobObject(as_handle(job.get()), JobObjectBasicAccountingInformation, &numbers,
                                      sizeof numbers, nullptr) != 0);
  CHECK(numbers.TotalProcesses >= 1);  // some systems count the console's own process too
}

TEST_CASE("what is no program is ENOEXEC, and nothing else is tried") {
  TemporaryDirectory directory;
  Wish wish;
  wish.program = directory.write("text.exe", "echo not a program\r\n");
  CHECK(run({"text"}, wish).error == "ENOEXEC");
}

TEST_CASE("a program is started by its real path, whatever its name in argv") {
  TemporaryDirectory directory;
  Wish wish;
  wish.program = directory.copy_of_test_child("A tool \xC3\xA9.exe");
  const auto ended = run({"cmd.exe", "arguments", "x"}, wish);
  CHECK(ended.output == "7:cmd.exe\n1:x\n");
}

TEST_CASE("a batch file runs with plain arguments, and not with others") {
  TemporaryDirectory directory;
  Wish wish;
  wish.program = directory.write("a tool.cmd", "@echo off\r\necho [%~1][%~2]\r\nexit /b 3\r\n");
  const auto ended = run({"tool", "a b", "(c)"}, wish);
  CHECK(ended.error.empty());
  CHECK(ended.output == "[a b][(c)]\r\n");
  CHECK(ended.code == 3);
  for (const char* word : {"\"&echo injected&\"", "&echo injected", "%PATH%", "a\nb"}) {
    INFO(word);
    const auto refused = run({"tool", word}, wish);
    CHECK(refused.error == "EINVAL");
    CHECK(refused.output.empty());
  }
}

}  // namespace
}  // namespace hostclaw::node_host
