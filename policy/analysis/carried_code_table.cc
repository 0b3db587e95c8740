// How to extend: find the tool's entry (or add one), add a rule with the narrowest kind that is sure to catch
// the form, say in `why` what it opens, and add a row and an allow twin to
// tests/unit/policy/analysis_carried_code_test.cc. Sources: the tools' own manuals. A rule that catches too
// much asks a human; one that catches too little lets code run.
#include "policy/analysis/carried_code_table.h"

namespace hostclaw::policy {
namespace {

CarryRule always(std::string_view why, std::string_view within = {}) {
  return {CarryRule::Kind::kAlways, {}, why, within};
}
CarryRule option(std::string_view text, std::string_view why, std::string_view within = {}) {
  return {CarryRule::Kind::kLong, text, why, within};
}
CarryRule letter(std::string_view text, std::string_view why, std::string_view within = {}) {
  return {CarryRule::Kind::kShort, text, why, within};
}
CarryRule word(std::string_view text, std::string_view why, std::string_view within = {}) {
  return {CarryRule::Kind::kWord, text, why, within};
}
CarryRule prefix(std::string_view text, std::string_view why, std::string_view within = {}) {
  return {CarryRule::Kind::kPrefix, text, why, within};
}
CarryRule containing(std::string_view text, std::string_view why, std::string_view within = {}) {
  return {CarryRule::Kind::kContains, text, why, within};
}
CarryRule operand(std::string_view why, std::string_view within = {}) {
  return {CarryRule::Kind::kOperand, {}, why, within};
}
CarryRule no_argument(std::string_view why) { return {CarryRule::Kind::kNoArgument, {}, why, {}}; }

// Cuts a list at its blanks.
std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    const std::size_t blank = text.find(' ');
    if (blank != 0) result.push_back(text.substr(0, blank));
    text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
  }
  return result;
}

constexpr std::string_view kRuns = "runs another program";
constexpr std::string_view kInline = "runs the program text or script it is given";
constexpr std::string_view kReadsCode = "loads code from a file";
constexpr std::string_view kConfigures = "takes configuration that can run other programs";
constexpr std::string_view kWrites = "writes a file of the caller's choice";
constexpr std::string_view kReads = "reads a file of the caller's choice as data";
constexpr std::string_view kOpensPager = "opens a pager, editor or viewer that can run programs";
constexpr std::string_view kOtherDirectory =
    "works in another directory, whose configuration can run programs";
constexpr std::string_view kInstalls = "installs or builds code and runs it";
constexpr std::string_view kHost = "reaches into a container, machine or host";
constexpr std::string_view kCompose =
    "compose starts, changes or enters containers as the files of the directory say, beyond its reports (ps, "
    "logs, "
    "config, images, ls, version)";

// No tool of the groups that use this runs anything, or reads a program, when one of these is its only
// argument. Bare words
// (`version`) and single letters are script names, targets or modes of some of them and have no place here.
const std::vector<std::string_view> kVersionOnly = {"--version", "--help"};

const std::vector<std::string_view> kServiceReports =
    words("status is-active is-enabled is-failed list-units list-timers list-unit-files show");

void add_git(std::vector<CarryTool>& tools) {
  CarryTool git{{"git"}, {}, words("--version --help -h -v version")};
  git.rules = {
      letter("c", kConfigures, "-"),
      option("--config-env", kConfigures, "-"),
      option("--exec-path", kRuns, "-"),
      letter("C", kOtherDirectory, "-"),
      option("--git-dir", kOtherDirectory, "-"),
      option("--work-tree", kOtherDirectory, "-"),
      option("--super-prefix", kOtherDirectory, "-"),
      letter("p", kOpensPager, "-"),
      option("--paginate", kOpensPager, "-"),
      word("--help", kOpensPager),
      option("--upload-pack", kRuns),
      option("--receive-pack", kRuns),
      option("--ext-diff", kRuns),
      option("--textconv", kRuns),
      option("--open-files-in-pager", kRuns),
      option("--extcmd", kRuns),
      option("--template", kReadsCode, "init"),
      option("--template", kReadsCode, "clone"),
      option("--separate-git-dir", kWrites),
      prefix("ext::", kRuns),
      prefix("fd::", kRuns),
      letter("O", kRuns, "grep"),
      letter("u", kRuns, "clone"),
      letter("c", kConfigures, "clone"),
      option("--config", kConfigures, "clone"),
      option("--recurse-submodules", kRuns, "clone"),
      option("--exec", kRuns),
      option("--remote", kRuns, "archive"),
      option("--output", kWrites),
      letter("o", kWrites, "archive"),
      letter("o", kWrites, "format-patch"),
      option("--output-directory", kWrites),
      letter("x", kRuns, "rebase"),
      letter("i", kOpensPager, "rebase"),
      option("--interactive", kOpensPager, "rebase"),
      option("--edit-todo", kOpensPager, "rebase"),
      letter("e", kOpensPager, "commit"),
      option("--edit", kOpensPager, "commit"),
      letter("e", kOpensPager, "merge"),
      option("--edit", kOpensPager, "merge"),
      letter("e", kOpensPager, "tag"),
      option("--edit", kOpensPager, "tag"),
      letter("e", kOpensPager, "revert"),
      letter("e", kOpensPager, "cherry-pick"),
      letter("e", kOpensPager, "add"),
      option("--edit", kOpensPager, "add"),
      option("--edit-description", kOpensPager, "branch"),
      word("run", kRuns, "bisect"),
      word("visualize", kRuns, "bisect"),
      word("view", kRuns, "bisect"),
      word("foreach", kRuns, "submodule"),
      word("update", kRuns, "submodule"),
      word("add", kRuns, "submodule"),
      word("start", kRuns, "maintenance"),
      word("edit", kOpensPager, "notes"),
  };
  for (const std::string_view subcommand :
       words("filter-branch difftool mergetool instaweb cvsimport cvsexportcommit cvsserver svn p4 "
             "send-email imap-send gui citool gitk help web--browse daemon shell hook for-each-repo "
             "filter-repo fast-import credential remote-ext remote-fd upload-pack receive-pack "
             "upload-archive http-backend archimport quiltimport config var sh-setup merge-index "
             "merge-one-file lfs annex flow submodule--helper rebase--interactive fsmonitor--daemon "
             "scalar")) {
    git.rules.push_back(always(kRuns, subcommand));
  }
  // Commands that cannot be shadowed by an alias. Helpers of other commands are left out: nobody calls them
  // by hand.
  git.own_subcommands = words(
      "add am annotate apply archive bisect blame branch bugreport bundle cat-file check-attr check-ignore "
      "check-mailmap "
      "check-ref-format checkout checkout-index cherry cherry-pick clean clone column commit commit-graph "
      "commit-tree config "
      "count-objects describe diagnose diff diff-files diff-index diff-tree fast-export fetch fetch-pack "
      "fmt-merge-msg "
      "for-each-ref format-patch fsck gc get-tar-commit-id grep hash-object init interpret-trailers log "
      "ls-files ls-remote "
      "ls-tree mailinfo mailsplit maintenance merge merge-base merge-file merge-tree mktag mktree "
      "multi-pack-index mv name-rev "
      "notes pack-objects pack-refs patch-id prune prune-packed pull push range-diff read-tree rebase reflog "
      "remote repack "
      "replace request-pull rerere reset restore rev-list rev-parse revert rm send-pack shortlog show "
      "show-branch show-index "
      "show-ref sparse-checkout stage stash status stripspace submodule switch symbolic-ref tag unpack-file "
      "unpack-objects "
      "update-index update-ref update-server-info verify-commit verify-pack verify-tag version whatchanged "
      "worktree write-tree "
      // Always asked about, with a reason of their own.
      "filter-branch difftool mergetool instaweb help daemon shell");
  tools.push_back(std::move(git));
}

void add_files(std::vector<CarryTool>& tools) {
  CarryTool find{{"find", "gfind"}, {}, {}, false};
  for (const std::string_view action : words("-exec -execdir -ok -okdir"))
    find.rules.push_back(word(action, kRuns));
  for (const std::string_view action : words("-fprint -fprint0 -fprintf -fls"))
    find.rules.push_back(word(action, kWrites));
  find.rules.push_back(word("-delete", "deletes what it finds"));
  find.rules.push_back(prefix("-files0-from", kReads));
  tools.push_back(std::move(find));

  tools.push_back(
      {{"fd", "fdfind"},
       {letter("x", kRuns), letter("X", kRuns), option("--exec", kRuns), option("--exec-batch", kRuns)},
       {}});
  tools.push_back(
      {{"tar", "gtar", "bsdtar"},
       {option("--checkpoint-action", kRuns), option("--to-command", kRuns), option("--rsh-command", kRuns),
        option("--use-compress-program", kRuns), option("--info-script", kRuns),
        option("--new-volume-script", kRuns), option("--rmt-command", kRuns), option("--files-from", kReads),
        option("--absolute-names", kWrites), letter("I", kRuns), letter("F", kRuns), letter("P", kWrites),
        letter("T", kReads)},
       {"--version", "--help"},
       false});
  tools.push_back({{"cpio"},
                   {option("--rsh-command", kRuns), option("--to-stdout", kReads), letter("i", kWrites),
                    letter("p", kWrites), option("--extract", kWrites), option("--pass-through", kWrites),
                    letter("O", kWrites), letter("F", kReads)},
                   {}});
  tools.push_back(
      {{"zip"}, {letter("T", kRuns), option("--test", kRuns), option("--unzip-command", kRuns)}, {}, false});
  tools.push_back({words("7z 7za 7zr rar unrar"), {prefix("@", kReads), prefix("-o", kWrites)}, {}});
  tools.push_back(
      {{"rsync"},
       {letter("e", kRuns), option("--rsh", kRuns), option("--rsync-path", kRuns), option("--daemon", kRuns),
        option("--config", kConfigures), option("--early-input", kReads), option("--password-file", kReads),
        option("--files-from", kReads), option("--write-batch", kWrites), option("--log-file", kWrites)},
       {}});
  tools.push_back({{"sort", "gsort"},
                   {option("--compress-program", kRuns), option("--output", kWrites),
                    option("--files0-from", kReads), option("--random-source", kReads),
                    option("--temporary-directory", kWrites), letter("o", kWrites), letter("T", kWrites)},
                   {},
                   false});
  tools.push_back({{"split", "gsplit", "csplit"},
                   {option("--filter", kRuns), operand(kWrites)},
                   {"--version", "--help"}});
  tools.push_back({{"tee", "sponge"}, {operand(kWrites)}, {"--version", "--help"}});
  tools.push_back({words("cp mv install ln dd truncate shred rename patch mknod"),
                   {operand("can replace any file, listed programs included")},
                   {"--version", "--help"}});
  tools.push_back({words("chmod chown chgrp chattr setfacl setcap"),
                   {option("--reference", kReads), operand("changes who may run or write a file")},
                   {"--version", "--help"}});
  tools.push_back({{"date"},
                   {prefix("-f", kReads), option("--file", kReads), prefix("-s", "sets the clock"),
                    option("--set", "sets the clock")},
                   {}});
  tools.push_back({{"wc", "du"}, {option("--files0-from", kReads)}, {}});
  tools.push_back({{"uniq"}, {option("--group", "may take the next argument for a file it overwrites")}, {}});
  tools.push_back(
      {{"shuf"}, {letter("o", kWrites), option("--output", kWrites), option("--random-source", kReads)}, {}});
  tools.push_back({words("grep egrep fgrep ggrep"), {letter("f", kReads), option("--file", kReads)}, {}});
  tools.push_back({{"rg", "ripgrep"},
                   {option("--pre", kRuns), option("--search-zip", kRuns), letter("z", kRuns),
                    option("--hostname-bin", kRuns), option("--ignore-file", kReads), letter("f", kReads),
                    option("--file", kReads)},
                   {}});
  tools.push_back(
      {{"ag", "ack"}, {option("--pager", kRuns), option("--ackrc", kConfigures), letter("z", kRuns)}, {}});
  tools.push_back({{"bat", "batcat"},
                   {option("--pager", kRuns), option("--config-file", kConfigures),
                    option("--paging", kOpensPager), word("cache", kReadsCode)},
                   {}});
  tools.push_back({words("less more most pg"), {always(kOpensPager)}, kVersionOnly});
  tools.push_back({{"tree"}, {letter("o", kWrites)}, {}});
  tools.push_back({{"xxd"}, {letter("r", kWrites)}, {}});
  tools.push_back(
      {{"diff"}, {letter("l", kRuns), option("--paginate", kRuns), option("--from-file", kReads)}, {}});
  tools.push_back({{"vimdiff", "gvimdiff", "sdiff"}, {always(kOpensPager)}, kVersionOnly});
  tools.push_back(
      {words("gzip gunzip bzip2 xz zstd lz4"), {option("--files", kReads), letter("o", kWrites)}, {}});
  tools.push_back(
      {{"exiftool"},
       {prefix("-config", kReadsCode), prefix("-if", kInline), word("-@", kReads), prefix("-p", kInline)},
       {}});
  tools.push_back({{"jq"},
                   {option("--from-file", kReads), option("--rawfile", kReads), option("--slurpfile", kReads),
                    option("--argfile", kReads), letter("f", kReads), letter("L", kReadsCode),
                    containing("env", "reads the environment"), containing("$ENV", "reads the environment"),
                    containing("input_filename", kReads)},
                   {}});
  tools.push_back({{"yq"},
                   {letter("i", kWrites), option("--in-place", kWrites), option("--inplace", kWrites),
                    containing("load", kReads), containing("env", "reads the environment")},
                   {}});
}

void add_network(std::vector<CarryTool>& tools) {
  tools.push_back({{"curl"},
                   {letter("o", kWrites),
                    letter("O", kWrites),
                    letter("K", kConfigures),
                    letter("J", kWrites),
                    letter("T", kReads),
                    letter("F", kReads),
                    letter("D", kWrites),
                    letter("c", kWrites),
                    option("--output", kWrites),
                    option("--output-dir", kWrites),
                    option("--remote-name", kWrites),
                    option("--remote-name-all", kWrites),
                    option("--config", kConfigures),
                    option("--upload-file", kReads),
                    option("--form", kReads),
                    option("--dump-header", kWrites),
                    option("--cookie-jar", kWrites),
                    option("--engine", kReadsCode),
                    option("--trace", kWrites),
                    option("--trace-ascii", kWrites),
                    option("--stderr", kWrites),
                    option("--libcurl", kWrites),
                    containing("%output{", kWrites),
                    prefix("--expand-", kConfigures),
                    option("--variable", kReads),
                    option("--ssl-sessions", kWrites),
                    option("--etag-save", kWrites),
                    option("--hsts", kWrites),
                    option("--alt-svc", kWrites),
                    option("--netrc-file", kReads),
                    option("--unix-socket", kHost),
                    option("--abstract-unix-socket", kHost),
                    option("--create-dirs", kWrites),
                    prefix("file:", kReads),
                    prefix("FILE:", kReads),
                    prefix("@", kReads),
                    prefix("-d@", kReads),
                    containing("=@", kReads),
                    option("--url-query", kReads),
                    option("--cert", kReads),
                    option("--key", kReads),
                    letter("E", kReads)},
                   {}});
  tools.push_back(
      {{"wget", "wget2"},
       {letter("O", kWrites), letter("o", kWrites), letter("a", kWrites), letter("i", kReads),
        letter("e", kConfigures), letter("P", kWrites), option("--output-document", kWrites),
        option("--output-file", kWrites), option("--append-output", kWrites), option("--input-file", kReads),
        option("--execute", kConfigures), option("--config", kConfigures), option("--use-askpass", kRuns),
        option("--post-file", kReads), option("--body-file", kReads), option("--directory-prefix", kWrites),
        option("--save-cookies", kWrites), option("--warc-file", kWrites), operand(kWrites)},
       {"--version", "--help"}});
  tools.push_back({words("aria2c axel httrack lynx links elinks w3m"), {always(kWrites)}, kVersionOnly});
  tools.push_back({words("http https httpie xh"),
                   {letter("o", kWrites), option("--output", kWrites), letter("d", kWrites),
                    option("--download", kWrites), containing("@", kReads)},
                   {}});
  tools.push_back({words("ssh autossh mosh sshpass slogin"),
                   {always("runs commands on another machine, or with its options here")},
                   {"-V", "--version"}});
  tools.push_back({{"scp", "sftp"},
                   {letter("S", kRuns), letter("o", kConfigures), letter("F", kConfigures),
                    letter("D", kRuns), letter("J", kRuns), letter("b", kReads), operand(kWrites)},
                   {}});
  tools.push_back({words("ssh-keygen ssh-add ssh-agent ssh-keyscan"),
                   {always("loads key providers or runs another program")},
                   {}});
  tools.push_back({words("nc ncat netcat socat telnet openvpn tftp ftp rlwrap chisel cloudflared ngrok"),
                   {always("connects to others and can run programs")},
                   kVersionOnly});
  tools.push_back(
      {{"nmap"},
       {option("--script", kReadsCode), option("--script-args", kReadsCode), option("--interactive", kRuns),
        option("--datadir", kReadsCode), option("--servicedb", kReads), word("-iL", kReads),
        prefix("-iL", kReads), prefix("-o", kWrites), word("-sC", kReadsCode), word("-A", kReadsCode),
        option("--resume", kReads)},
       {}});
  tools.push_back({{"tcpdump"},
                   {letter("z", kRuns), letter("w", kWrites), letter("F", kReads), letter("V", kReads),
                    letter("r", kReads)},
                   {"--version"}});
  tools.push_back({{"tshark", "dumpcap", "wireshark"},
                   {letter("X", kReadsCode), letter("w", kWrites), letter("r", kReads)},
                   {}});
  tools.push_back(
      {{"openssl"},
       {word("engine", kReadsCode), option("-engine", kReadsCode), word("-engine", kReadsCode),
        word("-provider", kReadsCode), word("-provider-path", kReadsCode), word("-config", kConfigures),
        word("-out", kWrites), word("-writerand", kWrites), word("-keyout", kWrites), word("-in", kReads),
        word("s_client", "connects to others"), word("s_server", "serves others"), no_argument(kInline)},
       {"version"}});
  tools.push_back(
      {{"gh"},
       {always("stores credentials, and its aliases, extensions and editor run programs", "alias"),
        always(kRuns, "extension"), always(kRuns, "ext"), always(kRuns, "codespace"), always(kRuns, "cs"),
        always(kWrites, "config"), option("--web", kRuns), option("--editor", kOpensPager),
        always(kWrites, "auth")},
       {}});
}

void add_interpreters(std::vector<CarryTool>& tools) {
  tools.push_back({{"python", "pypy"}, {always(kInline)}, {"--version", "--help", "-V"}, false});
  tools.push_back(
      {words("node nodejs bun ruby perl php lua"), {always(kInline)}, {"--version", "--help", "-v"}, false});
  tools.push_back({{"deno"}, {always(kInline)}, {"--version", "--help", "-V"}, false});
  tools.push_back({{"java", "javaw"}, {always(kInline)}, {"--version", "--help", "-version"}, false});
  tools.push_back(
      {words("perl6 raku jruby irb erb luajit tclsh "
             "wish expect guile racket sbcl clisp ecl emacs emacsclient julia r rscript octave maxima "
             "elixir iex erl werl ghc ghci runghc runhaskell ocaml swipl gprolog scala scala-cli groovy "
             "kotlin kotlinc jshell clojure clj swift osascript tsx ts-node vite-node jiti "
             "esno zx babel-node dc bc gnuplot gdb lldb ltrace rr valgrind ipython jupyter pytest "
             "nosetests tox nox micropython dotnet mono csi fsi"),
       {always(kInline)},
       kVersionOnly,
       false});
  tools.push_back({words("awk gawk mawk nawk original-awk"),
                   {letter("f", kReadsCode),
                    letter("i", kReadsCode),
                    letter("l", kReadsCode),
                    letter("E", kReadsCode),
                    option("--file", kReadsCode),
                    option("--include", kReadsCode),
                    option("--load", kReadsCode),
                    option("--exec", kReadsCode),
                    letter("o", kWrites),
                    letter("p", kWrites),
                    letter("d", kWrites),
                    option("--dump-variables", kWrites),
                    option("--profile", kWrites),
                    option("--pretty-print", kWrites),
                    letter("D", kInline),
                    option("--debug", kInline),
                    containing("system", kRuns),
                    containing("|", kRuns),
                    containing(">", kWrites),
                    containing("<", kReads),
                    containing("getline", kReads),
                    containing("@", kReadsCode),
                    containing("ENVIRON", "reads the environment"),
                    containing("PROCINFO", kReads),
                    containing("extension", kReadsCode),
                    no_argument(kInline)},
                   {"--version", "-V"},
                   false});
  // sed's program is judged by its own grammar in carried_code.cc.
  tools.push_back({{"sed", "gsed"},
                   {letter("i", kWrites), option("--in-place", kWrites), letter("f", kReadsCode),
                    option("--file", kReadsCode)},
                   {"--version", "--help"},
                   false});
  tools.push_back(
      {words("vi vim nvim view gvim rvim rview ex ed red nano pico micro joe jed mcedit kak helix hx"),
       {always(kOpensPager)},
       kVersionOnly});
  tools.push_back({{"sqlite3", "sqlite"},
                   {always("has commands that run programs and write files")},
                   {"--version", "-version"}});
  tools.push_back(
      {words("mysql mariadb psql mongo mongosh redis-cli clickhouse clickhouse-client isql sqlplus "
             "duckdb mysqldump pg_dump"),
       {always("has commands that run programs, read and write files")},
       {"--version", "-V", "--help"}});
  tools.push_back(
      {words("xargs gxargs parallel strace perf entr watchexec chpst prlimit runcon start-stop-daemon "
             "run-parts s6-setuidgid dbus-run-session dbus-launch xdg-open choom at batch crontab "
             "anacron systemd-run service init initctl update-alternatives ldd ionice cgexec fakeroot "
             "faketime daemonize dtach abduco tmux screen byobu zellij nsjail hyperfine multitime "
             "pidstat direnv aws-vault envchain sops lxc-attach"),
       {always(kRuns)},
       kVersionOnly,
       false});
  tools.push_back({{"systemctl", "launchctl"},
                   {always("starts programs as another user")},
                   kVersionOnly,
                   false,
                   kServiceReports});
  tools.push_back(
      {{"man", "info", "pinfo"},
       {letter("P", kRuns), letter("H", kRuns), letter("C", kConfigures), letter("M", kReadsCode),
        option("--pager", kRuns), option("--html", kRuns), option("--browser", kRuns),
        option("--config-file", kConfigures), option("--preprocessor", kRuns), option("--local-file", kReads),
        letter("l", kReads), letter("p", kRuns), letter("X", kRuns), operand(kOpensPager)},
       {"--version", "--help"}});
}

void add_builders(std::vector<CarryTool>& tools) {
  // Which program these are is decided by a file in the directory (yarnPath, rust-toolchain.toml, go.mod,
  // packageManager), even for `--version`.
  tools.push_back({words("yarn yarnpkg pnpm corepack volta cargo rustc rustup go gradlew mvnw bazel bazelisk "
                         "uv uvx rye pdm"),
                   {always(kInstalls)},
                   {},
                   false});
  // Reports that run nothing when they stand alone.
  tools.push_back({{"npm"}, {always(kInstalls)}, words("--version --help ls list outdated"), false});
  tools.push_back({words("pip gem brew"), {always(kInstalls)}, words("--version --help list"), false});
  tools.push_back({{"apt"}, {always(kInstalls)}, words("--version --help list"), false});
  tools.push_back(
      {words("make gmake bmake nmake ninja just rake invoke fab scons waf meson cmake ctest cpack "
             "buck pants gradle mvn ant sbt lein mill msbuild xbuild xcodebuild "
             "gulp grunt nx turbo lerna rush vite webpack rollup jest vitest mocha eslint prettier "
             "pre-commit nodemon pm2 forever concurrently"),
       {always("runs what a file in the directory, or its arguments, tell it to")},
       kVersionOnly,
       false});
  tools.push_back(
      {words("npx pnpx bunx nvm fnm pipx pipenv poetry "
             "conda mamba easy_install bundle bundler composer cpan cpanm luarocks cabal "
             "stack opam mix rebar3 nimble nim zig crystal shards port "
             "apt-get aptitude dpkg rpm yum dnf zypper pacman apk snap flatpak nix nix-shell nix-env "
             "nix-build guix emerge winget choco scoop msiexec"),
       {always(kInstalls)},
       kVersionOnly,
       false});
  tools.push_back({words("gcc g++ cc c++ clang clang++ cpp gfortran tcc"),
                   {word("-wrapper", kRuns), prefix("-fplugin", kReadsCode), prefix("-B", kRuns),
                    prefix("-specs", kConfigures), prefix("@", kReads), word("-o", kWrites),
                    prefix("-o", kWrites), word("-load", kReadsCode), prefix("-fpass-plugin", kReadsCode),
                    word("-x", kReads), prefix("-Xclang", kReadsCode), operand(kWrites)},
                   words("--version -v -dumpversion -dumpmachine"),
                   false});
  tools.push_back(
      {words("ld ld.gold ld.lld as ar objcopy strip javac tsc swiftc protoc yacc bison flex m4 latex "
             "pdflatex xelatex lualatex tex pandoc groff troff asciidoctor sphinx-build"),
       {always(kWrites)},
       kVersionOnly});
  tools.push_back(
      {words("objdump nm readelf strings"), {prefix("@", kReads), option("--plugin", kReadsCode)}, {}});
}

void add_containers(std::vector<CarryTool>& tools) {
  CarryTool docker{words("docker podman nerdctl buildah"), {}, words("--version -v version info --help")};
  docker.rules = {option("--config", kConfigures, "-"), option("--host", kHost, "-"), letter("H", kHost, "-"),
                  option("--context", kHost, "-"), letter("c", kHost, "-")};
  for (const std::string_view subcommand :
       words("run exec create build buildx builder compose cp commit load import save export attach "
             "plugin start restart stack service swarm context container image volume login push pull update "
             "unshare from bud system machine kube play generate debug sandbox scout init extension "
             "desktop model ai mcp offload")) {
    docker.rules.push_back(always(subcommand == "compose" ? kCompose : kHost, subcommand));
  }
  docker.own_subcommands = words(
      "attach build builder buildx checkpoint commit compose config container context cp create diff events "
      "exec export history "
      "image images import info inspect kill load login logout logs manifest network node pause plugin port "
      "ps pull push rename "
      "restart rm rmi run save search secret service stack start stats stop swarm system tag top trust "
      "unpause update version "
      "volume wait");
  tools.push_back(std::move(docker));
  tools.push_back(
      {words("docker-compose podman-compose docker-buildx ctr crictl runc crun kata-runtime lxc lxd "
             "incus multipass vagrant virsh qemu-img virt-install machinectl toolbox distrobox helm "
             "helmfile kustomize terraform tofu terragrunt pulumi ansible ansible-playbook packer nomad "
             "minikube kind k3d k3s skaffold tilt oc kubectx aws gcloud az doctl flyctl heroku vercel "
             "netlify"),
       {always(kHost)},
       kVersionOnly,
       false});
  CarryTool kubectl{{"kubectl"}, {}, {"version", "--help", "api-resources"}};
  kubectl.rules = {option("--kubeconfig", kConfigures), letter("f", kReads), option("--filename", kReads),
                   option("--raw", kHost)};
  for (const std::string_view subcommand :
       words("exec run debug cp attach apply create replace edit patch delete plugin proxy port-forward "
             "kustomize krew config set")) {
    kubectl.rules.push_back(always(kHost, subcommand));
  }
  kubectl.own_subcommands = words(
      "annotate api-resources api-versions apply attach auth autoscale certificate cluster-info completion "
      "config cordon cp "
      "create debug delete describe diff drain edit events exec explain expose get kustomize label logs "
      "options patch plugin "
      "port-forward proxy replace rollout run scale set taint top uncordon version wait");
  tools.push_back(std::move(kubectl));
}

void add_windows(std::vector<CarryTool>& tools) {
  // Programs that ship with Windows and run what they are told to: CVE-2026-101882 (Windows node).
  tools.push_back(
      {words("rundll32 mshta regsvr32 regsvcs regasm wmic forfiles conhost bitsadmin pcalua sc certutil "
             "cscript wscript installutil msxsl odbcconf cmstp explorer hh ieexec infdefaultinstall "
             "mavinject microsoft.workflow.compiler mmc msconfig msdeploy msdt presentationhost pcwrun "
             "register-cimprovider schtasks scriptrunner syncappvpublishingserver tttracer vbc csc jsc "
             "ilasm verclsid winrm winrs wuauclt xwizard wsl dnscmd diskshadow esentutl extexport "
             "extrac32 ftp gpscript makecab reg regedit regini rasautou rpcping runas runonce psexec "
             "workfolders advpack bginfo cdb windbg kd ntsd dotnet-script fltmc mpcmdrun netsh appvlp "
             "desktopimgdownldr devtoolslauncher dfsvc dxcap powershell_ise wt stordiag squirrel "
             "eventvwr fodhelper sdbinst"),
       {always(kRuns)},
       {"/?", "--help"},
       false});
}

std::vector<CarryTool> build() {
  std::vector<CarryTool> tools;
  add_git(tools);
  add_files(tools);
  add_network(tools);
  add_interpreters(tools);
  add_builders(tools);
  add_containers(tools);
  add_windows(tools);
  return tools;
}

}  // namespace

const std::vector<CarryTool>& carry_tools() {
  static const std::vector<CarryTool> kTools = build();
  return kTools;
}

}  // namespace hostclaw::policy
