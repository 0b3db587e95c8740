// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include "approvals/platform/private_files.h"
#include "base/file_names.h"
#include "base/profile.h"
#include "base/utf8.h"
#include "cli/run_guard.h"
#include "cli/this_system.h"
#include "node-host/app/running_node.h"
#include "node-host/app/service_manager.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::cli {
namespace {

// Set once, before the verb runs.
bool times_in_utc = false;
bool colours_on = false;

}  // namespace

approvals::Actor local_actor() {
  std::string who = node_host::current_user();
  if (const CallingRun* run = calling_run())
    who = (run->run ? "run " + run->run->run_id : "a run") + ", " + who;
  return {"cli", who};
}

std::string likely_state_directory() {
  const bool named = !environment_variable("HOSTCLAW_STATE_DIR").value_or("").empty() ||
                     !environment_variable("OPENCLAW_STATE_DIR").value_or("").empty();
  if (!named) {
    const auto installed = node_host::installed_state_directory();
    if (installed && approvals::file_exists(*installed + "/hostclaw.sqlite")) return *installed;
  }
  auto usual = approvals::default_state_directory();
  return usual ? *usual : std::string();
}

// Where the verbs look: where the environment says, else where the installed service keeps its state, else
// the account's own place. An administrator acts as the owner of a service's state.
Result<std::string> state_directory() {
  if (const CallingRun* run = calling_run(); run != nullptr && !run->state_directory.empty()) {
    if (auto acting = node_host::act_as_owner_of(run->state_directory); !acting) return acting.error();
    return run->state_directory;
  }
  const std::string own = environment_variable("HOSTCLAW_STATE_DIR").value_or("");
  const std::string openclaw = environment_variable("OPENCLAW_STATE_DIR").value_or("");
  auto usual = approvals::default_state_directory();
  std::string directory;
  if (own.empty() && openclaw.empty()) directory = node_host::installed_state_directory().value_or("");
  if (directory.empty()) {
    if (usual) (void)node_host::act_as_owner_of(*usual);
    return usual;
  }
  auto acting = node_host::act_as_owner_of(directory);
  if (acting) return directory;
  // Not ours to read: an account that has a node of its own means that one.
  std::error_code ignored;
  if (usual && std::filesystem::exists(to_path(*usual + "/hostclaw.sqlite"), ignored)) return usual;
  return acting.error();
}

Result<std::unique_ptr<approvals::Store>> open_store(approvals::OpenMode mode) {
  auto directory = state_directory();
  if (!directory) return directory.error();
  // A verb that made a new database, or wrote into another one, would change nothing for the node.
  if (mode != approvals::OpenMode::kReadOnly) {
    if (auto moved = node_host::database_left_behind(*directory)) return *moved;
  }
  auto store = approvals::Store::open(*directory, mode);
  if (!store && store.error().code == "STORE_NOT_FOUND") {
    if (auto moved = node_host::database_left_behind(*directory)) return *moved;
  }
  return store;
}

int fail(const Error& error) {
  std::string text = "error: " + for_terminal(error.code) + ": " + for_terminal(error.message) + "\n";
  if (!error.next.empty()) text += "next: " + for_terminal(naming_profile(error.next)) + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
  return kFailed;
}

int fail(const Error& error, bool json) {
  if (!json) return fail(error);
  Json body{{"code", error.code}, {"message", error.message}};
  if (!error.next.empty()) body["next"] = naming_profile(error.next);
  print_json(Json{{"ok", false}, {"error", std::move(body)}});
  return kFailed;
}

void print_line(const std::string& text) { std::cout << text << '\n'; }
void print_json(const Json& value) { print_json_text(dump_json(value)); }
void print_json(const OrderedJson& value) { print_json_text(dump_json(value)); }
void print_json_text(std::string_view json) {
  std::cout << show_unseen(to_valid_utf8(json), UnseenForm::kJson) << '\n';
}
void note(const std::string& text) {
  const std::size_t next = std::min(text.find("next: "), text.size());
  std::cerr << text.substr(0, next) << naming_profile(std::string_view(text).substr(next)) << '\n';
}

std::string for_terminal(std::string_view text) { return show_unseen(to_valid_utf8(text)); }

void show_times_in_utc() { times_in_utc = true; }

std::string format_time(std::int64_t ms) {
  if (ms <= 0) return "-";
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts = times_in_utc ? *std::gmtime(&seconds) : *std::localtime(&seconds);
  char text[48];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  if (times_in_utc) return std::string(text, length) + "Z";
  using namespace std::chrono;
  const sys_days month{year(parts.tm_year + 1900) / (parts.tm_mon + 1) / 1};
  const sys_seconds shown = month + days(parts.tm_mday - 1) + hours(parts.tm_hour) + minutes(parts.tm_min) +
                            std::chrono::seconds(parts.tm_sec);
  const long east = static_cast<long>((shown.time_since_epoch().count() - seconds) / 60);
  char offset[48];
  std::snprintf(offset, sizeof offset, "%c%02ld:%02ld", east < 0 ? '-' : '+', std::labs(east) / 60,
                std::labs(east) % 60);
  return std::string(text, length) + offset;
}

bool set_colours(std::string_view when) {
  if (when == "always" || when == "never") {
    colours_on = when == "always";
    return true;
  }
  const std::string no_color = environment_variable("NO_COLOR").value_or("");
  colours_on = no_color.empty() && output_understands_colours();
  return when == "auto";
}

bool colours() { return colours_on; }

std::string verdict_in_colour(std::string_view verdict, std::string_view text) {
  const char* colour = verdict == "allow"                          ? "\x1b[32m"
                       : verdict == "ask"                          ? "\x1b[33m"
                       : verdict == "deny" || verdict == "invalid" ? "\x1b[31m"
                                                                   : nullptr;
  if (!colours_on || colour == nullptr) return std::string(text);
  return colour + std::string(text) + "\x1b[0m";
}

std::string fitted(const std::string& text, std::size_t used) {
  const std::size_t width = output_width();
  if (width == 0) return text;
  // A table on a narrow terminal breaks its lines rather than show nothing of the last column.
  constexpr std::size_t kLeast = 16;
  const std::size_t room = std::max(kLeast, width > used ? width - used : 0);
  std::size_t characters = 0;
  std::size_t cut = text.size();
  for (std::size_t at = 0; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) continue;
    if (++characters == room) cut = at;
  }
  return characters > room ? text.substr(0, cut) + "\xE2\x80\xA6" : text;
}

void print_wrapped(std::string_view line, std::size_t indent) {
  const std::size_t width = output_width();
  // Narrower than that, the terminal's own breaks read better.
  if (width < indent + 16) return print_line(std::string(line));
  std::size_t used = 0;        // columns of the line so far
  std::size_t word_begin = 0;  // where what has no blank after it yet begins
  std::size_t word_used = 0;   // its columns
  bool in_colour = false;
  std::string out;
  const auto end_word = [&](std::size_t end) {
    std::string_view word = line.substr(word_begin, end - word_begin);
    if (used > indent && used + word_used > width) {
      out.erase(out.find_last_not_of(' ') + 1);
      out += "\n" + std::string(indent, ' ');
      used = indent;
      word = word.substr(std::min(word.find_first_not_of(' '), word.size()));
    }
    out += word;
    used += word_used;
    word_begin = end;
    word_used = 0;
  };
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (at > 0 && c == ' ' && line[at - 1] != ' ') end_word(at);
    if (c == '\x1b') in_colour = true;
    const bool shown = !in_colour && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    word_used += shown ? 1 : 0;
    if (in_colour && c == 'm') in_colour = false;
  }
  end_word(line.size());
  print_line(out);
}

Result<std::string> read_input(const std::string& path, std::size_t max_bytes) {
  std::string text;
  const auto read_all = [&](std::istream& in) {
    char block[65'536];
    while (in.read(block, sizeof block) || in.gcount() > 0) {
      text.append(block, static_cast<std::size_t>(in.gcount()));
      if (text.size() > max_bytes) return false;
    }
    return true;
  };
  bool fits = true;
  if (path == "-") {
    fits = read_all(std::cin);
  } else {
    std::ifstream file(to_path(path), std::ios::binary);
    if (!file) return make_error("FILE_UNREADABLE", "cannot read " + path);
    fits = read_all(file);
    if (file.bad()) return make_error("FILE_UNREADABLE", "cannot read " + path);
  }
  if (!fits)
    return make_error("FILE_TOO_LARGE", path + " is larger than " + std::to_string(max_bytes) + " bytes");
  return text;
}

Result<void> for_each_line(const std::string& path, std::size_t max_line_bytes,
                           const std::function<Result<bool>(std::string_view line)>& take) {
  std::ifstream file;
  if (path != "-") {
    file.open(to_path(path), std::ios::binary);
    if (!file) return make_error("FILE_UNREADABLE", "cannot read " + path);
  }
  std::istream& in = path == "-" ? std::cin : file;
  std::vector<char> block(65'536);
  std::string rest;  // the beginning of a line whose end has not been read
  bool more = true;
  const auto hand_over = [&](std::string_view line) -> Result<void> {
    auto taken = take(line);
    if (!taken) return taken.error();
    more = *taken;
    return {};
  };
  while (more && (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0)) {
    std::string_view part(block.data(), static_cast<std::size_t>(in.gcount()));
    for (std::size_t end = part.find('\n'); more && end != std::string_view::npos; end = part.find('\n')) {
      rest += part.substr(0, end);
      part.remove_prefix(end + 1);
      if (auto taken = hand_over(rest); !taken) return taken.error();
      rest.clear();
    }
    rest += part;
    if (rest.size() > max_line_bytes) {
      return make_error("FILE_TOO_LARGE",
                        path + " has a line of more than " + std::to_string(max_line_bytes) + " bytes");
    }
  }
  if (in.bad()) return make_error("FILE_UNREADABLE", "cannot read " + path);
  if (more && !rest.empty()) return hand_over(rest);
  return {};
}

}  // namespace hostclaw::cli
