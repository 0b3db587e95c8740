// SPDX-License-Identifier: Apache-2.0
// How to extend: find the tool's entry (or add one), add a pattern with the narrowest form that is sure to
// catch the use (carried_code_table.h has the grammar), choose the verb that says what it opens, and add a
// row and an allow twin to tests/unit/policy/analysis_carried_code_test.cc. List under `takes` only what is
// sure to take a value: the word behind it is then not looked at. Sources: the tools' own manuals, named at
// the entry. A row that catches too much asks a human; one that catches too little lets code run.
#include "policy/programs/carried_code_table.h"

namespace hostclaw::policy {
namespace {

constexpr CarryReason kCarryReasons[] = {
    {"runs", "runs another program"},
    {"inline", "runs the program text or script it is given"},
    {"loads", "loads code from a file"},
    {"configures", "takes configuration that can run other programs"},
    {"writes", "writes a file of the caller's choice"},
    {"reads", "reads a file of the caller's choice as data"},
    {"views", "opens a pager, editor or viewer that can run programs"},
    {"elsewhere", "works in another directory, whose configuration can run programs"},
    {"installs", "installs or builds code and runs it"},
    {"reaches", "reaches into a container, machine or host"},
    {"compose",
     "compose starts, changes or enters containers as the files of the directory say, beyond its reports "
     "(ps, "
     "logs, config, images, ls, version)"},
    {"deletes", "deletes what it finds"},
    {"empties", "deletes records that others rely on"},
    {"replaces", "can replace any file, listed programs included"},
    {"opens", "changes who may run or write a file"},
    {"clock", "sets the clock"},
    {"overwrites", "may take the next argument for a file it overwrites"},
    {"environment", "reads the environment"},
    {"remote", "runs commands on another machine, or with its options here"},
    {"keys", "loads key providers or runs another program"},
    {"connects", "connects to others and can run programs"},
    {"talks", "connects to others"},
    {"serves", "serves others"},
    {"accounts", "stores credentials, and its aliases, extensions and editor run programs"},
    {"console", "has commands that run programs and write files"},
    {"database", "has commands that run programs, read and write files"},
    {"starts", "starts programs as another user"},
    {"obeys", "runs what a file in the directory, or its arguments, tell it to"},
};

// Where a tool is `alone --version --help`: neither runs anything, or reads a program, when it is the only
// argument. Bare words (`version`) and single letters are script names, targets or modes of some tools and
// have no place there.
constexpr CarryTool kTools[] = {
    // ---- version control. git(1), gitcli(7) and the page of each command; 2.39 to 2.50.
    {"git", CarryTool::kPlain, R"(
alone --version --help -h -v version
takes@- -c -C --config-env --git-dir --work-tree --namespace --super-prefix --attr-source --shallow-file
flags@- -v -h -p -P --version --help --html-path --man-path --info-path --paginate --no-pager
flags@- --no-replace-objects --bare --literal-pathspecs --glob-pathspecs --noglob-pathspecs --icase-pathspecs
flags@- --no-optional-locks --no-lazy-fetch --no-advice --exec-path
configures@- -c --config-env
runs@- --exec-path
elsewhere@- -C --git-dir --work-tree --super-prefix
views@- -p --paginate
views --help
takes@grep -e -f -A -B -C -m --max-depth --threads --max-count --context --after-context --before-context
takes@grep -O? --open-files-in-pager? --color?
takes@commit -m -F -t -c -C --author --date --message --file --template --reuse-message --reedit-message
takes@commit --fixup --squash --trailer --cleanup --pathspec-from-file -S? -u? --gpg-sign? --untracked-files?
takes@log,show,diff,shortlog,whatchanged,format-patch -G -S -O -U? -l? -L?
takes@log,show,diff,shortlog,whatchanged,format-patch -M? -C? -B? -X? --output --grep --author --committer
takes@log,show,diff,shortlog,whatchanged,format-patch --since --until --after --before --format --max-count
takes@clone -o -b -u -c -j --template --reference --reference-if-able --origin --branch --upload-pack --depth
takes@clone --shallow-since --shallow-exclude --separate-git-dir --config --server-option --filter
takes@clone --bundle-uri
takes@fetch,pull -o -j --upload-pack --depth --deepen --shallow-since --shallow-exclude --refmap --filter
takes@push -o --repo --receive-pack --exec --push-option
takes@tag -m -F -u --message --file --local-user
takes@merge -m -F -s -X --message --file --strategy --strategy-option --into-name --cleanup
takes@pull -s -X -r? --rebase? --strategy --strategy-option
takes@rebase -s -x -X -C? --strategy --strategy-option --exec --onto
takes@cherry-pick,revert -m -X --mainline --strategy --strategy-option --cleanup
takes@archive -o --output --format --prefix --add-file --add-virtual-file --remote --exec --mtime
takes@stash -m --message
takes@notes -m -F -c -C
takes@worktree -b -B --reason
takes@checkout -b -B --orphan --conflict
takes@switch -c -C --orphan --conflict
takes@branch -u --set-upstream-to --contains --sort --format
takes@rev-list,for-each-ref,ls-remote --sort --format --max-count
takes@config -f --file --blob --type --default
runs --upload-pack --receive-pack --ext-diff --textconv --open-files-in-pager --extcmd --exec ext::* fd::*
writes --output --output-directory --separate-git-dir
reads --pathspec-from-file --no-index
runs@grep -O
reads@grep -f
reads@diff,log,show,whatchanged,format-patch -O
loads@init,clone --template
runs@clone -u --recurse-submodules --recursive
configures@clone -c --config
runs@archive --remote
writes@archive,format-patch,bugreport,diagnose -o
reads@archive --add-file
reads@format-patch --signature-file --description-file
runs@rebase -x
views@rebase -i --interactive --edit-todo
views@pull --rebase=i*|m* -r=i*|m*
runs@merge,pull,rebase -s!ort|recursive|resolve|octopus|ours|subtree
runs@merge,pull,rebase,cherry-pick,revert --strategy!ort|recursive|resolve|octopus|ours|subtree
views@commit,add,merge,tag,replace -e --edit
views@revert,cherry-pick -e --edit
views@branch --edit-description
views@notes edit
views@bugreport !
runs@bisect run visualize view
reads@bisect replay
runs@submodule foreach update add
runs@maintenance start register
runs@cat-file --textconv --filters
writes@worktree add move remove repair
writes@apply --unsafe-paths --build-fake-ancestor
writes@checkout-index --prefix
writes@read-tree --index-output
writes@fast-export --export-marks
reads@fast-export --import-marks --import-marks-if-exists
writes@bundle create
writes@mailinfo,mailsplit,merge-file,diagnose,pack-objects ...
writes@interpret-trailers --in-place
reads@blame,annotate --contents --ignore-revs-file -S
reads@ls-files -X --exclude-from --exclude-per-directory
runs@filter-branch,difftool,mergetool,instaweb,cvsimport,cvsexportcommit,cvsserver,svn,p4,send-email !
runs@imap-send,gui,citool,gitk,help,web--browse,daemon,shell,hook,for-each-repo,filter-repo,fast-import !
runs@credential,remote-ext,remote-fd,upload-pack,receive-pack,upload-archive,http-backend,archimport !
runs@quiltimport,config,var,sh-setup,merge-index,merge-one-file,lfs,annex,flow,submodule--helper !
runs@rebase--interactive,fsmonitor--daemon,scalar !
own add am annotate apply archive bisect blame branch bugreport bundle cat-file check-attr check-ignore
own check-mailmap check-ref-format checkout checkout-index cherry cherry-pick clean clone column commit
own commit-graph commit-tree config count-objects describe diagnose diff diff-files diff-index diff-tree
own fast-export fetch fetch-pack fmt-merge-msg for-each-ref format-patch fsck gc get-tar-commit-id grep
own hash-object init interpret-trailers log ls-files ls-remote ls-tree mailinfo mailsplit maintenance merge
own merge-base merge-file merge-tree mktag mktree multi-pack-index mv name-rev notes pack-objects pack-refs
own patch-id prune prune-packed pull push range-diff read-tree rebase reflog remote repack replace
own request-pull rerere reset restore rev-list rev-parse revert rm send-pack shortlog show show-branch
own show-index show-ref sparse-checkout stage stash status stripspace submodule switch symbolic-ref tag
own unpack-file unpack-objects update-index update-ref update-server-info verify-commit verify-pack
own verify-tag version whatchanged worktree write-tree
own filter-branch difftool mergetool instaweb help daemon shell
)"},

    // ---- files. find(1) of GNU and BSD, tar(1) of GNU and libarchive, the coreutils manual.
    {"find gfind", CarryTool::kNoDoubleDash | CarryTool::kWholeWords, R"(
runs -exec -execdir -ok -okdir
writes -fprint -fprint0 -fprintf -fls
deletes -delete
reads -files0-from*
)"},
    {"fd fdfind", CarryTool::kPlain, R"(
takes -e -t -d -E -S -g? -c -j --extension --type --max-depth --exclude --size --color --threads
runs -x -X --exec --exec-batch
reads --ignore-file
elsewhere --base-directory -C
)"},
    {"tar gtar bsdtar", CarryTool::kNoDoubleDash | CarryTool::kBundledFirst, R"(
alone --version --help
takes -f -C -T -X -b -I
takes --file --directory --files-from --exclude-from --blocking-factor --listed-incremental --format --label
takes --exclude --transform --xform --strip-components --owner --group --mode --mtime --newer
takes --use-compress-program
takes --to-command --checkpoint-action --rsh-command --rmt-command --info-script --new-volume-script
runs --checkpoint-action --to-command --rsh-command --use-compress-program --info-script --new-volume-script
runs --rmt-command -I -F -f=*:* --file=*:*
writes --absolute-names -P --index-file --volno-file -g --listed-incremental
reads --files-from -T --exclude-from -X
deletes --remove-files --recursive-unlink
)"},
    {"cpio", CarryTool::kPlain, R"(
runs --rsh-command
reads --to-stdout -F
writes -i -p --extract --pass-through -O
)"},
    // zip(1), unzip(1) of Info-ZIP: `-TT CMD` is the test program, `-:` allows names with `../`.
    {"zip", CarryTool::kNoDoubleDash, R"(
takes --password --suffixes --temp-path
runs -T --test --unzip-command
writes -O --output-file --out -l --logfile-path -b --temp-path
reads -@
deletes -m --move
)"},
    {"unzip", CarryTool::kNoDoubleDash, R"(
takes -P
writes -d -:
)"},
    {"7z 7za 7zr rar unrar", CarryTool::kPlain, "reads @*\nwrites -o*"},
    // rsync(1).
    {"rsync", CarryTool::kPlain, R"(
takes -e -f -M -T -B -@ --rsh --rsync-path --filter --exclude --include --exclude-from --include-from
takes --files-from --log-file --log-file-format --password-file --temp-dir --backup-dir --partial-dir
takes --compare-dest --copy-dest --link-dest --chmod --chown --bwlimit --timeout --port --max-size --min-size
takes --out-format
runs -e --rsh --rsync-path --daemon
configures --config -M --remote-option
reads --early-input --password-file --files-from --include-from --exclude-from --read-batch
reads --filter=*merge* -f=*merge* --filter=.* -f=.* --compare-dest --copy-dest --link-dest
writes --write-batch --only-write-batch --log-file --temp-dir -T --backup-dir --partial-dir
deletes --remove-source-files
)"},
    {"sort gsort", CarryTool::kNoDoubleDash, R"(
takes -k -o -t -S -T --key --output --field-separator --buffer-size --temporary-directory --batch-size
takes --parallel
flags --reverse --unique --stable --merge
runs --compress-program
writes --output --temporary-directory -o -T
reads --files0-from --random-source
)"},
    {"split gsplit csplit", CarryTool::kPlain, "alone --version --help\nruns --filter\nwrites ..."},
    {"tee sponge", CarryTool::kPlain, "alone --version --help\nwrites ..."},
    {"cp mv install ln dd truncate shred rename patch mknod", CarryTool::kPlain,
     "alone --version --help\nreplaces ..."},
    {"chmod chown chgrp chattr setfacl setcap", CarryTool::kPlain,
     "alone --version --help\nreads --reference\nopens ..."},
    {"date", CarryTool::kPlain, R"(
takes -d -f -r -s -I? --date --file --reference --set
reads -f --file
clock -s --set
)"},
    {"wc du", CarryTool::kPlain, "reads --files0-from"},
    {"uniq", CarryTool::kPlain, "overwrites --group"},
    {"shuf", CarryTool::kPlain, R"(
takes -i -n -o --input-range --head-count --output
writes -o --output
reads --random-source
)"},
    {"grep egrep fgrep ggrep", CarryTool::kPlain, R"(
takes -e -f -m -A -B -d -D --regexp --file --max-count --after-context --before-context --include
takes --exclude --exclude-dir --exclude-from --label --binary-files --directories --devices --group-separator
reads -f --file --exclude-from
)"},
    {"rg ripgrep", CarryTool::kPlain, R"(
takes -e -f -g -t -T -A -B -C -m -M -j -r -E -d --regexp --file --glob --type --type-not --max-count --replace
runs --pre --search-zip -z --hostname-bin
reads --ignore-file -f --file
)"},
    {"ag ack", CarryTool::kPlain, "runs --pager -z\nconfigures --ackrc"},
    {"bat batcat", CarryTool::kPlain, "runs --pager\nconfigures --config-file\nviews --paging\nloads cache"},
    {"less more most pg", CarryTool::kPlain, "alone --version --help\nviews !"},
    {"tree", CarryTool::kPlain, "takes -L -P -I -H -T -o\nwrites -o\nreads --fromfile"},
    {"xxd", CarryTool::kPlain, "writes -r"},
    {"diff", CarryTool::kPlain, "runs -l --paginate\nreads --from-file --to-file"},
    {"diff3", CarryTool::kPlain, "runs --diff-program"},
    // fzf(1) 0.55, "Scripting", "Preview", "Actions"; sk(1).
    {"fzf sk", CarryTool::kPlain, R"(
takes -q -f -d -n --query --filter --delimiter --nth --with-nth --tiebreak --height --layout --prompt --header
takes --history --history-size --bind --preview --preview-window
runs --preview --bind --become --with-shell --listen --listen-unsafe --tmux --interactive -c --cmd
writes --history
)"},
    // xsltproc(1). A stylesheet is a program: document() and exslt read and write files.
    {"xsltproc", CarryTool::kWholeWords,
     "alone --version -version\nwrites -o -output -writesubtree\ninline ..."},
    // mpv(1) 0.38; what is no file may be handed to another program.
    {"mpv mplayer", CarryTool::kWholeWords, R"(
alone --version --help
loads -script -scripts -scripts-append -script-append -script-opts -script-opts-append -load-scripts
runs -input-ipc-server -input-ipc-client -input-file -input-commands -ytdl -ytdl-raw-options -ytdl-format
runs -ytdl-raw-options-append *://*
configures -include -config-dir -input-conf -profile -use-filedir-conf
writes -o -log-file -stream-record -dump-stats -stream-dump -screenshot-directory -screenshot-dir
writes -watch-later-dir -watch-later-directory -vo-image-outdir
reads -playlist
)"},
    // gpg(1) 2.4, gpgsm(1).
    {"gpg gpg2 gpgsm gpgv", CarryTool::kPlain, R"(
takes -o -r -u -N --output --recipient --local-user --homedir --options --keyring --keyserver --passphrase
takes --list-options --verify-options --passphrase-file --photo-viewer --agent-program --dirmngr-program --log-file --status-file
runs --photo-viewer --exec-path --agent-program --dirmngr-program --keyboxd-program --gpg-program
runs --show-photos --list-options=*show-photo* --verify-options=*show-photo* --load-extension
configures --options --homedir
writes -o --output --log-file --logger-file --status-file --attribute-file
reads --passphrase-file
console --edit-key --edit-card --card-edit --quick-* --command-file
)"},
    {"vimdiff gvimdiff sdiff", CarryTool::kPlain, "alone --version --help\nviews !"},
    {"gzip gunzip bzip2 xz zstd lz4", CarryTool::kPlain, "reads --files --filelist\nwrites -o"},
    {"exiftool", CarryTool::kPlain, "loads -config*\ninline -if* -p*\nreads -@"},
    // jq(1), chapters "invoking jq" and "modules".
    {"jq", CarryTool::kPlain, R"(
takes -f -L --from-file --indent --arg --argjson --rawfile --slurpfile --argfile
reads --from-file --rawfile --slurpfile --argfile -f *input_filename* --run-tests
loads -L --library-path *import*"* *include*"* *modulemeta*
environment *env* *$ENV*
)"},
    {"yq", CarryTool::kPlain, R"(
writes -i --in-place --inplace -s --split-exp
reads *load* --from-file
environment *env*
)"},

    // ---- network. curl(1) 7.88 to 8.15: every option that takes a value, then what opens something.
    {"curl", CarryTool::kPlain, R"(
takes -A -b -c -C -d -D -e -E -F -H -K -m -o -P -Q -r -t -T -u -U -w -x -X -y -Y -z
takes --abstract-unix-socket --alt-svc --aws-sigv4 --cacert --capath --cert --cert-type --ciphers --config
takes --connect-timeout --connect-to --continue-at --cookie --cookie-jar --create-file-mode --crlfile --curves
takes --data --data-ascii --data-binary --data-raw --data-urlencode --delegation --dns-interface
takes --dns-ipv4-addr --dns-ipv6-addr --dns-servers --doh-url --dump-header --ech --egd-file --engine
takes --etag-compare --etag-save --expect100-timeout --form --form-string --ftp-account
takes --ftp-alternative-to-user --ftp-method --ftp-port --ftp-ssl-ccc-mode --happy-eyeballs-timeout-ms
takes --haproxy-clientip --header --hostpubmd5 --hostpubsha256 --hsts --interface --ip-tos --ipfs-gateway
takes --json --keepalive-cnt --keepalive-time --key --key-type --krb --libcurl --limit-rate --local-port
takes --login-options --mail-auth --mail-from --mail-rcpt --max-filesize --max-redirs --max-time --netrc-file
takes --noproxy --oauth2-bearer --output --output-dir --parallel-max --pass --pinnedpubkey --preproxy --proto
takes --proto-default --proto-redir --proxy --proxy-cacert --proxy-capath --proxy-cert --proxy-cert-type
takes --proxy-ciphers --proxy-crlfile --proxy-header --proxy-key --proxy-key-type --proxy-pass
takes --proxy-pinnedpubkey --proxy-service-name --proxy-tls13-ciphers --proxy-tlsauthtype
takes --proxy-tlspassword --proxy-tlsuser --proxy-user --proxy1.0 --pubkey --quote --random-file --range
takes --rate --referer --request --request-target --resolve --retry --retry-delay --retry-max-time
takes --sasl-authzid --service-name --socks4 --socks4a --socks5 --socks5-gssapi-service --socks5-hostname
takes --speed-limit --speed-time --stderr --telnet-option --tftp-blksize --time-cond --tls-max
takes --tls13-ciphers --tlsauthtype --tlspassword --tlsuser --trace --trace-ascii --trace-config
takes --unix-socket --upload-file --url --url-query --user --user-agent --variable --vlan-priority --write-out
writes -o!<null> --output!<null>
writes -O -J -D -c --output-dir --remote-name --remote-name-all --remote-header-name --dump-header
writes --cookie-jar --trace --trace-ascii --stderr --libcurl *%output{* --ssl-sessions --etag-save
writes --hsts --alt-svc --create-dirs
configures -K --config --expand-*
reads -T -F -E --upload-file --form --netrc-file --netrc -n --netrc-optional --variable --cert --key --pubkey
reads --proxy-cert --proxy-key --etag-compare --proto-default=file
reads -d=@* --data=@* --data-ascii=@* --data-binary=@* --json=@* -H=@* --header=@* --proxy-header=@*
reads -w=@* --write-out=@* --url=@*|*file:* --data-urlencode!*=* --url-query!*=*|+* -b!*=*| --cookie!*=*|
reads file:* @*
loads --engine
reaches --unix-socket --abstract-unix-socket
)"},
    // wget(1): it writes what it is given unless told otherwise, and what is told can be anything.
    {"wget wget2", CarryTool::kPlain, R"(
alone --version --help
writes -O -o -a -P --output-document --output-file --append-output --directory-prefix --save-cookies
writes --warc-file --hsts-file --rejected-log ...
reads -i --input-file --post-file --body-file --load-cookies
configures -e --execute --config
runs --use-askpass
)"},
    {"aria2c axel httrack lynx links elinks w3m", CarryTool::kPlain, "alone --version --help\nwrites !"},
    {"http https httpie xh", CarryTool::kPlain, "writes -o --output -d --download\nreads *@*"},
    {"ssh autossh mosh sshpass slogin", CarryTool::kPlain, "alone -V --version\nremote !"},
    {"scp sftp", CarryTool::kPlain, R"(
runs -S -D -J
configures -o -F
reads -b
writes ...
)"},
    {"ssh-keygen ssh-add ssh-agent ssh-keyscan", CarryTool::kPlain, "keys !"},
    {"nc ncat netcat socat telnet openvpn tftp ftp rlwrap chisel cloudflared ngrok", CarryTool::kPlain,
     "alone --version --help\nconnects !"},
    {"nmap", CarryTool::kPlain, R"(
loads --script --script-args --datadir -sC* -A
runs --interactive
reads --servicedb -iL* --resume
writes -o*
)"},
    {"tcpdump", CarryTool::kPlain, "alone --version\nruns -z\nwrites -w\nreads -F -V -r"},
    {"tshark dumpcap wireshark", CarryTool::kPlain, "loads -X\nwrites -w\nreads -r"},
    // openssl(1) and the page of each command; options have one dash or two.
    {"openssl", CarryTool::kWholeWords, R"(
alone version
loads engine -engine -provider -provider-path -sign_engine -ssl_client_engine
configures -config -section -extfile
writes -out -writerand -keyout -sess_out -keylogfile -msgfile -certsout -outdir -cacertsout -CAcreateserial
reads -in -inkey -kfile -pass=file:*|fd:* -passin=file:*|fd:* -passout=file:*|fd:* -rand -sigfile
takes -pass -passin -passout
talks s_client s_time ocsp cmp ts tsget
serves s_server
writes ca rehash
inline none
)"},
    // hg(1), "Options", "Configuration" and the page of each command; 6.x.
    {"hg chg", CarryTool::kPlain, R"(
alone --version --help version help
takes@- -R --repository --cwd --config --encoding --encodingmode --color --pager
flags@- -y -q -v --noninteractive --quiet --verbose --debug --debugger --traceback --time --profile --version
flags@- -h --help --hidden
configures --config
elsewhere@- -R --repository --cwd
runs@- --debugger
runs@clone,pull,push,incoming,in,outgoing,out,identify,id,bundle -e --ssh --remotecmd
runs@merge,resolve,update,up,checkout,co,rebase,graft,histedit -t --tool
runs@bisect -c --command
runs@extdiff,serve,debugshell,email,patchbomb,histedit,import,patch,qimport,shelve,split,strip,config !
views@commit,ci,tag,graft,backout -e --edit
reads@commit,ci -l --logfile
writes@cat,export -o --output
writes@archive,bundle,init,clone !
own add addremove annotate archive backout bisect blame bookmark bookmarks branch branches bundle cat checkout
own ci clone co commit config copy cp debugshell diff email export extdiff files forget graft grep heads help
own histedit id identify import in incoming init locate log manifest merge mv out outgoing parents patch
own patchbomb paths phase pull push qimport rebase recover remove rename resolve revert rm root serve shelve
own split st status strip summary tag tags tip unbundle unshelve up update verify version
)"},
    // svn(1) 1.14: `svn help`.
    {"svn", CarryTool::kPlain, R"(
alone --version --help help
takes -r -m -F -c -x --revision --message --file --change --targets --diff-cmd --diff3-cmd --editor-cmd
takes --config-dir --config-option --username --password --depth --set-depth --extensions --encoding
runs --diff-cmd --diff3-cmd --editor-cmd --merge-cmd
configures --config-dir --config-option
reads -F --file --targets
views propedit pedit pe
writes@checkout,co,export,cleanup !
)"},
    // rclone(1) 1.68 and the pages of its commands; an option of a remote can stand in its name.
    {"rclone", CarryTool::kPlain, R"(
alone --version --help version help
runs --password-command --sftp-ssh --sftp-server-command --webdav-bearer-token-command --metadata-mapper
runs *,ssh=* *command=* *,mapper=*
configures --config
writes --log-file --cache-dir --temp-dir --backup-dir --compare-dest --copy-dest
serves@serve,rcd,rc,mount,mount2,cmount,nfsmount,bisync,backend,test !
accounts@config,authorize,obscure,selfupdate !
writes@copy,copyto,copyurl,move,moveto,sync,rcat,touch,mkdir,settier,archive,genautocomplete,gendocs !
deletes@delete,deletefile,purge,cleanup,rmdir,rmdirs,dedupe !
reads --files-from --files-from-raw --include-from --exclude-from --filter-from
)"},
    // gh(1) 2.6x. What is none of its own commands is an alias or an extension; git gets what follows `--`.
    {"gh", CarryTool::kNoDoubleDash, R"(
alone --version --help
takes -R --repo -F --field --input --body-file --notes-file
flags@- -h --help --version
accounts@alias !
runs@repo -u --upload-pack --exec
configures@repo -c --config --template
reads -F=*@* --field=*@* --input --body-file --notes-file
reads@pr,issue,release -F
reads@gist create
writes@release,run download
writes@gist clone
own alias api attestation auth browse cache codespace completion config cs ext extension extensions gist
own gpg-key help issue label org pr preview project release repo ruleset run search secret ssh-key status
own variable workflow
runs@extension,ext,codespace,cs !
writes@config,auth !
runs --web
runs@browse !
views --editor
)"},

    // ---- interpreters. All they are given is a program, or arguments of one.
    {"python pypy", CarryTool::kNoDoubleDash, "alone --version --help -V\ninline !"},
    {"node nodejs bun ruby perl php lua", CarryTool::kNoDoubleDash, "alone --version --help -v\ninline !"},
    {"deno", CarryTool::kNoDoubleDash, "alone --version --help -V\ninline !"},
    {"java javaw", CarryTool::kNoDoubleDash, "alone --version --help -version\ninline !"},
    {"perl6 raku jruby irb erb luajit tclsh wish expect guile racket sbcl clisp ecl emacs emacsclient julia "
     "r "
     "rscript octave maxima elixir iex erl werl ghc ghci runghc runhaskell ocaml swipl gprolog scala "
     "scala-cli groovy kotlin kotlinc jshell clojure clj swift osascript tsx ts-node vite-node jiti esno zx "
     "babel-node dc bc gnuplot gdb lldb ltrace rr valgrind ipython jupyter pytest nosetests tox nox "
     "micropython dotnet mono csi fsi",
     CarryTool::kNoDoubleDash, "alone --version --help\ninline !"},
    // gawk(1), mawk(1), the awk of busybox: the language itself runs programs and opens files.
    {"awk gawk mawk nawk original-awk", CarryTool::kNoDoubleDash, R"(
alone --version -V
takes -F -v -f -i -l -E -e -W --field-separator --assign
takes -d? -D? -o? -p? -L?
loads -f -i -l -E --file --include --load --exec
writes -o -p -d --dump-variables --profile --pretty-print
inline -D --debug -W
runs *system* *|*
writes *>*
reads *<* *getline* *PROCINFO* *ARGV* *ARGC*
loads *@* *extension*
environment *ENVIRON*
inline none
)"},
    // sed's program is judged by its own grammar in carried_code.cc.
    {"sed gsed", CarryTool::kNoDoubleDash, R"(
alone --version --help
takes -e -f -l -i? --expression --file --line-length
flags --quiet --silent --regexp-extended --separate --unbuffered --null-data --posix --sandbox --debug
flags --follow-symlinks -n -E -r -s -u -z
writes -i --in-place
loads -f --file
)"},
    {"vi vim nvim view gvim rvim rview ex ed red nano pico micro joe jed mcedit kak helix hx",
     CarryTool::kPlain, "alone --version --help\nviews !"},
    {"sqlite3 sqlite", CarryTool::kPlain, "alone --version -version\nconsole !"},
    {"mysql mariadb psql mongo mongosh redis-cli clickhouse clickhouse-client isql sqlplus duckdb mysqldump "
     "pg_dump",
     CarryTool::kPlain, "alone --version -V --help\ndatabase !"},
    {"xargs gxargs parallel strace perf entr watchexec chpst prlimit runcon start-stop-daemon run-parts "
     "s6-setuidgid dbus-run-session dbus-launch xdg-open choom at batch crontab anacron systemd-run service "
     "init initctl update-alternatives ldd ionice cgexec fakeroot faketime daemonize dtach abduco tmux "
     "screen "
     "byobu zellij nsjail hyperfine multitime pidstat direnv aws-vault envchain sops lxc-attach "
     // moreutils; systemd; containers' first processes; other users, groups and rights; other name spaces
     "chronic ifne lckdo pee zrun systemd-inhibit systemd-cat systemd-notify tini tini-static "
     "dumb-init catatonit s6-envdir s6-softlimit s6-setsid s6-applyuidgid s6-notifyoncheck execlineb "
     "with-contenv setuidgid envuidgid envdir softlimit pgrphack setlock setuser su-exec sg newgrp "
     "flatpak-spawn host-spawn distrobox-enter distrobox-host-exec minijail0 "
     "aa-exec sandbox schedtool uclampset coresched cset fakechroot fakeroot-ng pseudo datefudge libfaketime "
     "run-one run-this-one keep-one-running retry sem reflex watchman-make when-changed "
     "heaptrack gdbserver winpty mpirun mpiexec srun sbatch dotenv doppler chamber "
     "op tsocks usewithtor i386 i486 i586 i686 x86_64 uname26 gtime",
     CarryTool::kNoDoubleDash, "alone --version --help\nruns !"},
    // capsh(1): what it shows stands alone.
    {"capsh", CarryTool::kNoDoubleDash, "alone --print --version --help --modes\nruns !"},
    {"lftp lftpget", CarryTool::kPlain, "alone --version --help\nconsole !"},
    // ip(8), ip-netns(8), ip-vrf(8): any beginning of a word stands for it, and of an option.
    {"ip", CarryTool::kWholeWords, R"(
takes -n -netns -f -family -l -loops -rc -rcvbuf
runs@net,netn,netns,v,vr,vrf e ex exe exec
runs -b -ba -bat -batc -batch
)"},
    {"systemctl launchctl", CarryTool::kNoDoubleDash, R"(
alone --version --help
reports status,is-active,is-enabled,is-failed,list-units,list-timers,list-unit-files,show --no-pager --full
starts !
)"},
    // journalctl(1).
    {"journalctl", CarryTool::kNoDoubleDash, R"(
takes -u -n? -p -S -U -t -g -o -b? -D -i -M -c -F --unit --since --until --priority --output --grep --lines
reads -D --directory -i --file --root --image --verify-key
reaches -M --machine
writes --cursor-file --setup-keys --update-catalog
empties --rotate --flush --sync --relinquish-var --smart-relinquish-var --vacuum-size --vacuum-time
empties --vacuum-files
)"},
    {"man info pinfo", CarryTool::kPlain, R"(
alone --version --help
runs -P -H -p -X --pager --html --browser --preprocessor
configures -C --config-file
loads -M
reads --local-file -l
views ...
)"},

    // ---- builders. Which program the first group are is decided by a file in the directory (yarnPath,
    // rust-toolchain.toml, go.mod, packageManager), even for `--version`.
    {"yarn yarnpkg pnpm corepack volta cargo rustc rustup go gradlew mvnw bazel bazelisk uv uvx rye pdm",
     CarryTool::kNoDoubleDash, "installs !"},
    // Reports that run nothing when they stand alone.
    {"npm", CarryTool::kNoDoubleDash, "alone --version --help ls list outdated\ninstalls !"},
    {"pip gem brew", CarryTool::kNoDoubleDash, "alone --version --help list\ninstalls !"},
    {"apt", CarryTool::kNoDoubleDash, "alone --version --help list\ninstalls !"},
    {"make gmake bmake nmake ninja just rake invoke fab scons waf meson cmake ctest cpack buck pants gradle "
     "mvn ant sbt lein mill msbuild xbuild xcodebuild gulp grunt nx turbo lerna rush vite webpack rollup "
     "jest "
     "vitest mocha eslint prettier pre-commit nodemon pm2 forever concurrently",
     CarryTool::kNoDoubleDash, "alone --version --help\nobeys !"},
    {"npx pnpx bunx nvm fnm pipx pipenv poetry conda mamba easy_install bundle bundler composer cpan cpanm "
     "luarocks cabal stack opam mix rebar3 nimble nim zig crystal shards port apt-get aptitude dpkg rpm yum "
     "dnf zypper pacman apk snap flatpak nix nix-shell nix-env nix-build guix emerge winget choco scoop "
     "msiexec",
     CarryTool::kNoDoubleDash, "alone --version --help\ninstalls !"},
    {"gcc g++ cc c++ clang clang++ cpp gfortran tcc", CarryTool::kNoDoubleDash | CarryTool::kWholeWords, R"(
alone --version -v -dumpversion -dumpmachine
runs -wrapper -B*
loads -fplugin* -load -fpass-plugin* -Xclang*
configures -specs*
reads @* -x
writes -o* ...
)"},
    {"ld ld.gold ld.lld as ar objcopy strip javac tsc swiftc protoc yacc bison flex m4 latex pdflatex "
     "xelatex "
     "lualatex tex pandoc groff troff asciidoctor sphinx-build",
     CarryTool::kPlain, "alone --version --help\nwrites !"},
    {"objdump nm readelf strings", CarryTool::kPlain, "reads @*\nloads --plugin"},
    // ffmpeg(1), ffmpeg-protocols(1), ffmpeg-filters(1): outputs are operands, filters and protocols open
    // files.
    {"ffmpeg ffplay", CarryTool::kWholeWords, R"(
alone -version -h -formats -codecs -encoders -decoders -filters -protocols -buildconf
writes !
)"},
    {"ffprobe", CarryTool::kWholeWords, R"(
takes -f -i -o
writes -o -report -dump_attachment*
reads -f=lavfi|concat concat:* subfile* *movie=* -/*
reaches -protocol_whitelist
)"},

    // ---- containers. The reference of the docker command line, 20.10 to 28; kubectl's reference, 1.20 to
    // 1.33.
    {"docker podman nerdctl buildah", CarryTool::kPlain, R"(
alone --version -v version info --help
takes@- -c -H -l --config --context --host --log-level --tlscacert --tlscert --tlskey
flags@- -D -v -h --debug --tls --tlsverify --version --help
configures@- --config
reaches@- -H --host --context -c
reports compose/ps -a --all --filter --format --no-trunc --orphans -q --quiet --services --status
reports compose/logs -f --follow --index --no-color --no-log-prefix --since -n --tail -t --timestamps --until
reports compose/config --environment --format --hash --images --models --networks --no-consistency
reports compose/config --no-env-resolution --no-interpolate --no-normalize --no-path-resolution --profiles
reports compose/config -q --quiet --services --variables --volumes
reports compose/images --format -q --quiet
reports compose/ls -a --all --filter --format -q --quiet
reports compose/version -f --format --short
compose@compose !
reaches@run,exec,create,build,buildx,builder,cp,commit,load,import,save,export,attach,plugin,start,restart !
reaches@stack,service,swarm,context,container,image,volume,login,push,pull,update,unshare,from,bud,system !
reaches@machine,kube,play,generate,debug,sandbox,scout,init,extension,desktop,model,ai,mcp,offload !
reaches@secret,config,checkpoint,trust,manifest,node !
own attach build builder buildx checkpoint commit compose config container context cp create diff events exec
own export history image images import info inspect kill load login logout logs manifest network node pause
own plugin port ps pull push rename restart rm rmi run save search secret service stack start stats stop
own swarm system tag top trust unpause update version volume wait
)"},
    {"docker-compose", CarryTool::kNoDoubleDash, R"(
alone --version --help
reports ps -a --all --filter --format --no-trunc --orphans -q --quiet --services --status
reports logs -f --follow --index --no-color --no-log-prefix --since -n --tail -t --timestamps --until
reports config --environment --format --hash --images --models --networks --no-consistency
reports config --no-env-resolution --no-interpolate --no-normalize --no-path-resolution --profiles
reports config -q --quiet --services --variables --volumes
reports images --format -q --quiet
reports ls -a --all --filter --format -q --quiet
reports version -f --format --short
reaches !
)"},
    {"podman-compose docker-buildx ctr crictl runc crun kata-runtime lxc lxd incus multipass vagrant virsh "
     "qemu-img virt-install machinectl toolbox distrobox helm helmfile kustomize terraform tofu terragrunt "
     "pulumi ansible ansible-playbook packer nomad minikube kind k3d k3s skaffold tilt oc kubectx aws gcloud "
     "az doctl flyctl heroku vercel netlify",
     CarryTool::kNoDoubleDash, "alone --version --help\nreaches !"},
    {"kubectl", CarryTool::kPlain, R"(
alone version --help api-resources
takes -n -s --namespace --kubeconfig --context --cluster --user --server --token --as --as-group --as-uid
takes --certificate-authority --client-certificate --client-key --cache-dir --request-timeout --password
takes --username --tls-server-name --profile --profile-output --log-flush-frequency --vmodule
takes@- -v --v
flags@- --insecure-skip-tls-verify --match-server-version --warnings-as-errors --disable-compression --help -h
takes -o --output
takes@get,describe,events,top,logs,wait,explain -l -L -c --selector --label-columns --sort-by
takes@get,describe,events,top,logs,wait,explain --field-selector --tail --since --since-time --container --for
configures --kubeconfig
reads@get,describe,wait,label,annotate,scale,rollout,expose,autoscale,auth,events,cordon,taint,drain -f
reads --filename --template -o=*file=* --output=*file=*
loads -k --kustomize
writes --profile-output --cache-dir --output-directory
reaches --raw -s --server
reaches@exec,run,debug,cp,attach,apply,create,replace,edit,patch,delete,plugin,proxy,port-forward !
reaches@kustomize,krew,config,set !
runs@diff !
own annotate api-resources api-versions apply attach auth autoscale certificate cluster-info completion config
own cordon cp create debug delete describe diff drain edit events exec explain expose get kustomize label logs
own options patch plugin port-forward proxy replace rollout run scale set taint top uncordon version wait
)"},

    // ---- Windows. Programs that ship with it and run what they are told to: CVE-2026-101882.
    {"rundll32 mshta regsvr32 regsvcs regasm wmic forfiles conhost bitsadmin pcalua sc certutil cscript "
     "wscript installutil msxsl odbcconf cmstp explorer hh ieexec infdefaultinstall mavinject "
     "microsoft.workflow.compiler mmc msconfig msdeploy msdt presentationhost pcwrun register-cimprovider "
     "schtasks scriptrunner syncappvpublishingserver tttracer vbc csc jsc ilasm verclsid winrm winrs wuauclt "
     "xwizard wsl dnscmd diskshadow esentutl extexport extrac32 gpscript makecab reg regedit regini "
     "rasautou rpcping runas runonce psexec workfolders advpack bginfo cdb windbg kd ntsd dotnet-script "
     "fltmc mpcmdrun netsh appvlp desktopimgdownldr devtoolslauncher dfsvc dxcap powershell_ise wt stordiag "
     "squirrel eventvwr fodhelper sdbinst",
     CarryTool::kNoDoubleDash, "alone /? --help\nruns !"},
};

}  // namespace

std::span<const CarryTool> carry_tools() { return kTools; }
std::span<const CarryReason> carry_reasons() { return kCarryReasons; }

}  // namespace hostclaw::policy
