// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/programs/wrappers.h"

namespace hostclaw::policy {
namespace {

constexpr std::array kPosixShells = {
    std::string_view("ash"),  std::string_view("bash"), std::string_view("dash"), std::string_view("fish"),
    std::string_view("hush"), std::string_view("ksh"),  std::string_view("lksh"), std::string_view("loksh"),
    std::string_view("mksh"), std::string_view("oksh"), std::string_view("posh"), std::string_view("rbash"),
    std::string_view("rksh"), std::string_view("sash"), std::string_view("sh"),   std::string_view("yash"),
    std::string_view("ysh"),  std::string_view("zsh")};
constexpr std::array<std::string_view, 6> kOpaqueShells = {"csh", "elvish", "nu", "osh", "tcsh", "xonsh"};

// Programs that take a program from a file or from text. Versioned names (python3.11) are cut first.
constexpr std::array<std::string_view, 65> kInterpreters = {
    "awk",     "babel-node", "bun",     "clj",   "clojure", "deno",   "elixir",    "erl",       "esno",
    "expect",  "find",       "gawk",    "gdb",   "ghc",     "ghci",   "gmake",     "groovy",    "gsed",
    "guile",   "iex",        "irb",     "java",  "jiti",    "jruby",  "jshell",    "julia",     "lua",
    "lua5",    "luajit",     "make",    "mawk",  "nawk",    "node",   "nodejs",    "ocaml",     "osascript",
    "perl",    "perl6",      "php",     "pypy",  "pypy3",   "python", "python2",   "python3",   "r",
    "racket",  "raku",       "rscript", "ruby",  "runghc",  "sbcl",   "scala",     "scala-cli", "sed",
    "sqlite3", "swift",      "swipl",   "tclsh", "ts-node", "tsx",    "vite-node", "werl",      "wish",
    "xargs",   "zx"};

std::string_view basename_of(std::string_view path, std::string_view separators) {
  while (!path.empty() && separators.find(path.back()) != std::string_view::npos) path.remove_suffix(1);
  const std::size_t slash = path.find_last_of(separators);
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

std::string executable_token(std::string_view word) {
  const std::string_view trimmed = trim(word);
  const std::string_view posix = basename_of(trimmed, "/");
  std::string_view windows = basename_of(trimmed, "/\\");
  if (windows.size() >= 2 && windows[1] == ':') windows.remove_prefix(2);
  std::string token = to_lower_ascii(windows.size() < posix.size() ? windows : posix);
  for (const std::string_view extension : {".exe", ".cmd", ".bat", ".com"}) {
    if (token.size() > extension.size() && token.ends_with(extension)) {
      token.resize(token.size() - extension.size());
      break;
    }
  }
  return token;
}

ShellFamily shell_family(std::string_view token) {
  // ksh93, bash-5.2, bash-static
  if (token.ends_with("-static")) token.remove_suffix(7);
  if (token.starts_with("static-")) token.remove_prefix(7);
  while (token.size() > 2 && std::string_view("0123456789.-").find(token.back()) != std::string_view::npos)
    token.remove_suffix(1);
  if (std::binary_search(kPosixShells.begin(), kPosixShells.end(), token)) return ShellFamily::kPosix;
  if (std::binary_search(kOpaqueShells.begin(), kOpaqueShells.end(), token)) return ShellFamily::kOpaque;
  if (token == "cmd") return ShellFamily::kCmd;
  if (token == "powershell" || token == "pwsh") return ShellFamily::kPowerShell;
  return ShellFamily::kNone;
}

bool is_multiplexer(std::string_view token) { return token == "busybox" || token == "toybox"; }

bool is_interpreter_like(std::string_view token) {
  if (std::binary_search(kInterpreters.begin(), kInterpreters.end(), token) ||
      shell_family(token) != ShellFamily::kNone)
    return true;
  // python3.11, lua5.4, ruby-3.2
  std::string_view name = token;
  while (!name.empty() &&
         ((name.back() >= '0' && name.back() <= '9') || name.back() == '.' || name.back() == '-')) {
    name.remove_suffix(1);
  }
  return name.size() != token.size() && std::binary_search(kInterpreters.begin(), kInterpreters.end(), name);
}

}  // namespace hostclaw::policy
