// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/programs/inline_eval.h"

using namespace hostclaw::policy;

namespace {

std::string message(const std::vector<std::string>& argv) {
  const auto hit = inline_eval_hit(argv);
  return hit ? hit->message : "";
}

}  // namespace

TEST_CASE("code on an interpreter's command line is a hit") {
  CHECK(message({"python3", "-c", "1"}) == "python3 -c");
  CHECK(message({"python3.11", "-c", "1"}) == "python -c");
  CHECK(message({"python3", "-cprint(1)"}) == "python3 -c");
  CHECK(message({"python3", "-Bc", "1"}) == "python3 -c");
  CHECK(message({"node", "--eval=1"}) == "node --eval");
  CHECK(message({"perl", "-E", "say 1"}) == "perl -e");
  CHECK(message({"perl", "-pe", "1", "x"}) == "perl -e");
  CHECK(message({"ruby", "-ne", "1"}) == "ruby -e");
  CHECK(message({"php", "-r", "1"}) == "php -r");
  CHECK(message({"awk", "-F", ",", "{print}"}) == "awk inline program");
  CHECK(message({"gawk", "-f", "x", "--source=1"}) == "gawk --source");
  CHECK(message({"sed", "s/a/b/", "x"}) == "sed inline program");
  CHECK(message({"sed", "-es/a/b/"}) == "sed -e");
  CHECK(message({"find", "--", ".", "-exec", "id", ";"}) == "find -exec");
  CHECK(message({"make", "-f", "x"}) == "make -f");
  CHECK(message({"make", "--ev=x"}) == "make --eval");
  CHECK(message({"xargs", "-I", "{}", "sh"}) == "xargs inline command");
  CHECK(message({"gdb", "-ex", "x"}) == "gdb -ex");
  CHECK(message({"python3", "-C", "1"}) == "python3 -c");
  CHECK(message({"node", "-E", "1"}) == "node -e");
}

TEST_CASE("the value of an option is not taken for the script") {
  CHECK(message({"php", "-d", "a=b", "-r", "1"}) == "php -r");
  CHECK(message({"php", "-c", "x.ini", "-r", "1"}) == "php -r");
  CHECK(message({"lua", "-l", "x", "-e", "1"}) == "lua -e");
  CHECK(message({"ruby", "-I", "lib", "-e", "1"}) == "ruby -e");
  CHECK(message({"node", "--env-file", "x", "-e", "1"}) == "node -e");
  CHECK(message({"julia", "-L", "x.jl", "-e", "1"}) == "julia -e");
  CHECK(message({"osascript", "-l", "JavaScript", "-e", "1"}) == "osascript -e");
  CHECK(message({"elixir", "-r", "x.exs", "-e", "1"}) == "elixir -e");
  CHECK(message({"clojure", "-Sdeps", "{}", "-e", "1"}) == "clojure -e");
  CHECK(message({"php", "-d", "a=b", "x.php", "-r", "1"}).empty());
  CHECK(message({"lua", "-l", "x", "y.lua", "-e"}).empty());
  CHECK(message({"ruby", "-I", "lib", "x.rb", "-e"}).empty());
}

TEST_CASE("the hit is found behind wrappers, carriers and positional carriers") {
  CHECK(message({"env", "A=1", "python3", "-c", "1"}) == "python3 -c");
  CHECK(message({"env", "-iS", "python3 -c 'print(1)'"}) == "python3 -c");
  CHECK(message({"sudo", "-Eu", "root", "python3", "-c", "1"}) == "python3 -c");
  CHECK(message({"exec", "-a", "x", "python3", "-c", "1"}) == "python3 -c");
  CHECK(message({"sh", "-lc", "$0 \"$@\"", "find", ".", "-exec", "id", ";"}) == "find -exec");
  CHECK(message({"bash", "-c", "exec -- \"$0\" \"$@\"", "xargs", "id"}) == "xargs inline command");
  CHECK(message({"sh", "-lc", "$0 \"$1\" \"$2\"", "find", ".", "-exec"}) == "find -exec");
}

TEST_CASE("scripts, reports and look-alikes are no hits") {
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{{"python3", "x.py"},
                                             {"python3", "x.py", "-c"},
                                             {"python3", "-m", "x"},
                                             {"python3", "-Xc"},
                                             {"python3", "--", "-c"},
                                             {"deno", "eval", "1"},
                                             {"awk", "-f", "x", "y"},
                                             {"sed", "-f", "x", "y"},
                                             {"sed", "-E", "-f", "x"},
                                             {"find", ".", "-delete"},
                                             {"make", "test"},
                                             {"make", "-C", "x"},
                                             {"xargs", "-0"},
                                             {"busybox", "awk", "x"},
                                             {"groovy", "-encoding", "x"},
                                             {"command", "-v", "python3", "-c"},
                                             {"echo", "python3", "-c"},
                                             {"sh", "-lc", "$0 \"$1\"", "find", ".", "-exec"},
                                             {}}) {
    INFO((argv.empty() ? "" : argv[0]));
    CHECK(message(argv).empty());
  }
}
