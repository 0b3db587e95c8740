// SPDX-License-Identifier: Apache-2.0
// Says which file it is and where it was started: its last eight bytes, its inode and that of its directory.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

int main() {
  const int self = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat file {};
  struct stat directory {};
  if (self < 0 || ::fstat(self, &file) != 0 || ::stat(".", &directory) != 0) return 1;
  char marker[9] = {};
  if (::pread(self, marker, 8, file.st_size - 8) != 8) return 1;
  std::printf("%s %llu %llu\n", marker, static_cast<unsigned long long>(file.st_ino),
              static_cast<unsigned long long>(directory.st_ino));
  return 0;
}
