#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the deterministic fixture tree used by decisions-observed.jsonl.
# Run as the unprivileged test user the native host will run as. The corpus was recorded with user ocplay (uid/gid 1500,
# home /home/ocplay) and fixture root /var/tmp/ocfix; both appear literally in the cases because hashes contain the cwd.
# Host PATH: /usr/local/bin:/usr/bin:/bin:/var/tmp/ocfix/pathbin. Case startup-001 additionally wants 'echo BASHRC-RAN >&2' as first line of ~/.bashrc.
set -e
F=/var/tmp/ocfix
mkdir -p $F && cd $F && rm -rf bin pathbin work work-link deep home2 "sp ace" && mkdir -p bin pathbin work/sub deep/a/b "sp ace" 
mk() { printf '#!/bin/sh\necho %s "$@"\n' "$2" > "$1"; chmod 755 "$1"; }
mk bin/tool tool; mk bin/tool2 tool2; mk bin/TOOLCASE TOOLCASE; mk "bin/my tool" my-tool; mk deep/a/b/tool deep-tool; mk "sp ace/tool" sp-tool
ln -s tool bin/tool-link; ln -s /usr/bin/uname bin/uname-link; ln -s ../bin/tool pathbin/linktool
mk pathbin/mytool mytool; mk pathbin/uname2 uname2; mk pathbin/tail tail-shadow
ln -s work work-link
printf 'hello\n' > work/data.txt; printf '#!/bin/sh\necho script "$@"\n' > work/script.sh; chmod 755 work/script.sh
printf 'print("py")\n' > work/script.py; printf 'print("pl")\n' > work/script.pl; printf 'echo sub\n' > work/sub/noexec.sh; chmod 644 work/sub/noexec.sh
rm -rf evil && mkdir evil
printf '#!/bin/sh\necho EVIL-script\n' > evil/script.sh; printf '#!/bin/sh\necho EVIL-uname\n' > evil/uname; printf '#!/bin/bash\necho EVIL-SHELL "$@"\n' > evil/sh; chmod 755 evil/*
printf '#!/bin/sh\necho home-tool\n' > "$HOME/tool-home"; chmod 755 "$HOME/tool-home"
