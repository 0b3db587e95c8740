// SPDX-License-Identifier: Apache-2.0
// The daemon of tests/support by itself: `hostlink_fake_daemon FOLDER` puts hostlink.sock there and serves
// protocols 1 and 2 with the token `s3cret` until its stdin ends. Says `ready` when it listens.
#include <cstdio>

#include "tests/support/fake_hostlink_daemon.h"

int main(int argc, char** argv) {
  using namespace hostclaw::hostlink;
  if (argc != 2) return 2;
  FakeDaemonNature nature;
  nature.speaks_v2 = true;
  nature.folder = argv[1];
  nature.files = {{"/far/file", "content of the host\n"}};
  const FakeHostLinkDaemon daemon(nature);
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
