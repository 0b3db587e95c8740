// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "cli/terminal.h"

namespace hostclaw::cli {
namespace {

constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// For the signal handler, too.
struct termios g_usual;

extern "C" void put_terminal_back(int number) {
  tcsetattr(STDIN_FILENO, TCSANOW, &g_usual);
  signal(number, SIG_DFL);
  raise(number);
}

}  // namespace

bool Terminal::available() { return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1; }

Terminal::Terminal() {
  tcgetattr(STDIN_FILENO, &g_usual);
  for (const int number : kEndingSignals) {
    struct sigaction action {};
    action.sa_handler = put_terminal_back;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    sigaction(number, &action, nullptr);
  }
  single_keys(true);
}

Terminal::~Terminal() {
  single_keys(false);
  for (const int number : kEndingSignals) signal(number, SIG_DFL);
}

void Terminal::single_keys(bool yes) {
  struct termios wanted = g_usual;
  if (yes) {
    // Without signals from the keyboard: Ctrl-C arrives as a key and ends the screen in order.
    wanted.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO | ISIG));
    wanted.c_cc[VMIN] = 0;
    wanted.c_cc[VTIME] = 0;
  }
  tcsetattr(STDIN_FILENO, TCSADRAIN, &wanted);
}

void Terminal::write(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t count = ::write(STDOUT_FILENO, text.data() + at, text.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    at += static_cast<std::size_t>(count);
  }
}

Terminal::Key Terminal::key(std::chrono::milliseconds at_most) {
  pollfd watched{STDIN_FILENO, POLLIN, 0};
  const int ready = poll(&watched, 1, static_cast<int>(at_most.count()));
  if (ready <= 0) return {0, ready < 0 && errno != EINTR};
  char byte = 0;
  const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  constexpr char kCtrlC = 3;
  constexpr char kCtrlD = 4;
  if (count <= 0 || byte == kCtrlC || byte == kCtrlD) return {0, true};
  return {byte, false};
}

void Terminal::forget_keys(std::chrono::milliseconds settle) {
  poll(nullptr, 0, static_cast<int>(settle.count()));
  tcflush(STDIN_FILENO, TCIFLUSH);
}

std::optional<std::string> Terminal::line(const std::string& prompt) {
  single_keys(false);  // before the prompt: what is typed after it is a line
  write(prompt);
  std::string text;
  char byte = 0;
  bool ended = false;
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) ended = text.empty();
    if (count <= 0 || byte == '\n') break;
    text += byte;
  }
  single_keys(true);
  if (ended) return std::nullopt;
  return text;
}

}  // namespace hostclaw::cli
