// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/carried_code.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "policy/programs/carried_code_table.h"

using namespace hostclaw::policy;

namespace {

using Argv = std::vector<std::string>;

std::string text_of(const Argv& argv) {
  std::string text;
  for (const std::string& word : argv) text += (text.empty() ? "" : " ") + word;
  return text;
}

void check_carries(const std::vector<Argv>& rows) {
  for (const Argv& argv : rows) {
    INFO(text_of(argv));
    const auto found = carried_code(argv);
    CHECK(found);
    if (found) {
      CHECK(found->argument < argv.size());
      CHECK_FALSE(found->reason.empty());
    }
  }
}

void check_carries_nothing(const std::vector<Argv>& rows) {
  for (const Argv& argv : rows) {
    const auto found = carried_code(argv);
    INFO(text_of(argv) << " -> " << (found ? found->reason : ""));
    CHECK_FALSE(found);
  }
}

}  // namespace

TEST_CASE("git forms that run other programs are found") {
  check_carries({{"git", "-c", "core.pager=sh -c id", "log"},
                 {"git", "-ccore.pager=x", "log"},
                 {"git", "--config-env=core.pager=X", "log"},
                 {"git", "--exec-path=/tmp", "x"},
                 {"git", "-C", "/tmp/x", "status"},
                 {"git", "--git-dir", "/x", "status"},
                 {"git", "--work-tree=/", "status"},
                 {"git", "-p", "log"},
                 {"git", "grep", "-Oid", "x"},
                 {"git", "grep", "-nO", "x"},
                 {"git", "grep", "--open-files-in-pager=id", "x"},
                 {"git", "clone", "-u", "id", "x"},
                 {"git", "clone", "-c", "a=b", "x"},
                 {"git", "clone", "ext::sh -c id", "y"},
                 {"git", "clone", "--", "ext::sh -c id", "y"},
                 {"git", "fetch", "--upload-pack", "id"},
                 {"git", "fetch", "--upload=id"},
                 {"git", "push", "--receive-pack=id"},
                 {"git", "archive", "--exec=id"},
                 {"git", "rebase", "-x", "id", "HEAD"},
                 {"git", "rebase", "--exec", "id"},
                 {"git", "difftool"},
                 {"git", "diff", "--ext-diff"},
                 {"git", "config", "core.hooksPath", "/x"},
                 {"git", "help", "config"},
                 {"git", "log", "--help"},
                 {"git", "filter-branch"},
                 {"git", "init", "--template=/x"},
                 {"git", "commit", "--amend", "-e"},
                 {"git", "bisect", "run", "id"},
                 {"git", "submodule", "foreach", "id"},
                 {"git", "diff", "--output=/x"},
                 {"git", "format-patch", "-o", "/x"},
                 {"git.exe", "-c", "a=b", "log"},
                 {"/usr/bin/git", "-c", "a=b", "log"}});
}

TEST_CASE("everyday git commands carry nothing") {
  check_carries_nothing({{"git"},
                         {"git", "status"},
                         {"git", "log", "--oneline", "-5"},
                         {"git", "diff", "HEAD~1"},
                         {"git", "show", "-p"},
                         {"git", "commit", "-m", "x"},
                         {"git", "commit", "-c", "HEAD"},
                         {"git", "switch", "-c", "b"},
                         {"git", "branch", "-C", "a", "b"},
                         {"git", "fetch", "--prune"},
                         {"git", "clone", "https://h/x"},
                         {"git", "grep", "-n", "x"},
                         {"git", "--no-pager", "log"},
                         {"git", "--version"},
                         {"git", "--", "-c"},
                         {"git", "log", "--exclude=x"},
                         {"git", "push", "-u", "origin", "x"},
                         {"git", "add", "-A"},
                         {"git", "stash", "-u"}});
}

TEST_CASE("docker compose reports carry nothing, and everything else of compose is asked about") {
  check_carries_nothing({{"docker", "compose", "ps"},
                         {"docker", "compose", "ps", "--format", "json"},
                         {"docker", "compose", "ps", "-a", "web"},
                         {"docker", "compose", "logs", "--tail=80", "web"},
                         {"docker", "compose", "logs", "--tail", "80", "web"},
                         {"docker", "compose", "logs", "--since", "10m", "--no-color", "web"},
                         {"docker", "compose", "config"},
                         {"docker", "compose", "config", "--services"},
                         {"docker", "compose", "images"},
                         {"docker", "compose", "ls"},
                         {"docker", "compose", "version"},
                         {"docker.exe", "compose", "ps"},
                         {"docker-compose", "ps"},
                         {"docker", "ps", "-a"},
                         {"docker", "logs", "web"}});
  check_carries({{"docker", "compose", "up", "-d", "--build", "web"},
                 {"docker", "compose", "restart", "web"},
                 {"docker", "compose", "exec", "web", "id"},
                 {"docker", "compose", "run", "web"},
                 {"docker", "compose", "pull"},
                 {"docker", "compose", "down"},
                 {"docker", "compose"},
                 {"docker", "compose", "-f", "x.yml", "ps"},
                 {"docker", "compose", "--project-directory", "/x", "ps"},
                 {"docker", "compose", "--env-file=x", "config"},
                 {"docker", "compose", "config", "-o", "x"},
                 {"docker", "compose", "config", "-ox"},
                 {"docker", "compose", "config", "--output=x"},
                 {"docker", "compose", "config", "--lock-image-digests"},
                 {"docker", "compose", "ps", "-f", "x"},
                 {"docker", "compose", "logs", "--", "--x"},
                 {"docker", "-H", "tcp://h", "compose", "ps"},
                 {"docker", "--context", "x", "compose", "ps"},
                 {"docker", "restart", "web"},
                 {"docker", "exec", "web", "id"},
                 {"docker-compose", "up"},
                 {"docker-compose", "-f", "x", "ps"}});
}

TEST_CASE("letters behind digits and signs are options all the same") {
  check_carries({{"git", "grep", "-1Oid", "x"},
                 {"curl", "-4o", "x", "http://h"},
                 {"curl", "-s4o", "x", "http://h"},
                 {"curl", "-#o", "x", "http://h"},
                 {"curl", "-:o", "x", "http://h"},
                 {"curl", "-0K", "x"},
                 {"curl", "-4T", "x", "http://h"},
                 {"rsync", "-4e", "id", "a", "b:c"},
                 {"fd", "-0x", "id"},
                 {"fd", "-1x", "id"},
                 {"zip", "-9TT", "id", "x", "y"},
                 {"git", "-4c", "a=b", "log"}});
  check_carries_nothing({{"git", "log", "-10"}, {"git", "grep", "-1", "x"}, {"curl", "-m10", "http://h"}});
}

TEST_CASE("curl forms that write or send files by other words are found") {
  check_carries({{"curl", "-w", "%output{/tmp/f}x", "-so", "/dev/null", "http://h"},
                 {"curl", "--expand-output", "x", "http://h"},
                 {"curl", "--variable", "v@/etc/passwd", "--expand-data", "{{v}}", "http://h"},
                 {"curl", "--ssl-sessions", "x", "http://h"}});
}

TEST_CASE("curl that writes to nowhere writes nothing") {
  check_carries_nothing({{"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://h"},
                         {"curl", "-sSo", "/dev/null", "http://h"},
                         {"curl", "--output", "/dev/null", "http://h"}});
  check_carries({{"curl", "-o", "/dev/null", "-o", "x", "http://h", "http://i"},
                 {"curl", "-Ko", "/dev/null", "http://h"},
                 {"curl", "-do", "/dev/null", "-K", "x"},
                 {"curl", "-o", "/dev/nullx", "http://h"},
                 {"curl", "-o", "/dev/null/../x", "http://h"},
                 {"curl", "-o"},
                 {"curl", "-O", "/dev/null"}});
}

TEST_CASE("file tools that run, write or read elsewhere are found") {
  check_carries({{"find", ".", "-exec", "id", ";"},
                 {"find", "--", ".", "-okdir", "id", ";"},
                 {"find", ".", "-delete"},
                 {"find", ".", "-fprint", "x"},
                 {"fd", "-x", "id"},
                 {"fd", "-HX", "id"},
                 {"tar", "cf", "x", "--checkpoint-action=exec=id"},
                 {"tar", "xf", "x", "--to-command=id"},
                 {"tar", "-I", "id", "-xf", "x"},
                 {"tar", "xIf", "id", "x"},
                 {"tar", "--use-compress=id", "-xf", "x"},
                 {"rsync", "-e", "id", "a", "b:c"},
                 {"rsync", "-ave", "id", "a"},
                 {"sort", "--compress-prog=sh"},
                 {"sort", "-o", "x"},
                 {"sort", "-ro", "x"},
                 {"sort", "--files0-from=x"},
                 {"split", "--filter=id", "x"},
                 {"tee", "x"},
                 {"tee", "--", "-x"},
                 {"cp", "a", "b"},
                 {"date", "-f", "x"},
                 {"rg", "--pre", "id"},
                 {"rg", "-nz", "x"},
                 {"bat", "--pager", "id", "x"},
                 {"zip", "x", "y", "-T", "-TT", "id"},
                 {"less", "x"},
                 {"man", "ls"},
                 {"uniq", "--group", "a"}});
}

TEST_CASE("file tools that only look carry nothing") {
  check_carries_nothing({{"find", ".", "-name", "*.cc", "-print"},
                         {"fd", "-H", "x"},
                         {"tar", "tf", "x.tar"},
                         {"tar", "-czf", "x.tgz", "d"},
                         {"rsync", "-av", "a", "b"},
                         {"sort", "-nr", "-k2"},
                         {"sort", "-t,", "-k1"},
                         {"tee"},
                         {"date", "-Iseconds"},
                         {"date", "+%F"},
                         {"rg", "-n", "x"},
                         {"grep", "-rn", "x"},
                         {"ls", "-la"},
                         {"cat", "x"},
                         {"echo", "-exec"},
                         {"wc", "-l"},
                         {"uniq", "-c"},
                         {"head", "-n", "5"},
                         {"uname", "-s"},
                         {"printf", "x"}});
}

TEST_CASE("interpreters and runners are found whatever they are given") {
  check_carries({{"python3", "-c", "1"},
                 {"python3.11", "x.py"},
                 {"python3", "-"},
                 {"python3"},
                 {"node", "-p", "1"},
                 {"node", "--require", "x"},
                 {"perl", "-pe", "1"},
                 {"ruby", "x.rb"},
                 {"lua5.4", "-e", "1"},
                 {"php", "-r", "1"},
                 {"xargs", "id"},
                 {"parallel", "id"},
                 {"strace", "id"},
                 {"gdb", "-ex", "!id"},
                 {"tmux", "new"},
                 {"screen", "-dm", "id"},
                 {"vim", "x"},
                 {"ed"},
                 {"crontab", "x"},
                 {"sqlite3", "x"},
                 {"mysql", "-e", "x"},
                 {"ssh", "-o", "ProxyCommand=id", "h"},
                 {"ssh", "h"},
                 {"scp", "-S", "x", "a", "b:c"},
                 {"/lib64/ld-linux-x86-64.so.2", "/usr/bin/id"}});
  check_carries_nothing({{"python3", "--version"}, {"node", "-v"}, {"perl", "-v"}, {"ssh", "-V"}});
}

TEST_CASE("sed and awk programs are judged by what they do") {
  check_carries({{"sed", "1e id", "x"},
                 {"sed", "w /tmp/x", "y"},
                 {"sed", "-n", "s/x/y/e", "z"},
                 {"sed", "s/x/y/w f"},
                 {"sed", "-i", "s/a/b/", "x"},
                 {"sed", "-ni", "p", "x"},
                 {"sed", "-f", "x"},
                 {"sed", "-es/x/y/e"},
                 {"sed", "-ne", "e"},
                 {"sed", "--expression=e id"},
                 {"sed", "--exp=e id"},
                 {"sed", "-e", "p", "-e", "w x"},
                 {"sed", "s\nx\ny\ne"},
                 {"sed", "r /etc/shadow"},
                 {"sed", "s/x/y/;e"},
                 {"sed", "--in-place=b", "p", "x"},
                 {"awk", "BEGIN{system(\"id\")}"},
                 {"awk", "-f", "x"},
                 {"awk", "{print > \"x\"}"},
                 {"gawk", "@load \"x\""},
                 {"awk", "{\"id\" | getline}"},
                 {"awk"}});
  check_carries_nothing({{"sed", "-n", "1,5p", "x"},
                         {"sed", "s/a/b/g", "x"},
                         {"sed", "-e", "s/a/b/", "-e", "3d"},
                         {"sed", "-E", "s|a|b|2p"},
                         {"sed", "/x/d"},
                         {"sed", "$!d"},
                         {"sed", "10q", "x"},
                         {"sed", "-ne", "/a\\/b/,$p"},
                         {"awk", "{print $1}"},
                         {"awk", "-F,", "NR==2{print $2}", "x"}});
}

TEST_CASE("builders and package managers are found, their reports are not") {
  check_carries({{"make", "-f", "x"},
                 {"make", "--eval=x"},
                 {"make", "SHELL=/x"},
                 {"make"},
                 {"npm", "run", "x"},
                 {"npx", "id"},
                 {"cargo", "run"},
                 {"go", "run", "x"},
                 {"pip", "install", "x"},
                 {"gcc", "-wrapper", "id,x", "y.c"},
                 {"gcc-12", "-fplugin=x", "y.c"},
                 {"x86_64-linux-gnu-gcc", "-fplugin=x"},
                 {"apt-get", "install", "x"},
                 {"nix-shell", "--run", "id"}});
  check_carries_nothing(
      {{"npm", "ls"}, {"npm", "--version"}, {"pip", "list"}, {"apt", "list"}, {"gcc", "--version"}});
}

TEST_CASE("network and container tools are found by what they reach") {
  check_carries({{"curl", "-o", "x", "http://h"},
                 {"curl", "-sSLo", "x", "http://h"},
                 {"curl", "-O", "http://h"},
                 {"curl", "-K", "x"},
                 {"curl", "file:///etc/passwd"},
                 {"curl", "-d", "@/etc/passwd", "h"},
                 {"curl", "-d@/etc/passwd", "h"},
                 {"curl", "-F", "a=@x", "h"},
                 {"curl", "--output=x", "h"},
                 {"curl", "--unix-socket", "/x", "h"},
                 {"wget", "-O", "x", "h"},
                 {"wget", "h"},
                 {"docker", "run", "-v", "/:/h", "x"},
                 {"docker", "exec", "x", "id"},
                 {"docker", "-H", "tcp://x", "ps"},
                 {"docker", "compose", "down", "-v"},
                 {"kubectl", "exec", "x"},
                 {"nmap", "--script", "x"},
                 {"tcpdump", "-z", "id"},
                 {"openssl", "engine", "x"},
                 {"systemctl", "start", "x"}});
  check_carries_nothing({{"curl", "https://h/x"},
                         {"curl", "-sSfL", "-H", "A: b", "https://user@h"},
                         {"curl", "-X", "POST", "-d", "a=b", "h"},
                         {"docker", "ps", "-a"},
                         {"docker", "logs", "x"},
                         {"docker", "info"},
                         {"kubectl", "get", "pods"},
                         {"nmap", "-sV", "h"},
                         {"openssl", "version"},
                         {"systemctl", "status", "x"}});
}

TEST_CASE("programs of Windows that run others are found") {
  check_carries({{"rundll32", "x"},
                 {"C:\\Windows\\System32\\MSHTA.EXE", "x"},
                 {"regsvr32", "/s", "x"},
                 {"wmic", "process", "call", "create", "x"},
                 {"msiexec", "/i", "x"},
                 {"certutil.exe", "-urlcache"},
                 {"forfiles", "/c", "x"},
                 {"bitsadmin", "/x"},
                 {"msbuild", "x"},
                 {"winget", "install", "x"},
                 {"sc", "config", "x"},
                 {"conhost", "x"},
                 {"pcalua", "-a", "x"}});
}

TEST_CASE("tools that obey the directory they stand in are told") {
  CHECK_FALSE(working_directory_code("git").empty());
  CHECK_FALSE(working_directory_code("docker").empty());
  CHECK(working_directory_code("uname").empty());
}

TEST_CASE("entries that open a general door are named") {
  for (const char* token :
       {"sh", "pwsh", "busybox", "python3", "env", "sudo", "xargs", "find", "git", "ld-linux-x86-64.so.2"}) {
    INFO(token);
    CHECK_FALSE(general_door(token).empty());
  }
  CHECK(general_door("uname").empty());
  CHECK(general_door("ls").empty());
}

TEST_CASE("words that look like a report but name a script, a target or a mode are found") {
  check_carries({{"python3", "version"},
                 {"python3", "-v"},
                 {"node", "version"},
                 {"xargs", "version"},
                 {"strace", "version"},
                 {"make", "version"},
                 {"make", "-v"},
                 {"just", "version"},
                 {"ed", "-v"},
                 {"vim", "-v"},
                 {"tmux", "-v"},
                 {"npm", "version"},
                 {"npm", "version", "patch"},
                 {"yarn", "--version"},
                 {"cargo", "--version"},
                 {"go", "version"},
                 {"vagrant", "status"},
                 {"terraform", "show"},
                 {"pip", "list", "--python=x"},
                 {"systemctl", "status", "-H", "h"},
                 {"bundle", "list"}});
  check_carries_nothing({{"python3", "-V"},
                         {"java", "-version"},
                         {"make", "--version"},
                         {"systemctl", "status", "x", "--no-pager"}});
}

TEST_CASE("subcommands that are aliases, extensions or plugins are found") {
  check_carries({{"git", "lg"},
                 {"git", "foo", "--x"},
                 {"git", "--no-pager", "lg"},
                 {"kubectl", "foo"},
                 {"docker", "foo"}});
  CHECK(carried_code({"git", "-c", "a=b", "log"})->argument == 1);
  check_carries_nothing({{"git", "\xEF\xBF\xBD"}, {"git", "two words"}});
}

TEST_CASE("abbreviated expression options of sed do not hide a program") {
  check_carries({{"sed", "p", "--e", "w x"}, {"sed", "p", "--expr", "w x"}, {"sed", "p", "-e", "w x"}});
}

TEST_CASE("values of options are no options, and hide none") {
  check_carries({{"git", "grep", "-1Oid", "x"},
                 {"git", "--namespace", "log", "-c", "a=b", "diff"},
                 {"git", "--namespace", "--", "-c", "a=b", "log"},
                 {"git", "--attr-source", "HEAD", "-c", "a=b", "log"},
                 {"git", "--unknown", "log", "-c", "a=b", "diff"},
                 {"git", "log", "-S", "x", "--output", "y"},
                 {"git", "diff", "-SO", "--output=x"},
                 {"docker", "--log-level", "info", "-H", "tcp://x", "ps"},
                 {"docker", "-l", "ps", "run", "x"},
                 {"docker", "-lps", "run", "x"},
                 {"docker", "--tls", "-H", "tcp://x", "ps"},
                 {"kubectl", "-n", "get", "exec", "pod"},
                 {"kubectl", "-nget", "exec", "pod"},
                 {"kubectl", "--namespace", "version", "exec", "pod"},
                 {"kubectl", "--unknown", "get", "exec", "pod"},
                 {"curl", "-A", "--", "-o", "x", "http://h"},
                 {"curl", "-sA", "--", "-o", "x", "http://h"},
                 {"curl", "--unknown", "--", "-o", "x", "http://h"},
                 {"rsync", "--filter", "--", "-e", "id", "a", "b:c"},
                 {"rsync", "-f", "--", "-e", "id", "a", "b:c"},
                 {"sort", "-k", "--", "-o", "x"},
                 {"grep", "-e", "--", "-f", "x"},
                 {"tar", "xfI", "a.tar", "id"},
                 {"tar", "xHfI", "posix", "a.tar", "id"},
                 {"tar", "-cHI", "id"},
                 {"grep", "-C", "-f", "x"},
                 {"sort", "-rko", "-o", "x"},
                 {"openssl", "x509", "--in", "x"},
                 {"openssl", "dgst", "--engine", "x"},
                 {"jq", "-rf", "x"}});
  check_carries_nothing({{"curl", "-XPOST", "http://h"},
                         {"curl", "-XDELETE", "http://h"},
                         {"curl", "-4", "http://h"},
                         {"curl", "-HAccept:x/y", "http://h"},
                         {"curl", "-sATool/OK", "http://h"},
                         {"curl", "-A", "-o", "http://h"},
                         {"curl", "-dTOKEN", "http://h"},
                         {"curl", "--url", "http://h"},
                         {"curl", "--key-type", "PEM", "http://h"},
                         {"curl", "-4so", "/dev/null", "http://h"},
                         {"curl", "-so/dev/null", "http://h"},
                         {"curl", "--output=/dev/null", "http://h"},
                         {"git", "--no-pager", "--namespace", "x", "log"},
                         {"git", "grep", "-eO", "x"},
                         {"git", "grep", "-n", "-e", "--open", "x"},
                         {"git", "log", "-SO"},
                         {"git", "commit", "-mOops", "-q"},
                         {"git", "commit", "-m", "--edit"},
                         {"git", "commit", "-me", "-a"},
                         {"docker", "--debug", "ps"},
                         {"docker", "-l", "error", "ps"},
                         {"kubectl", "-n", "exec", "get", "pods"},
                         {"kubectl", "logs", "-f", "pod"},
                         {"kubectl", "get", "pods", "-o", "json"},
                         {"grep", "-ef", "x"},
                         {"grep", "-e", "-f", "x"},
                         {"sort", "-t", "o", "-k2"},
                         {"sort", "-to"},
                         {"rsync", "--filter", "-e", "a", "b"},
                         {"tar", "czf", "Out.tgz", "d"},
                         {"tar", "-xzfPIT.tgz"},
                         {"awk", "-vf=1", "{print f}"},
                         {"date", "-d", "-f"},
                         {"date", "-Is"}});
}

TEST_CASE("more words than are looked at are never harmless") {
  Argv argv = {"grep", "x"};
  argv.resize(8000, "file");
  CHECK_FALSE(carried_code(argv));
  argv.resize(9000, "file");
  CHECK(carried_code(argv));
  argv.front() = "cat";
  CHECK_FALSE(carried_code(argv));
  CHECK_FALSE(carried_code({"grep", "-" + std::string(200, 'n'), "x"}));
  CHECK(carried_code({"grep", "-" + std::string(300, 'n') + "f", "/etc/passwd"}));
}

TEST_CASE("looking for carried code costs what the text is long") {
  const auto seconds = [](const char* tool, const char* piece, std::size_t size) {
    std::string text;
    while (text.size() < size) text += piece;
    const Argv argv = {tool, text, "-" + text, "--" + text};
    const auto begin = std::chrono::steady_clock::now();
    static_cast<void>(carried_code(argv));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  for (const char* tool : {"sed", "awk", "curl", "git", "jq", "tar"}) {
    for (const char* piece :
         {"s/[/", "[[:", "s/a/b/;", "\\", "import", "]}]}", "sys", "-s", "e=", "/[^", "y/"}) {
      INFO(tool << " " << piece);
      // Eight times the text may cost more than eight times as much on a busy machine, but not 64 times.
      const double little = std::max(seconds(tool, piece, 8'000), 0.002);
      CHECK(seconds(tool, piece, 64'000) < little * 40);
    }
  }
}

TEST_CASE("sed programs are read as every sed would") {
  check_carries({{"sed", "s/[/]/g;s/e;#/x/"},
                 {"sed", "s/[/]/g;s/w f;#/x/"},
                 {"sed", "s/[^/]/g;s/e;#/x/"},
                 {"sed", "s/[]/]/g;s/e;#/x/"},
                 {"sed", "s/[[:alpha:]/]/g;s/e;#/x/"},
                 {"sed", "s/[\\]/]/x/e"},
                 {"sed", "s/\\\\[/]/g;s/e;#/x/"},
                 {"sed", "/[/]/e;#/p"},
                 {"sed", "/[/],/e id;#/d"},
                 {"sed", "-e", "s/[/]/g;s/e;#/x/"},
                 {"sed", "-n", "--", "1e id"},
                 {"sed", "s[a[b[e"},
                 {"sed", "s/a/b/;w f"},
                 {"sed", "s/a/b/gw f"},
                 {"sed", "s/a/b/ge"},
                 {"sed", "y/ab/cd/;e id"},
                 {"sed", "/x/Ie id"},
                 {"sed", "p;r f"},
                 {"sed", "s/a/b"},
                 {"sed", "--line-length", "5", "e id"},
                 {"sed", "-l5", "e id"},
                 {"sed", "--", "e id"}});
  check_carries_nothing({{"sed", "s/a/b/"},
                         {"sed", "s/[/]/x/"},
                         {"sed", "s/[^/]*$//"},
                         {"sed", "s/[[:space:]]*$//"},
                         {"sed", "s|[^|]*|x|g", "f"},
                         {"sed", "y/abc/xyz/"},
                         {"sed", "/x/Id"},
                         {"sed", "-n", "/a/, /b/p"},
                         {"sed", "-l", "5", "p"},
                         {"sed", "s/a/b/;s/c/d/g", "f"},
                         {"sed", "-E", "s/([0-9]+)/<\\1>/g"},
                         {"sed", "-e", "s/e/w/"}});
}

TEST_CASE("every documented way of git to run, write or read something else is found, with its twin") {
  check_carries({{"git", "worktree", "add", "../x"},
                 {"git", "worktree", "remove", "x"},
                 {"git", "apply", "--unsafe-paths", "x"},
                 {"git", "apply", "--unsafe", "x"},
                 {"git", "apply", "--build-fake-ancestor=x", "y"},
                 {"git", "merge", "-s", "evil", "x"},
                 {"git", "merge", "--strategy=evil", "x"},
                 {"git", "rebase", "-sevil", "x"},
                 {"git", "cherry-pick", "--strategy", "evil", "x"},
                 {"git", "pull", "--rebase=interactive"},
                 {"git", "grep", "-f", "/etc/passwd"},
                 {"git", "grep", "--no-index", "x", "/etc"},
                 {"git", "diff", "--no-index", "a", "b"},
                 {"git", "diff", "-Oorder"},
                 {"git", "add", "--pathspec-from-file=x"},
                 {"git", "clone", "--recursive", "x"},
                 {"git", "clone", "FD::3", "x"},
                 {"git", "fetch-pack", "--exec=id", "x"},
                 {"git", "send-pack", "--receive-pack=id", "x"},
                 {"git", "cat-file", "--textconv", "HEAD:x"},
                 {"git", "cat-file", "--filters", "HEAD:x"},
                 {"git", "checkout-index", "--prefix=/x/", "-a"},
                 {"git", "read-tree", "--index-output=x", "HEAD"},
                 {"git", "fast-export", "--export-marks=x"},
                 {"git", "bundle", "create", "x", "HEAD"},
                 {"git", "interpret-trailers", "--in-place", "x"},
                 {"git", "blame", "--contents", "/etc/passwd", "x"},
                 {"git", "ls-files", "-X", "/etc/passwd"},
                 {"git", "archive", "--add-file=/etc/passwd", "HEAD"},
                 {"git", "archive", "-o", "x", "HEAD"},
                 {"git", "bisect", "replay", "x"},
                 {"git", "bugreport"},
                 {"git", "replace", "--edit", "HEAD"},
                 {"git", "mailsplit", "-ox", "y"},
                 {"git", "subtree", "add"}});
  check_carries_nothing({{"git", "status", "--porcelain"},
                         {"git", "status", "--porcelain=v2", "--branch"},
                         {"git", "rev-parse", "--show-toplevel"},
                         {"git", "rev-parse", "--abbrev-ref", "HEAD"},
                         {"git", "fetch", "--all", "--prune"},
                         {"git", "checkout", "main"},
                         {"git", "checkout", "-b", "x"},
                         {"git", "checkout", "--", "x"},
                         {"git", "pull", "--ff-only"},
                         {"git", "pull", "--rebase"},
                         {"git", "pull", "-r", "origin", "main"},
                         {"git", "worktree", "list"},
                         {"git", "apply", "--check", "x"},
                         {"git", "merge", "-s", "ours", "x"},
                         {"git", "merge", "--strategy=ort", "--no-edit", "x"},
                         {"git", "cherry-pick", "-s", "x"},
                         {"git", "grep", "-n", "x"},
                         {"git", "diff", "--stat", "HEAD~1"},
                         {"git", "log", "--grep=x", "-n", "5"},
                         {"git", "cat-file", "-p", "HEAD"},
                         {"git", "ls-files", "--others", "--exclude-standard"},
                         {"git", "blame", "-L", "1,5", "x"},
                         {"git", "bundle", "verify", "x"},
                         {"git", "bisect", "good"},
                         {"git", "archive", "HEAD"},
                         {"git", "remote", "-v"},
                         {"git", "branch", "-D", "x"},
                         {"git", "tag", "-m", "x", "v1"}});
}

TEST_CASE("every documented way of the network tools is found, with its twin") {
  check_carries({{"curl", "-4o", "x", "http://h"},
                 {"curl", "-oX", "http://h"},
                 {"curl", "-fsSLOJ", "http://h"},
                 {"curl", "File:///etc/passwd"},
                 {"curl", "fIlE:/etc/passwd"},
                 {"curl", "{file,http}:///etc/passwd"},
                 {"curl", "{http://h,file:///etc/passwd}"},
                 {"curl", "[f-f]ile:///etc/passwd"},
                 {"curl", "f{i}le:///etc/passwd"},
                 {"curl", "fi[l-l]e:///etc/passwd"},
                 {"curl", "file{:}///etc/passwd"},
                 {"curl", "{fil}e{:}/etc/passwd"},
                 {"curl", "--proto-default", "file", "/etc/passwd"},
                 {"curl", "--url", "FILE:///etc/passwd"},
                 {"curl", "--url=file:///etc/passwd"},
                 {"curl", "--data-urlencode", "name@/etc/passwd", "h"},
                 {"curl", "--data-urlencode", "@/etc/passwd", "h"},
                 {"curl", "--data-ascii", "@/etc/passwd", "h"},
                 {"curl", "--json", "@x", "h"},
                 {"curl", "-H", "@x", "h"},
                 {"curl", "-H@x", "h"},
                 {"curl", "--proxy-header", "@x", "h"},
                 {"curl", "-w", "@x", "h"},
                 {"curl", "-b", "/etc/passwd", "h"},
                 {"curl", "-n", "h"},
                 {"curl", "--netrc", "h"},
                 {"curl", "--etag-compare", "x", "h"},
                 {"curl", "--remote-header-name", "h"},
                 {"curl", "--outp", "x", "h"},
                 {"wget", "-qO-", "h"},
                 {"rsync", "--read-batch=x", "a"},
                 {"rsync", "-M--log-file=x", "a", "h:b"},
                 {"rsync", "--backup-dir=/x", "a", "b"},
                 {"rsync", "--remove-source-files", "a", "b"},
                 {"rsync", "--filter=merge /etc/passwd", "a", "b"},
                 {"rsync", "--filter=. /etc/passwd", "a", "b"},
                 {"scp", "-oProxyCommand=id", "a", "h:b"},
                 {"openssl", "enc", "-in", "x"},
                 {"openssl", "req", "-config", "x"},
                 {"openssl", "enc", "-pass", "file:/etc/passwd"},
                 {"openssl", "s_time", "-connect", "h"},
                 {"openssl", "s_client", "-keylogfile", "x"}});
  check_carries_nothing({{"curl", "http://h/{a,b}"},
                         {"curl", "h{1,2}/x"},
                         {"curl", "-d", "{\"file:\":1}", "h"},
                         {"curl", "http://[::1]:8080/x"},
                         {"curl", "http://h/file:x"},
                         {"curl", "--data-urlencode", "q=me@h", "h"},
                         {"curl", "--json", "{}", "h"},
                         {"curl", "-b", "a=b", "h"},
                         {"curl", "-w", "%{http_code}", "h"},
                         {"curl", "-fsSL", "--retry", "3", "--max-time", "10", "h"},
                         {"rsync", "-av", "--delete", "a", "b"},
                         {"rsync", "-f", "- *.o", "a", "b"},
                         {"openssl", "rand", "-hex", "16"},
                         {"openssl", "dgst", "-sha256", "x"},
                         {"openssl", "version"}});
}

TEST_CASE("every documented way of the file tools is found, with its twin") {
  check_carries({{"mawk", "-W", "exec", "f"},
                 {"mawk", "-Wexec", "f"},
                 {"gawk", "-W", "exec=f"},
                 {"gawk", "-if", "x"},
                 {"gawk", "-Ef"},
                 {"gawk", "-o/x", "1"},
                 {"awk", "BEGIN{ARGV[1]=\"/etc/shadow\";ARGC=2}{print}"},
                 {"tar", "-cf", "h:x", "d"},
                 {"tar", "cf", "h:x", "d"},
                 {"tar", "--file=h:x", "-c", "d"},
                 {"tar", "xf", "x", "-P"},
                 {"tar", "-g", "x", "-cf", "y", "d"},
                 {"tar", "-cXf", "/etc/passwd", "x", "d"},
                 {"tar", "--remove-files", "-cf", "x", "d"},
                 {"zip", "-rlf", "x", "a.zip", "b"},
                 {"zip", "-lf", "x", "a.zip", "b"},
                 {"zip", "-rO", "x", "a.zip"},
                 {"zip", "-rm", "a.zip", "b"},
                 {"zip", "-@", "a.zip"},
                 {"unzip", "-d", "/x", "a.zip"},
                 {"unzip", "-od/x", "a.zip"},
                 {"unzip", "-:", "a.zip"},
                 {"grep", "-rf", "/etc/passwd", "x"},
                 {"grep", "--exclude-from=/etc/passwd", "x"},
                 {"jq", "-n", "import \"x\" as $d; $d"},
                 {"jq", "-Lx", "."},
                 {"jq", "--run-tests", "x"},
                 {"find", ".", "-files0-from", "x"},
                 {"fd", "--base-directory", "/x", "y"},
                 {"ffmpeg", "-i", "x", "y"},
                 {"ffprobe", "-f", "lavfi", "movie=/x"},
                 {"ffprobe", "concat:/etc/passwd"},
                 {"journalctl", "--file=/x"},
                 {"journalctl", "-D", "/x"},
                 {"journalctl", "--root=/x"},
                 {"journalctl", "--vacuum-time=1s"},
                 {"journalctl", "--cursor-file=x"},
                 {"journalctl", "--rotate"},
                 {"kubectl", "get", "-f", "x"},
                 {"kubectl", "get", "pods", "-ogo-template-file=x"},
                 {"kubectl", "get", "pods", "--server=http://h"},
                 {"kubectl", "get", "-k", "x"},
                 {"kubectl", "cluster-info", "dump", "--output-directory=x"},
                 {"kubectl", "diff", "-f", "x"},
                 {"docker", "secret", "create", "a", "/etc/passwd"},
                 {"docker", "config", "create", "a", "/etc/passwd"}});
  check_carries_nothing({{"mawk", "-F:", "{print $1}", "x"},
                         {"awk", "-F", "W", "{print $1}"},
                         {"tar", "-tf", "x.tar"},
                         {"tar", "xzf", "x.tgz", "-C", "d"},
                         {"zip", "-r", "a.zip", "d"},
                         {"zip", "-9q", "a.zip", "d"},
                         {"unzip", "-l", "a.zip"},
                         {"unzip", "-o", "a.zip"},
                         {"unzip", "-p", "a.zip", "x"},
                         {"grep", "-rn", "--include=*.cc", "x"},
                         {"grep", "--files-with-matches", "x", "y"},
                         {"jq", "-r", ".a.b", "x"},
                         {"jq", "--arg", "a", "b", ".x == $a"},
                         {"jq", ".includes", "x"},
                         {"find", ".", "-type", "f", "-mtime", "-1"},
                         {"ffmpeg", "-version"},
                         {"ffprobe", "-i", "x.mp4"},
                         {"journalctl", "-u", "nginx", "-n", "50", "--no-pager"},
                         {"journalctl", "-fu", "nginx", "--since", "today"},
                         {"journalctl", "-o", "json", "-b"},
                         {"systemctl", "is-active", "x"},
                         {"kubectl", "describe", "pod", "x"},
                         {"docker", "images"},
                         {"docker", "inspect", "x"},
                         {"docker", "version", "--format", "x"}});
}

// ---- the table itself: what a reviewer would look for by eye

namespace {

using Items = std::vector<std::string>;

Items items_of(std::string_view text, char at) {
  Items out;
  for (const std::string& item : hostclaw::split(std::string(text), at)) {
    if (!item.empty()) out.push_back(item);
  }
  return out;
}

struct Line {
  std::string verb;
  Items scope;
  Items items;
};

std::vector<Line> lines_of(const CarryTool& tool) {
  std::vector<Line> out;
  for (const std::string& text : items_of(tool.rows, '\n')) {
    Line line;
    line.items = items_of(text, ' ');
    const std::string head = line.items.front();
    line.items.erase(line.items.begin());
    const std::size_t at = head.find('@');
    line.verb = head.substr(0, at);
    if (at != std::string::npos) line.scope = items_of(head.substr(at + 1), ',');
    out.push_back(line);
  }
  return out;
}

bool is_in(const Items& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

const Items kData = {"takes", "flags", "own", "alone", "reports"};

// The options that take a value, with the scope in which they do.
std::set<std::string> takes_of(const CarryTool& tool, const std::string& scope) {
  std::set<std::string> out;
  for (const Line& line : lines_of(tool)) {
    if (line.verb != "takes" || !(line.scope.empty() || is_in(line.scope, scope))) continue;
    for (std::string item : line.items) {
      if (item.ends_with('?')) item.pop_back();
      out.insert(item);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("programs that start their words are found, what they say of themselves is not") {
  for (const char* program :
       {"chronic", "ifne",      "lckdo",     "systemd-inhibit", "systemd-cat",   "sg",
        "newgrp",  "tini",      "dumb-init", "catatonit",       "flatpak-spawn", "host-spawn",
        "su-exec", "setuidgid", "envdir",    "softlimit",       "setlock",       "fakechroot",
        "aa-exec", "minijail0", "run-one",   "schedtool",       "uclampset",     "valgrind",
        "ltrace",  "winpty",    "mpirun",    "x86_64",          "gtime"})
    check_carries({{program, "ls"}, {program, "-x", "--", "ls"}});
  check_carries({{"capsh", "--", "-c", "id"},
                 {"capsh", "--shell=/bin/id", "=="},
                 {"ip", "netns", "exec", "blue", "id"},
                 {"ip", "net", "e", "blue", "id"},
                 {"ip", "-n", "blue", "netns", "exec", "blue", "id"},
                 {"ip", "vrf", "exec", "red", "id"},
                 {"ip", "-batch", "cmds"},
                 {"ip", "-b", "-"},
                 {"flatpak", "run", "org.x"},
                 {"snap", "run", "x"}});
  check_carries_nothing({{"capsh", "--print"},
                         {"ip", "addr", "show"},
                         {"ip", "-br", "link"},
                         {"ip", "route", "get", "1.1.1.1"},
                         {"ip", "netns", "list"},
                         {"chronic", "--version"}});
}

TEST_CASE(
    "every documented way of these tools to run, write or read something else is found, with its twin") {
  check_carries({{"fzf", "--preview", "id"},
                 {"fzf", "--preview=id"},
                 {"fzf", "--bind", "enter:become(id)"},
                 {"fzf", "--bind=enter:execute(id)"},
                 {"fzf", "--history=/tmp/x"},
                 {"fzf", "--listen"},
                 {"mpv", "--script=x.lua", "a.mp3"},
                 {"mpv", "-script", "x.lua", "a.mp3"},
                 {"mpv", "--include=x", "a.mp3"},
                 {"mpv", "--input-ipc-server=/tmp/s", "a.mp3"},
                 {"mpv", "--o=out.mkv", "a.mp3"},
                 {"mpv", "https://example.org/v"},
                 {"hg", "--config", "alias.x=!id", "x"},
                 {"hg", "--config=ui.ssh=id", "pull"},
                 {"hg", "-R", "/tmp/x", "status"},
                 {"hg", "clone", "-e", "id", "ssh://x"},
                 {"hg", "pull", "--remotecmd=id"},
                 {"hg", "merge", "--tool", "id"},
                 {"hg", "bisect", "-c", "id"},
                 {"hg", "extdiff", "-p", "id"},
                 {"hg", "whatever"},
                 {"hg", "export", "-o", "x", "tip"},
                 {"svn", "diff", "--diff-cmd", "id"},
                 {"svn", "diff", "--diff-cmd=id"},
                 {"svn", "update", "--diff3-cmd=id"},
                 {"svn", "commit", "--editor-cmd=id"},
                 {"svn", "ls", "--config-option=config:tunnels:x=id"},
                 {"svn", "commit", "-F", "/etc/passwd"},
                 {"svn", "export", "url"},
                 {"rclone", "ls", "--password-command", "id", "r:"},
                 {"rclone", "lsf", ":sftp,ssh=id,host=x:"},
                 {"rclone", "--config=x", "ls", "r:"},
                 {"rclone", "copy", "a", "r:"},
                 {"rclone", "serve", "http", "/"},
                 {"rclone", "purge", "r:x"},
                 {"rclone", "ls", "--log-file=x", "r:"},
                 {"diff3", "--diff-program=id", "a", "b", "c"},
                 {"diff3", "--diff-prog", "id", "a", "b", "c"},
                 {"gpg", "--photo-viewer", "id", "--list-keys"},
                 {"gpg", "--list-options", "show-photos", "--list-keys"},
                 {"gpg", "--options=x", "--list-keys"},
                 {"gpg", "--homedir", "/tmp/x", "-k"},
                 {"gpg", "-o", "x", "-d", "y"},
                 {"gpg", "-oX", "-d", "y"},
                 {"gpg2", "--agent-program=id", "-d", "y"},
                 {"lftp", "-e", "!id"},
                 {"lftp", "-c", "open x"},
                 {"gh", "browse"},
                 {"gh", "my-alias"},
                 {"gh", "repo", "clone", "o/r", "--", "-u", "id"},
                 {"gh", "api", "x", "-F", "a=@/etc/passwd"},
                 {"gh", "pr", "create", "-F", "/etc/passwd"},
                 {"gh", "gist", "create", "/etc/passwd"},
                 {"gh", "release", "download", "v1"},
                 {"xsltproc", "-o", "x", "a.xsl", "b.xml"},
                 {"xsltproc", "a.xsl", "b.xml"}});
  check_carries_nothing({{"fzf", "-f", "x"},
                         {"fzf", "--filter", "--preview"},
                         {"mpv", "a.mp3"},
                         {"mpv", "--volume=50", "a.mp3"},
                         {"hg", "status"},
                         {"hg", "log", "-l", "3"},
                         {"hg", "diff"},
                         {"hg", "commit", "-m", "text"},
                         {"svn", "status"},
                         {"svn", "log", "-l", "3"},
                         {"svn", "diff", "-r", "1:2"},
                         {"svn", "commit", "-m", "text"},
                         {"rclone", "ls", "r:x"},
                         {"rclone", "lsf", "r:"},
                         {"rclone", "version"},
                         {"diff3", "a", "b", "c"},
                         {"gpg", "--list-keys"},
                         {"gpg", "--verify", "x.sig", "x"},
                         {"gpg", "-u", "me", "--clearsign", "x"},
                         {"lftp", "--version"},
                         {"gh", "pr", "list"},
                         {"gh", "pr", "view", "3"},
                         {"gh", "issue", "list", "-R", "o/r"},
                         {"gh", "api", "repos/o/r"},
                         {"xsltproc", "--version"}});
}

TEST_CASE("what swallows what is written to it is another file on Windows") {
  for (const char* option : {"-o", "--output"}) {
    CHECK_FALSE(carried_code({"curl", option, "/dev/null", "https://x"}, Platform::kPosix));
    CHECK(carried_code({"curl", option, "NUL", "https://x"}, Platform::kPosix));
    CHECK_FALSE(carried_code({"curl", option, "NUL", "https://x"}, Platform::kWindows));
    CHECK_FALSE(carried_code({"curl", option, "nul", "https://x"}, Platform::kWindows));
    CHECK(carried_code({"curl", option, "/dev/null", "https://x"}, Platform::kWindows));
    CHECK(carried_code({"curl", option, "NUL.txt.exe", "https://x"}, Platform::kWindows));
  }
}

TEST_CASE("carried code: every program stands in the table once") {
  std::map<std::string, int> seen;
  for (const CarryTool& tool : carry_tools()) {
    for (const std::string& name : items_of(tool.names, ' ')) {
      INFO(name);
      CHECK(++seen[name] == 1);
      CHECK(name == hostclaw::to_lower_ascii(name));
    }
  }
  CHECK(seen.size() > 300);
}

TEST_CASE("carried code: every line has a verb that is known and something behind it") {
  std::set<std::string> used;
  for (const CarryTool& tool : carry_tools()) {
    bool says_something = false;
    for (const Line& line : lines_of(tool)) {
      INFO(tool.names << ": " << line.verb);
      CHECK_FALSE(line.items.empty());
      const auto reasons = carry_reasons();
      const bool reason = std::any_of(reasons.begin(), reasons.end(),
                                      [&](const CarryReason& known) { return known.verb == line.verb; });
      CHECK(reason != is_in(kData, line.verb));
      says_something = says_something || reason;
      if (reason) used.insert(line.verb);
    }
    CHECK(says_something);
  }
  for (const CarryReason& reason : carry_reasons()) {
    INFO(reason.verb);
    CHECK(used.count(std::string(reason.verb)) == 1);
    CHECK_FALSE(reason.why.ends_with('.'));
  }
}

TEST_CASE("carried code: a scope is a subcommand of the tool") {
  for (const CarryTool& tool : carry_tools()) {
    Items own;
    for (const Line& line : lines_of(tool)) {
      if (line.verb == "own") own.insert(own.end(), line.items.begin(), line.items.end());
    }
    std::set<std::string> once(own.begin(), own.end());
    CHECK(once.size() == own.size());
    for (const Line& line : lines_of(tool)) {
      if (line.verb == "own" || line.verb == "alone" || line.verb == "reports") CHECK(line.scope.empty());
      if (own.empty() || line.verb != "takes") continue;
      for (const std::string& scope : line.scope) {
        INFO(tool.names << ": " << scope);
        CHECK((scope == "-" || is_in(own, scope)));
      }
    }
  }
}

TEST_CASE("carried code: what takes a value is an option, and no flag as well") {
  for (const CarryTool& tool : carry_tools()) {
    Items flags;
    std::set<std::string> seen;
    for (const Line& line : lines_of(tool)) {
      if (line.verb == "flags") flags.insert(flags.end(), line.items.begin(), line.items.end());
      if (line.verb != "takes") continue;
      for (const std::string& item : line.items) {
        for (const std::string& scope : line.scope.empty() ? Items{""} : line.scope) {
          INFO(tool.names << ": " << item << " in " << scope);
          CHECK(item.starts_with('-'));
          CHECK(seen.insert(scope + " " + item).second);
        }
      }
    }
    for (const std::string& flag : flags) {
      INFO(tool.names << ": " << flag);
      CHECK(flag.starts_with('-'));
      CHECK(seen.count(" " + flag) + seen.count("- " + flag) == 0);
    }
  }
}

TEST_CASE("carried code: a pattern stands once, and one about a value is of an option that takes one") {
  for (const CarryTool& tool : carry_tools()) {
    std::set<std::string> seen;
    for (const Line& line : lines_of(tool)) {
      if (is_in(kData, line.verb)) continue;
      for (const std::string& scope : line.scope.empty() ? Items{""} : line.scope) {
        const std::set<std::string> takes = takes_of(tool, scope);
        for (const std::string& item : line.items) {
          INFO(tool.names << ": " << item << " in " << scope);
          CHECK(seen.insert(scope + " " + item).second);
          const std::size_t test = item.find_first_of("=!", 1);
          if (!item.starts_with('-') || test == std::string::npos) continue;
          const std::string option = item.substr(0, test);
          CHECK(takes.count(option) == 1);
          CHECK(test + 1 < item.size());
        }
      }
    }
  }
}
