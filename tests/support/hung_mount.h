// SPDX-License-Identifier: Apache-2.0
// A file system that never answers: one of FUSE whose server reads nothing. Gone, with all who wait in it,
// when this object goes.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace hostclaw::test {

class HungMount {
 public:
  // At an empty directory that is made for it.
  explicit HungMount(std::string at) : place(std::move(at)) {
    server_ = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
    ::mkdir(place.c_str(), 0700);
    const std::string options = "fd=" + std::to_string(server_) +
                                ",rootmode=40000,user_id=" + std::to_string(::getuid()) +
                                ",group_id=" + std::to_string(::getgid());
    mounted = server_ >= 0 &&
              ::mount("hostclaw-test", place.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0;
    if (!mounted) why_not = std::strerror(errno);
  }
  ~HungMount() {
    answer_nobody();
    if (mounted) ::umount2(place.c_str(), MNT_DETACH);
  }
  HungMount(const HungMount&) = delete;
  HungMount& operator=(const HungMount&) = delete;

  // Whoever waits gets an error.
  void answer_nobody() {
    if (server_ >= 0) ::close(server_);
    server_ = -1;
  }

  const std::string place;
  bool mounted = false;
  std::string why_not;  // where this account or machine cannot

 private:
  int server_ = -1;
};

}  // namespace hostclaw::test
