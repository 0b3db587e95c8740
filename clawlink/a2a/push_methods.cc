// SPDX-License-Identifier: Apache-2.0
// Push notification configs: made, shown and taken away by the caller whose task it is.
#include "clawlink/a2a/method_call.h"
#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostConfigIdBytes = 128;
constexpr std::size_t kMostTokenBytes = 4096;
constexpr std::size_t kMostSchemeBytes = 64;

Error no_push_here() { return make_error("PUSH_NOT_SUPPORTED", "this relay sends no push notifications"); }

Result<void> read_authentication(const Json& given, PushConfig& config) {
  const Json* const authentication = find_member(given, "authentication");
  if (authentication == nullptr || authentication->is_null()) return {};
  const auto wrong = [](const char* what) { return make_error("BAD_REQUEST", what); };
  if (!authentication->is_object()) return wrong("authentication has to be an object");
  config.scheme = text_member(*authentication, "scheme");
  config.credentials = text_member(*authentication, "credentials");
  if (!is_header_text(config.scheme) || config.scheme.find(' ') != std::string::npos ||
      config.scheme.size() > kMostSchemeBytes)
    return wrong("authentication.scheme is one word such as Bearer");
  if (config.credentials.size() > kMostTokenBytes ||
      (!config.credentials.empty() && !is_header_text(config.credentials)))
    return wrong("authentication.credentials has at most 4096 visible characters of ASCII");
  return {};
}

// Callers without a credential of their own share one name: what one of them has set as a secret is not shown
// to the others.
Json shown(const PushConfig& config, bool with_secrets) {
  Json out{{"id", config.config_id}, {"taskId", config.task_id}, {"url", config.url}};
  if (with_secrets && !config.token.empty()) out["token"] = config.token;
  if (config.scheme.empty()) return out;
  out["authentication"] = {{"scheme", config.scheme}};
  if (with_secrets && !config.credentials.empty()) out["authentication"]["credentials"] = config.credentials;
  return out;
}

// The task that a config is asked about.
Result<Task> task_of_config(const MethodCall& call) {
  if (!call.config.push.enabled) return no_push_here();
  return own_task(call, text_member(call.call.params, "taskId"));
}

}  // namespace

Result<PushConfig> read_push_config(const RouteConfig& rules, const Json& given) {
  if (!rules.push.enabled) return no_push_here();
  const auto wrong = [](const char* what) { return make_error("BAD_REQUEST", what); };
  if (!given.is_object()) return wrong("a push notification config has to be an object");
  PushConfig config;
  config.url = text_member(given, "url");
  const Result<PushUrl> url = read_push_url(config.url);
  if (!url) return url.error();
  if (Result<void> may = check_push_url(rules.push, *url); !may) return may.error();
  config.where = url->where();
  config.config_id = text_member(given, "id");
  if (config.config_id.size() > kMostConfigIdBytes) return wrong("the id of a config has at most 128 bytes");
  config.token = text_member(given, "token");
  if (config.token.size() > kMostTokenBytes || (!config.token.empty() && !is_header_text(config.token)))
    return wrong("token has at most 4096 visible characters of ASCII");
  if (Result<void> read = read_authentication(given, config); !read) return read.error();
  return config;
}

// Without an id it is the task's one: whoever sends it with each message means the same.
Result<PushConfig> add_push_config(const MethodCall& call, const Task& task, PushConfig config) {
  if (config.config_id.empty()) config.config_id = task.task_id;
  config.task_id = task.task_id;
  config.caller = call.from;
  config.key_id = call.caller.key_id;
  if (Result<void> stored = put_push_config(call.session, config); !stored) return stored.error();
  return config;
}

A2aOutcome create_push_config(const MethodCall& call) {
  const Result<Task> task = task_of_config(call);
  if (!task) return refusal(task.error());
  Result<PushConfig> given = read_push_config(call.config, call.call.params);
  if (!given) return refusal(given.error());
  const Result<PushConfig> made = add_push_config(call, *task, std::move(*given));
  if (!made) return refusal(made.error());
  A2aOutcome out;
  out.result = shown(*made, true);
  out.rest_status = 201;
  return out;
}

A2aOutcome get_push_config(const MethodCall& call) {
  const Result<Task> task = task_of_config(call);
  if (!task) return refusal(task.error());
  const auto config = find_push_config(call.session, task->task_id, text_member(call.call.params, "id"));
  if (!config) return refusal(config.error());
  if (!*config)
    return refusal(a2a_error("TASK_NOT_FOUND", "the task has no push notification config of this id"));
  A2aOutcome out;
  out.result = shown(**config, call.caller.has_credential());
  return out;
}

A2aOutcome show_push_configs(const MethodCall& call) {
  const Result<Task> task = task_of_config(call);
  if (!task) return refusal(task.error());
  const auto configs = list_push_configs(call.session, task->task_id);
  if (!configs) return refusal(configs.error());
  // So few that they are one page.
  Json list = Json::array();
  for (const PushConfig& config : *configs) list.push_back(shown(config, call.caller.has_credential()));
  A2aOutcome out;
  out.result = {{"configs", std::move(list)}, {"nextPageToken", ""}};
  return out;
}

A2aOutcome delete_push_config(const MethodCall& call) {
  const Result<Task> task = task_of_config(call);
  if (!task) return refusal(task.error());
  const auto config = find_push_config(call.session, task->task_id, text_member(call.call.params, "id"));
  if (!config) return refusal(config.error());
  if (*config) {
    if (Result<void> gone = remove_push_config(call.session, **config, "by " + call.from); !gone)
      return refusal(gone.error());
  }
  A2aOutcome out;
  out.rest_status = 204;
  return out;
}

}  // namespace hostclaw::clawlink
