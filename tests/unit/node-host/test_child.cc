// SPDX-License-Identifier: Apache-2.0
// A program for tests to start: the first argument says what it does.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

void report(const char* fifo, const std::string& line) {
  const int fd = ::open(fifo, O_WRONLY | O_CLOEXEC);
  const std::string text = line + "\n";
  if (fd < 0 || ::write(fd, text.data(), text.size()) < 0) ::_exit(90);
  ::close(fd);
}

void sleep_for_ever() {
  for (;;) ::pause();
}

// Each argument as <length>:<bytes> on a line of its own, argv[0] first.
int print_arguments(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) {
    if (i == 1) continue;
    std::cout << std::strlen(argv[i]) << ':' << argv[i] << '\n';
  }
  return 0;
}

// Each argument in hexadecimal digits on a line of its own.
int print_hex(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) {
    for (const char* byte = argv[i]; *byte != '\0'; ++byte)
      std::printf("%02x", static_cast<unsigned>(static_cast<unsigned char>(*byte)));
    std::printf("\n");
  }
  return 0;
}

int print_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  while (const dirent* item = ::readdir(directory)) {
    if (item->d_name[0] == '.' || std::atoi(item->d_name) == ::dirfd(directory)) continue;
    std::cout << item->d_name << '\n';
  }
  ::closedir(directory);
  return 0;
}

int print_signals() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("SigBlk") || line.starts_with("SigIgn") || line.starts_with("SigCgt"))
      std::cout << line << '\n';
  return 0;
}

int write_bytes(long count) {
  const std::string block(4096, 'x');
  for (long left = count; left > 0;) {
    const ssize_t written = ::write(1, block.data(), static_cast<size_t>(std::min(left, 4096L)));
    if (written <= 0) return 1;
    left -= written;
  }
  return 0;
}

int exit_code = 0;
void leave(int) { ::_exit(exit_code); }

// A grandchild in a session of its own whose parent has gone; `clean` also wipes its environment.
int escape(const char* fifo, const char* self, bool clean, bool wait) {
  if (::fork() == 0) {
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    const char* arguments[] = {self, "report-and-sleep", fifo, nullptr};
    char* nothing[] = {nullptr};
    ::execve(self, const_cast<char**>(arguments), clean ? nothing : environ);
    ::_exit(91);
  }
  int status = 0;
  ::wait(&status);
  if (wait) sleep_for_ever();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* asked = std::getenv("TEST_CHILD_MODE");
  if (asked != nullptr && std::strcmp(asked, "hex") == 0) return print_hex(argc, argv);
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "arguments") return print_arguments(argc, argv);
  if (mode == "descriptors") return print_descriptors();
  if (mode == "signals") return print_signals();
  if (mode == "ids") {
    std::cout << ::getpid() << ' ' << ::getsid(0) << ' ' << ::getpgid(0) << '\n';
    return 0;
  }
  if (mode == "environment") {
    for (char** item = environ; *item != nullptr; ++item) std::cout << *item << '\n';
    return 0;
  }
  if (mode == "write") return write_bytes(std::atol(argv[2]));
  if (mode == "report-and-sleep") {
    report(argv[2], std::to_string(::getpid()));
    sleep_for_ever();
  }
  if (mode == "ignore-term") {
    ::signal(SIGTERM, SIG_IGN);
    report(argv[2], std::to_string(::getpid()));
    sleep_for_ever();
  }
  if (mode == "exit-on-term") {
    exit_code = std::atoi(argv[3]);
    ::signal(SIGTERM, leave);
    report(argv[2], std::to_string(::getpid()));
    sleep_for_ever();
  }
  if (mode == "escape") return escape(argv[2], argv[0], false, true);
  if (mode == "escape-and-exit") return escape(argv[2], argv[0], false, false);
  if (mode == "escape-clean") return escape(argv[2], argv[0], true, true);
  return 64;
}
