#include "cli/command_line.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include "approvals/private_files.h"
#include "base/file_names.h"
#include "base/utf8.h"
#include "cli/run_guard.h"
#include "node-host/running_node.h"
#include "node-host/service_manager.h"
#include "node-host/system/host_facts.h"

namespace hostclaw::cli {

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
  if (mode == approvals::OpenMode::kReadWrite) {
    if (auto moved = node_host::database_left_behind(*directory)) return *moved;
  }
  auto store = approvals::Store::open(*directory, mode);
  if (!store && store.error().code == "STORE_NOT_FOUND") {
    if (auto moved = node_host::database_left_behind(*directory)) return *moved;
  }
  return store;
}

int fail(const Error& error) {
  std::string text = "error: " + error.code + ": " + for_terminal(error.message) + "\n";
  if (!error.next.empty()) text += "next: " + for_terminal(error.next) + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
  return kFailed;
}

int fail(const Error& error, bool json) {
  if (!json) return fail(error);
  Json body{{"code", error.code}, {"message", error.message}};
  if (!error.next.empty()) body["next"] = error.next;
  print_json(Json{{"ok", false}, {"error", std::move(body)}});
  return kFailed;
}

void print_line(const std::string& text) { std::cout << text << '\n'; }
void print_json(const Json& value) { print_json_text(dump_json(value)); }
void print_json(const OrderedJson& value) { print_json_text(dump_json(value)); }
void print_json_text(std::string_view json) {
  std::cout << show_unseen(to_valid_utf8(json), UnseenForm::kJson) << '\n';
}
void note(const std::string& text) { std::cerr << text << '\n'; }

std::string for_terminal(std::string_view text) { return show_unseen(to_valid_utf8(text)); }

std::string format_time(std::int64_t ms) {
  if (ms <= 0) return "-";
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  char text[32];
  std::tm parts = *std::localtime(&seconds);
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
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
