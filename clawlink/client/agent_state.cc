// SPDX-License-Identifier: Apache-2.0
#include "clawlink/client/agent_state.h"

#include <filesystem>
#include <system_error>

#include "approvals/platform/private_files.h"
#include "approvals/platform/random_id.h"
#include "base/file_names.h"
#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostStateBytes = 65'536;

Result<std::optional<std::string>> read_small_file(const std::string& path) {
  if (!approvals::file_exists(path)) return std::optional<std::string>();
  std::FILE* const file = open_file(path, "rb");
  if (file == nullptr)
    return make_error("STATE_UNREADABLE", "cannot read " + path, approvals::command_for_access_rights(path));
  std::string text(kMostStateBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return std::optional<std::string>(std::move(text));
}

// nullopt: there is none.
Result<std::optional<AgentState>> read_agent_state(const std::string& home) {
  const std::string path = agent_state_path(home);
  const auto text = read_small_file(path);
  if (!text) return text.error();
  if (!*text) return std::optional<AgentState>();
  const Result<Json> json = parse_json(**text, {kMostStateBytes, 8});
  if (!json || !json->is_object())
    return make_error("STATE_UNREADABLE",
                      path + " is not what a client of ClawLink wrote; it was left as it is",
                      approvals::command_to_rename(path, path + ".damaged"));
  AgentState state{text_member(*json, "relay_url"), text_member(*json, "agent_id"),
                   text_member(*json, "agent_name"), text_member(*json, "agent_token")};
  if (state.agent_id.empty()) return std::optional<AgentState>();
  return std::optional<AgentState>(std::move(state));
}

}  // namespace

std::string agent_state_path(const std::string& home) { return home + "/.clawlink/agent_state.json"; }

std::string comparable_url(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  constexpr std::string_view kName = "://localhost";
  const std::size_t at = url.find(kName);
  if (at != std::string::npos && (at + kName.size() == url.size() || url[at + kName.size()] == ':'))
    url.replace(at, kName.size(), "://127.0.0.1");
  return url;
}

Result<std::optional<AgentState>> load_agent_state(const std::string& home, const std::string& relay_url) {
  Result<std::optional<AgentState>> state = read_agent_state(home);
  if (state && *state && comparable_url((*state)->relay_url) != comparable_url(relay_url)) state->reset();
  return state;
}

Result<std::optional<std::string>> registered_relay(const std::string& home) {
  const Result<std::optional<AgentState>> state = read_agent_state(home);
  if (!state) return state.error();
  if (!*state || (*state)->relay_url.empty()) return std::optional<std::string>();
  return std::optional<std::string>((*state)->relay_url);
}

Result<void> save_agent_state(const std::string& home, const AgentState& state) {
  const std::string path = agent_state_path(home);
  const std::string directory = home + "/.clawlink";
  // The original made it open to everybody; the file in it is not.
  if (!approvals::file_exists(directory)) {
    if (Result<void> made = approvals::ensure_private_directory(directory); !made) return made;
  }
  Json json{{"relay_url", state.relay_url}, {"agent_id", state.agent_id}, {"agent_name", state.agent_name}};
  if (!state.agent_token.empty()) json["agent_token"] = state.agent_token;
  const std::string fresh = path + "." + approvals::new_uuid().substr(0, 8);
  const Result<std::FILE*> file = approvals::open_new_private_file(fresh);
  if (!file) return file.error();
  const std::string text = json.dump(2) + "\n";
  const bool written = std::fwrite(text.data(), 1, text.size(), *file) == text.size();
  std::error_code failed;
  if (std::fclose(*file) != 0 || !written) {
    std::filesystem::remove(to_path(fresh), failed);
    return make_error("STORE_FULL", "cannot write " + path, approvals::command_for_free_space(directory));
  }
  std::filesystem::rename(to_path(fresh), to_path(path), failed);
  if (!failed) return {};
  return make_error("STORE_IO", "cannot put " + path + " in its place: " + failed.message());
}

}  // namespace hostclaw::clawlink
