// SPDX-License-Identifier: Apache-2.0
#include <windows.h>

#include <algorithm>

#include "base/wide_text.h"
#include "cli/terminal.h"

namespace hostclaw::cli {
namespace {

// For the handler of the console's events, too.
DWORD g_usual_input = 0;
DWORD g_usual_output = 0;

HANDLE input() { return GetStdHandle(STD_INPUT_HANDLE); }
HANDLE output() { return GetStdHandle(STD_OUTPUT_HANDLE); }

void put_console_back() {
  SetConsoleMode(input(), g_usual_input);
  SetConsoleMode(output(), g_usual_output);
}

// The window is closed, the user logs off: the usual handler then ends the process.
BOOL WINAPI on_console_event(DWORD) {
  put_console_back();
  return FALSE;
}

bool is_console(HANDLE handle) {
  DWORD mode = 0;
  return GetConsoleMode(handle, &mode) != 0;
}

}  // namespace

bool Terminal::available() { return is_console(input()) && is_console(output()); }

Terminal::Terminal() {
  GetConsoleMode(input(), &g_usual_input);
  GetConsoleMode(output(), &g_usual_output);
  SetConsoleCtrlHandler(on_console_event, TRUE);
  SetConsoleMode(output(), g_usual_output | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
  single_keys(true);
}

Terminal::~Terminal() {
  put_console_back();
  SetConsoleCtrlHandler(on_console_event, FALSE);
}

void Terminal::single_keys(bool yes) {
  DWORD wanted = g_usual_input | ENABLE_PROCESSED_INPUT | ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT;
  // Ctrl-C arrives as a key and ends the screen in order. A click that selects text would stop all output.
  if (yes) {
    wanted =
        g_usual_input & ~static_cast<DWORD>(ENABLE_PROCESSED_INPUT | ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT |
                                            ENABLE_QUICK_EDIT_MODE | ENABLE_VIRTUAL_TERMINAL_INPUT);
    wanted |= ENABLE_EXTENDED_FLAGS;
  }
  SetConsoleMode(input(), wanted);
}

void Terminal::write(const std::string& text) {
  const std::wstring wide = to_wide(text);
  constexpr std::size_t kAtOnce = 8000;  // older consoles refuse large texts
  for (std::size_t at = 0; at < wide.size();) {
    std::size_t size = std::min(kAtOnce, wide.size() - at);
    if (size < wide.size() - at && (wide[at + size - 1] & 0xFC00) == 0xD800) --size;
    DWORD written = 0;
    if (WriteConsoleW(output(), wide.data() + at, static_cast<DWORD>(size), &written, nullptr) == 0 ||
        written == 0)
      return;
    at += written;
  }
}

Terminal::Key Terminal::key(std::chrono::milliseconds at_most) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point until = Clock::now() + at_most;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (WaitForSingleObject(input(), static_cast<DWORD>(std::max<long long>(left, 0))) != WAIT_OBJECT_0)
      return {};
    INPUT_RECORD event{};
    DWORD count = 0;
    if (ReadConsoleInputW(input(), &event, 1, &count) == 0 || count == 0) return {0, true};
    // Movements of the mouse, releases and keys that only change others are events as well.
    if (event.EventType != KEY_EVENT || event.Event.KeyEvent.bKeyDown == FALSE) continue;
    const wchar_t typed = event.Event.KeyEvent.uChar.UnicodeChar;
    constexpr wchar_t kCtrlC = 3;
    constexpr wchar_t kCtrlD = 4;
    constexpr wchar_t kCtrlZ = 26;
    if (typed == kCtrlC || typed == kCtrlD || typed == kCtrlZ) return {0, true};
    if (typed > 0 && typed < 0x80) return {typed == L'\r' ? '\n' : static_cast<char>(typed), false};
  }
}

void Terminal::forget_keys(std::chrono::milliseconds settle) {
  Sleep(static_cast<DWORD>(settle.count()));
  FlushConsoleInputBuffer(input());
}

std::optional<std::string> Terminal::line(const std::string& prompt) {
  single_keys(false);  // before the prompt: what is typed after it is a line
  write(prompt);
  std::wstring typed;
  bool ended = false;
  while (typed.find(L'\n') == std::wstring::npos) {
    wchar_t part[512];
    DWORD count = 0;
    if (ReadConsoleW(input(), part, 512, &count, nullptr) == 0 || count == 0) {
      ended = typed.empty();
      break;
    }
    typed.append(part, count);
  }
  single_keys(true);
  constexpr wchar_t kCtrlZ = 26;
  if (ended || typed.starts_with(kCtrlZ)) return std::nullopt;
  typed.resize(std::min(typed.find_first_of(L"\r\n"), typed.size()));
  return from_wide(typed);
}

}  // namespace hostclaw::cli
