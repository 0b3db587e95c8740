#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/analysis/carried_code.h"

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
