// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/binding.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

// The machine's files, some of which look otherwise.
class Veiled final : public FileProbe {
 public:
  explicit Veiled(FileProbe& files) : files_(files) {}
  std::map<std::string, FileKind> kinds;
  std::string without_content;
  bool names_real_paths = true;

  FileFacts facts(const std::string& path) override {
    FileFacts out = files_.facts(path);
    if (const auto it = kinds.find(path); it != kinds.end()) out.kind = it->second;
    if (!names_real_paths) out.real_path.clear();
    return out;
  }
  bool is_symlink(const std::string& path) override { return files_.is_symlink(path); }
  bool changeable_by_others(const std::string& path) override { return files_.changeable_by_others(path); }
  std::optional<std::string> content_sha256(const std::string& path) override {
    return path == without_content ? std::nullopt : files_.content_sha256(path);
  }
  std::string head(const std::string& path, std::size_t count) override { return files_.head(path, count); }

 private:
  FileProbe& files_;
};

constexpr const char* kWork = "/home/u/work";

OperandCheck check_here(const Machine& machine, const std::vector<std::string>& argv,
                        const std::string* payload = nullptr) {
  return check_operand(argv, payload, kWork, machine.context);
}

TEST_CASE("binding: the directory must be there, and be one") {
  Machine machine;
  Veiled veiled(machine.files);
  machine.context.files = &veiled;
  CHECK(check_canonical_cwd(kWork, machine.context).path == kWork);
  CHECK(check_canonical_cwd("/nowhere", machine.context).problem == Reason::kCwdMissing);
  CHECK(check_canonical_cwd("/home/u/work/script.sh", machine.context).problem == Reason::kCwdNoDirectory);
  veiled.kinds[kWork] = FileKind::kUnreadable;
  CHECK(check_canonical_cwd(kWork, machine.context).problem == Reason::kCwdMissing);
}

TEST_CASE("binding: a directory behind a link counts only where nobody here can re-point the link") {
  const Reason refused = Reason::kCwdBySymlink;
  Machine machine;
  machine.files.add_directory("/home/u/work/deep", 1500);
  machine.files.add_directory("/opt/tools/deep");
  machine.files.add_symlink("/opt/current", "tools");
  CHECK(check_canonical_cwd("/home/u/link", machine.context).problem == refused);
  CHECK(check_canonical_cwd("/home/u/link/deep", machine.context).problem == refused);
  // The link itself as the directory is never canonical; on the way it may be root's.
  CHECK(check_canonical_cwd("/opt/current", machine.context).problem == refused);
  const CwdCheck on_the_way = check_canonical_cwd("/opt/current/deep", machine.context);
  CHECK(on_the_way.problem == Reason::kNone);
  CHECK(on_the_way.path == "/opt/tools/deep");
  // Root can re-point every link.
  machine.context.running_as_root = true;
  CHECK(check_canonical_cwd("/opt/current/deep", machine.context).problem == refused);
  machine.files.add_symlink("/rootlink", "/opt/tools");
  CHECK(check_canonical_cwd("/rootlink/deep", machine.context).problem == refused);
  machine.context.platform = Platform::kWindows;
  CHECK(check_canonical_cwd("/opt/current/deep", machine.context).problem == Reason::kNone);
}

TEST_CASE("binding: a script must be a file that can be read") {
  Machine machine;
  Veiled veiled(machine.files);
  machine.context.files = &veiled;
  const OperandCheck bound = check_here(machine, {"python3", "script.py"});
  REQUIRE(bound.operand.has_value());
  CHECK(bound.operand->argv_index == 1);
  CHECK(bound.operand->path == "/home/u/work/script.py");
  CHECK(bound.operand->sha256 == machine.files.content_sha256("/home/u/work/script.py"));
  const auto problem_of = [&](const char* script) {
    const OperandCheck check = check_here(machine, {"python3", script});
    CHECK_FALSE(check.operand.has_value());
    return check.problem;
  };
  CHECK(problem_of("missing.py") == Reason::kScriptMissing);
  CHECK(problem_of("/home/u/work") == Reason::kScriptNoFile);
  veiled.without_content = "/home/u/work/script.py";
  CHECK(problem_of("script.py") == Reason::kScriptUnreadable);
  veiled.without_content.clear();
  veiled.kinds["/home/u/work/script.py"] = FileKind::kUnreadable;
  CHECK(problem_of("script.py") == Reason::kScriptUnreadable);
  veiled.kinds["/home/u/work/script.py"] = FileKind::kOther;
  CHECK(problem_of("script.py") == Reason::kScriptNoFile);
}

TEST_CASE("binding: where no real path is known the path as it was given is bound") {
  Machine machine;
  Veiled veiled(machine.files);
  veiled.names_real_paths = false;
  machine.context.files = &veiled;
  CHECK(check_canonical_cwd(kWork, machine.context).path == kWork);
  const OperandCheck bound = check_here(machine, {"python3", "./script.py"});
  REQUIRE(bound.operand.has_value());
  CHECK(bound.operand->path == "/home/u/work/script.py");
}

TEST_CASE("binding: what cannot be bound says which kind it is") {
  Machine machine;
  const auto problem_of = [&](const std::vector<std::string>& argv) {
    const OperandCheck check = check_here(machine, argv);
    CHECK_FALSE(check.operand.has_value());
    return check.problem;
  };
  CHECK(problem_of({"env", "-C", "/opt", "python3", "script.py"}) == Reason::kDispatchOptions);
  CHECK(problem_of({"bash", "--rcfile", "x", "script.sh"}) == Reason::kStartupFiles);
  CHECK(problem_of({"bash", "-i", "script.sh"}) == Reason::kStartupFiles);
  CHECK(problem_of({"env", "BASH_ENV=x", "bash", "script.sh"}) == Reason::kStartupEnvironment);
  CHECK(problem_of({"php", "-d", "x=y", "script.py"}) == Reason::kRuntimeOptions);
  CHECK(problem_of({"deno", "run", "--import-map=x", "script.py"}) == Reason::kRuntimeOptions);
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{{"bash"},
                                             {"node", "-r", "./x", "script.py"},
                                             {"perl", "-Ilib", "script.py"},
                                             {"python3", "-x", "script.py", "script.sh"},
                                             {"deno", "test"},
                                             {"./gone"}}) {
    INFO(argv.front());
    CHECK(problem_of(argv) == Reason::kHiddenCommand);
  }
}

TEST_CASE("binding: a host environment that makes shells read a file first refuses shells only") {
  for (const char* name : {"BASH_ENV", "ENV"}) {
    Machine machine;
    machine.context.host_environment.emplace_back(name, "/home/u/rc");
    CHECK(check_here(machine, {"bash", "script.sh"}).problem == Reason::kStartupEnvironment);
    CHECK(check_here(machine, {"python3", "script.py"}).operand.has_value());
    CHECK(check_here(machine, {"uname"}).problem == Reason::kNone);
  }
}

TEST_CASE("binding: programs that only root can change need none, ones of ours are bound themselves") {
  Machine machine;
  for (const char* program : {"uname", "/usr/bin/uname"}) {
    const OperandCheck check = check_here(machine, {program, "script.sh"});
    CHECK(check.problem == Reason::kNone);
    CHECK_FALSE(check.operand.has_value());
  }
  const OperandCheck own = check_here(machine, {"./evil"});
  REQUIRE(own.operand.has_value());
  CHECK(own.operand->argv_index == 0);
  CHECK(own.operand->path == "/home/u/work/evil");
  const std::string harmless = "uname -a";
  CHECK(check_here(machine, {"sh", "-c", harmless}, &harmless).problem == Reason::kNone);
  for (const std::string& payload :
       std::vector<std::string>{"uname; ./evil", "source script.sh", "./evil", "python3 script.py"}) {
    INFO(payload);
    CHECK_FALSE(check_here(machine, {"sh", "-c", payload}, &payload).problem == Reason::kNone);
  }
}

TEST_CASE("binding: a script that an option or -m names is bound like one that a word names") {
  Machine machine;
  for (const char* name : {"pack", "whole"})
    machine.files.add_directory(std::string(kWork) + "/" + name, 1500);
  machine.files.add_file(std::string(kWork) + "/theirs.py", "x", false, 1500);
  machine.files.add_file(std::string(kWork) + "/theirs.awk", "x", false, 1500);
  for (const char* name : {"/theirs.py", "/theirs.awk"})
    machine.files.let_others_write(std::string(kWork) + name);
  for (const char* name : {"tool.awk", "tool.sed", "tool.php", "mod.py", "mymod.py", "data.txt",
                           "pack/__main__.py", "whole/__init__.py", "whole/__main__.py", "whole/part.py"})
    machine.files.add_file(std::string(kWork) + "/" + name, name, false, 1500);
  struct Row {
    std::vector<std::string> argv;
    std::size_t index;
    const char* file;
  };
  const std::vector<Row> rows = {{{"awk", "-f", "tool.awk", "data.txt"}, 2, "tool.awk"},
                                 {{"awk", "-ftool.awk", "data.txt"}, 1, "tool.awk"},
                                 {{"awk", "-F:", "-ftool.awk", "data.txt"}, 2, "tool.awk"},
                                 {{"gawk", "--file=tool.awk", "data.txt"}, 1, "tool.awk"},
                                 {{"nice", "gawk", "-Etool.awk", "data.txt"}, 2, "tool.awk"},
                                 {{"sed", "-nf", "tool.sed", "data.txt"}, 2, "tool.sed"},
                                 {{"sed", "-nftool.sed", "data.txt"}, 1, "tool.sed"},
                                 {{"php", "-ftool.php", "data.txt"}, 1, "tool.php"},
                                 {{"python3", "-m", "mod", "data.txt"}, 2, "mod.py"},
                                 {{"python3", "-mmod", "data.txt"}, 1, "mod.py"},
                                 {{"python3", "-Bum", "mymod"}, 2, "mymod.py"},
                                 {{"python3", "-Xdev", "-W", "m", "-m", "mod"}, 5, "mod.py"},
                                 {{"python3", "-m", "pack", "data.txt"}, 2, "pack/__main__.py"},
                                 // Of the installation: as before.
                                 {{"python3", "-m", "pytest", "script.py"}, 3, "script.py"},
                                 {{"python3", "-Im", "mod", "script.py"}, 3, "script.py"},
                                 {{"awk", "{print}", "data.txt"}, 2, "data.txt"}};
  for (const Row& row : rows) {
    INFO(Json(row.argv).dump());
    const OperandCheck check = check_here(machine, row.argv);
    CHECK(check.problem == Reason::kNone);
    REQUIRE(check.operand.has_value());
    CHECK(check.operand->argv_index == row.index);
    CHECK(check.operand->path == std::string(kWork) + "/" + row.file);
    CHECK(is_operand_unchanged(*check.operand, row.argv, kWork, machine.context));
    machine.files.add_file(check.operand->path, "changed", false, 1500);
    CHECK_FALSE(is_operand_unchanged(*check.operand, row.argv, kWork, machine.context));
    machine.files.add_file(check.operand->path, row.file, false, 1500);
  }
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{{"awk", "-ftool.awk", "-fdata.txt"},
                                             {"awk", "-fgone.awk", "data.txt"},
                                             {"mawk", "-W", "exec", "tool.awk"},
                                             {"gawk", "-ftool.awk", "-idata.txt"},
                                             {"python3", "-m", "whole", "data.txt"},
                                             {"python3", "-m", "whole.part", "data.txt"},
                                             {"python3", "-m", "../mod", "data.txt"},
                                             // No copy can take the place of these.
                                             {"python3", "-m", "theirs", "data.txt"},
                                             {"awk", "-ftheirs.awk", "data.txt"}}) {
    INFO(Json(argv).dump());
    CHECK_FALSE(check_here(machine, argv).operand.has_value());
  }
}

TEST_CASE("binding: a bound file is unchanged only with the same place, path and content") {
  Machine machine;
  const std::vector<std::string> argv = {"python3", "script.py"};
  const PlanOperand operand = *check_here(machine, argv).operand;
  const auto unchanged = [&](const PlanOperand& what, const std::vector<std::string>& words) {
    return is_operand_unchanged(what, words, kWork, machine.context);
  };
  CHECK(unchanged(operand, argv));
  CHECK(unchanged(operand, {"python3", "/home/u/work/script.py"}));
  CHECK_FALSE(unchanged(operand, {"python3"}));
  CHECK_FALSE(unchanged(operand, {"python3", "script.sh"}));
  CHECK_FALSE(unchanged(operand, {"python3", "missing.py"}));
  PlanOperand other = operand;
  other.sha256 = std::string(64, '0');
  CHECK_FALSE(unchanged(other, argv));
  // The same content somewhere else is another file.
  machine.files.add_file("/home/u/work/copy.py", "print(1)\n", false, 1500);
  CHECK_FALSE(unchanged(operand, {"python3", "copy.py"}));
  machine.files.add_symlink("/home/u/work/script.py", "copy.py");
  CHECK_FALSE(unchanged(operand, argv));
  machine.files.remove("/home/u/work/script.py");
  CHECK_FALSE(unchanged(operand, argv));
}

}  // namespace
}  // namespace hostclaw::policy
