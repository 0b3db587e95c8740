// SPDX-License-Identifier: Apache-2.0
// hostclaw clawlink: the original client's commands against a relay, this one or the original, and those that
// came after. Started by the name `clawlink` the program is that client.
#include "cli/verb_clawlink.h"

#include <cstdio>
#include <iostream>
#include <thread>

#include "base/file_names.h"
#include "base/text.h"
#include "base/utf8.h"
#include "clawlink/client/agent_state.h"
#include "clawlink/client/relay_client.h"
#include "clawlink/discovery/search.h"
#include "clawlink/model/task.h"
#include "clawlink/model/wire_text.h"
#include "cli/this_system.h"

namespace hostclaw::cli {
namespace {

using clawlink::AgentState;
using clawlink::find_member;
using clawlink::path_segment;
using clawlink::RelayClient;
using clawlink::RelayUse;
using clawlink::text_member;

constexpr const char* kUsualRelay = "http://localhost:9077";
constexpr std::size_t kMostFileBytes = 4 * 1024 * 1024;
constexpr int kWatchWait = 25;
constexpr int kPrintLease = 60;
constexpr std::chrono::seconds kAskOriginalAgainAfter{2};
constexpr std::chrono::seconds kSearch{3};
constexpr std::chrono::seconds kScan{5};
constexpr std::chrono::seconds kAnswersHere{2};

struct ClientFlags {
  std::string relay;
  std::string token;
  std::string ca_file;
  bool json = false;

  std::string name;
  std::string capabilities;
  std::string description;
  std::string to;
  std::string task;
  std::string context;
  std::string priority = "normal";
  std::string deadline;
  double ttl = 0;
  bool strict = false;
  std::string message_id;
  std::string result;
  std::string status = "completed";
  std::string content;
  std::string topic = "general";
  std::string tags;
  std::string key;
  std::string file;
  std::string output;
  std::string type = "text";
  std::string state;
  std::string id;
  std::vector<std::string> leases;
  std::int64_t version = 0;
  std::optional<std::int64_t> expected_version;
  int lease = 0;
  int wait = 0;
  int most = 0;
  int limit = 50;
  double delay = 0;
  double seconds = 60;
};

std::string home_directory() {
  return environment_variable("HOME").value_or(environment_variable("USERPROFILE").value_or(""));
}

// A relay, and who speaks to it.
struct Session {
  std::string url;
  std::optional<AgentState> state;
  RelayClient client;
};

// Whether something serves on this machine's usual port.
bool usual_relay_is_there() {
  clawlink::ClientOptions options;
  options.url = kUsualRelay;
  options.timeout = kAnswersHere;
  options.tries = 1;
  const auto answer = RelayClient(std::move(options)).exchange({});
  return answer || answer.error().code != "RELAY_UNREACHABLE";
}

// By this call, the environment or the registration; nullopt: by none.
Result<std::optional<std::string>> named_relay(const ClientFlags& flags) {
  if (!flags.relay.empty()) return std::optional<std::string>(flags.relay);
  if (auto named = environment_variable("CLAWLINK_RELAY"); named && !named->empty()) return named;
  return clawlink::registered_relay(home_directory());
}

// The relay that was named; else this machine's; else one on the network, as far as something unknown may be
// used (choose_relay).
Result<std::string> relay_of(const ClientFlags& flags, RelayUse use) {
  auto named = named_relay(flags);
  if (!named) return named.error();
  if (*named) return **named;
  if (usual_relay_is_there()) return std::string(kUsualRelay);
  const auto found = clawlink::find_relays(kSearch);
  if (!found) return std::string(kUsualRelay);
  const bool has_token = !flags.token.empty() || !environment_variable("CLAWLINK_TOKEN").value_or("").empty();
  auto chosen = clawlink::choose_relay(*found, use, has_token);
  if (!chosen) return chosen.error();
  if (!*chosen) return std::string(kUsualRelay);
  note("asking " + **chosen + ", which was found by mDNS: nobody vouches for what it says");
  return **chosen;
}

// The agent's own credential where there is one; --token and CLAWLINK_TOKEN say otherwise for this call.
Result<Session> open_session(const ClientFlags& flags, RelayUse use, bool registers = false) {
  Result<std::string> relay = relay_of(flags, use);
  if (!relay) return relay.error();
  std::string url = std::move(*relay);
  while (url.ends_with('/')) url.pop_back();
  Result<std::optional<AgentState>> state = clawlink::load_agent_state(home_directory(), url);
  if (!state) return state.error();
  clawlink::ClientOptions options;
  options.url = url;
  options.ca_file = flags.ca_file;
  options.token = flags.token;
  if (options.token.empty() && !registers && *state) options.token = (*state)->agent_token;
  if (options.token.empty()) options.token = environment_variable("CLAWLINK_TOKEN").value_or("");
  return Session{url, std::move(*state), RelayClient(std::move(options))};
}

Result<Session> open_registered(const ClientFlags& flags) {
  // Whoever is registered has a relay that is named: nothing has to be looked for.
  const auto named = named_relay(flags);
  if (!named) return named.error();
  if (!*named)
    return make_error("NOT_REGISTERED", "this account is no agent of a relay",
                      "hostclaw clawlink register --name NAME");
  Result<Session> session = open_session(flags, RelayUse::kTrusts);
  if (session && !session->state)
    return make_error("NOT_REGISTERED", "this account is no agent of " + session->url,
                      "hostclaw clawlink --relay " + session->url + " register --name NAME");
  return session;
}

// As the original prints: indented; with --json in one line.
int show(const Result<Json>& answer, bool json) {
  if (!answer) return fail(answer.error(), json);
  if (json) {
    print_json(*answer);
  } else {
    print_line(show_unseen(answer->dump(2, ' ', false, Json::error_handler_t::replace), UnseenForm::kJson));
  }
  return kDone;
}

std::string cell(std::string text, std::size_t width) {
  text = for_terminal(text);
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text + "  ";
}

int register_agent(const ClientFlags& flags) {
  Result<Session> session = open_session(flags, RelayUse::kTrusts, true);
  if (!session) return fail(session.error(), flags.json);
  AgentState state{session->url, clawlink::short_id(8), flags.name, {}};
  Result<Json> answer = session->client.post("/register", {{"agent_id", state.agent_id},
                                                           {"name", flags.name},
                                                           {"capabilities", comma_list(flags.capabilities)},
                                                           {"description", flags.description}});
  if (!answer) return fail(answer.error(), flags.json);
  state.agent_token = text_member(*answer, "agent_token");
  if (const Json* const agent = find_member(*answer, "agent"))
    state.agent_id = text_member(*agent, "agent_id", state.agent_id);
  if (Result<void> saved = clawlink::save_agent_state(home_directory(), state); !saved)
    return fail(saved.error(), flags.json);
  // It is in the file, which only this account reads.
  if (answer->erase("agent_token") > 0)
    (*answer)["agent_token_saved"] = clawlink::agent_state_path(home_directory());
  return show(answer, flags.json);
}

int discover(const ClientFlags& flags) {
  Result<Session> session = open_session(flags, RelayUse::kLooks);
  if (!session) return fail(session.error(), flags.json);
  const Result<Json> answer = session->client.get("/discover");
  if (!answer || flags.json) return show(answer, flags.json);
  print_line(cell("Name", 20) + cell("ID", 10) + cell("Capabilities", 30) + cell("Machine", 16) + "Status");
  for (const Json& agent : answer->value("agents", Json::array())) {
    std::vector<std::string> words;
    for (const Json& word : agent.value("capabilities", Json::array()))
      words.push_back(word.is_string() ? word.get<std::string>() : word.dump());
    print_line(cell(text_member(agent, "name"), 20) + cell(text_member(agent, "agent_id"), 10) +
               cell(join(words, ", "), 30) + cell(text_member(agent, "machine"), 16) +
               for_terminal(text_member(agent, "status")));
  }
  return kDone;
}

int heartbeat(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.post("/heartbeat", {{"agent_id", session->state->agent_id}}), flags.json);
}

// JSON of --context; a text that is none stands for itself.
Result<Json> context_of(const std::string& text) {
  if (text.empty()) return Json(Json::object());
  Result<Json> json = parse_json(text);
  if (!json) return make_error("CONTEXT_INVALID", "--context is not JSON: " + json.error().message);
  return json;
}

int delegate(const ClientFlags& flags) {
  const Result<Json> context = context_of(flags.context);
  if (!context) return fail(context.error(), flags.json);
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  const std::string& from = session->state->agent_id;
  if (!flags.id.empty())
    return show(session->client.post("/tasks/" + path_segment(flags.id) + "/message",
                                     {{"from_agent", from}, {"task", flags.task}, {"context", *context}}),
                flags.json);
  if (flags.to.empty()) {
    fail(make_error("TO_MISSING", "--to AGENT is required, or --task-id of a task that goes on"), flags.json);
    return kUsage;
  }
  Json body{{"from_agent", from},
            {"to_agent", flags.to},
            {"task", flags.task},
            {"context", *context},
            {"priority", flags.priority}};
  if (!flags.deadline.empty()) body["deadline"] = flags.deadline;
  if (flags.ttl > 0) body["ttl"] = flags.ttl;
  if (flags.strict) body["strict"] = true;
  return show(session->client.post("/delegate", std::move(body)), flags.json);
}

void print_field(const char* name, const Json& message, const char* member) {
  const Json* const value = find_member(message, member);
  if (value == nullptr || value->is_null() || (value->is_object() && value->empty())) return;
  print_line(std::string("  ") + name + ": " +
             for_terminal(value->is_string() ? value->get<std::string>()
                                             : value->dump(-1, ' ', false, Json::error_handler_t::replace)));
}

void print_message(const Json& message, bool json, bool with_lease) {
  if (json) return print_json(message);
  const std::string from = text_member(message, "from_agent", text_member(message, "last_editor", "relay"));
  const Json* const verified = find_member(message, "sender_verified");
  print_line("[" + for_terminal(text_member(message, "type")) + "] from " + for_terminal(from) +
             (verified != nullptr && *verified == false ? " (not verified)" : ""));
  for (const auto& [name, member] : {std::pair{"Id", "message_id"},
                                     {"Task", "task"},
                                     {"Context", "context"},
                                     {"Priority", "priority"},
                                     {"Deadline", "deadline"},
                                     {"Content", "content"},
                                     {"Topic", "topic"},
                                     {"Result", "result"},
                                     {"Status", "status"},
                                     {"File", "file_key"},
                                     {"Version", "version"}}) {
    print_field(name, message, member);
  }
  if (with_lease) print_field("Lease", message, "lease");
}

// One look into the queue. Messages are leased while they are printed, and acknowledged once they are.
Result<Json> fetch(Session& session, int wait, int lease, int most) {
  std::string target = "/poll/" + path_segment(session.state->agent_id) +
                       "?lease=" + std::to_string(lease > 0 ? lease : kPrintLease);
  if (wait > 0) target += "&wait=" + std::to_string(wait);
  if (most > 0) target += "&max=" + std::to_string(most);
  return session.client.ask({"GET", target, nullptr, std::chrono::seconds(wait)});
}

Result<void> acknowledge(Session& session, const Json& messages) {
  Json leases = Json::array();
  for (const Json& message : messages) {
    if (const Json* const lease = find_member(message, "lease")) leases.push_back(*lease);
  }
  if (leases.empty()) return {};  // the original's relay has forgotten them already
  const Result<Json> done = session.client.post("/ack", {{"leases", leases}});
  if (!done) return done.error();
  return {};
}

int poll(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  const Result<Json> answer = fetch(*session, flags.wait, flags.lease, flags.most);
  if (!answer) return fail(answer.error(), flags.json);
  const Json messages = answer->value("messages", Json::array());
  if (flags.json) {
    print_json(*answer);
  } else {
    for (const Json& message : messages) print_message(message, false, flags.lease > 0);
    if (messages.empty()) note("nothing waits");
  }
  if (std::fflush(stdout) != 0 || !std::cout.flush()) return kFailed;
  if (flags.lease > 0) return kDone;
  if (const Result<void> done = acknowledge(*session, messages); !done) return fail(done.error(), flags.json);
  return kDone;
}

int watch(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  for (int seen = 0; flags.most == 0 || seen < flags.most;) {
    const auto asked = std::chrono::steady_clock::now();
    const Result<Json> answer = fetch(*session, kWatchWait, 0, 1);
    if (!answer) return fail(answer.error(), flags.json);
    const Json messages = answer->value("messages", Json::array());
    for (const Json& message : messages) print_message(message, flags.json, false);
    if (!std::cout.flush()) return kDone;  // nobody reads any more
    if (const Result<void> done = acknowledge(*session, messages); !done)
      return fail(done.error(), flags.json);
    seen += static_cast<int>(messages.size());
    // The original answers at once, whatever is said about waiting.
    if (messages.empty() && std::chrono::steady_clock::now() - asked < kAskOriginalAgainAfter)
      std::this_thread::sleep_for(kAskOriginalAgainAfter);
  }
  return kDone;
}

int respond(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.post("/respond", {{"from_agent", session->state->agent_id},
                                                {"to_agent", flags.to},
                                                {"message_id", flags.message_id},
                                                {"result", flags.result},
                                                {"status", flags.status}}),
              flags.json);
}

int broadcast(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.post("/broadcast", {{"from_agent", session->state->agent_id},
                                                  {"content", flags.content},
                                                  {"topic", flags.topic},
                                                  {"tags", comma_list(flags.tags)}}),
              flags.json);
}

int file_put(const ClientFlags& flags) {
  const Result<std::string> content = read_input(flags.file, kMostFileBytes);
  if (!content) return fail(content.error(), flags.json);
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  Json body{{"agent_id", session->state->agent_id}, {"file_key", flags.key}, {"file_type", flags.type}};
  if (is_valid_utf8(*content)) {
    body["content"] = *content;
  } else {
    body["content"] = clawlink::to_base64(*content);
    body["encoding"] = "base64";
  }
  if (flags.expected_version) body["expected_version"] = *flags.expected_version;
  return show(session->client.post("/files", std::move(body)), flags.json);
}

int write_file(const std::string& path, const std::string& content) {
  std::FILE* const file = open_file(path, "wb");
  if (file == nullptr) return fail(make_error("FILE_UNWRITABLE", "cannot write " + path));
  const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  if (std::fclose(file) != 0 || !written)
    return fail(make_error("FILE_UNWRITABLE", "cannot write all of " + path));
  return kDone;
}

// Every byte as it is; to a terminal, which would obey some of them, line by line as a text.
int print_content(const std::string& content) {
  if (!output_is_terminal()) {
    std::cout.write(content.data(), static_cast<std::streamsize>(content.size()));
    return kDone;
  }
  if (!is_valid_utf8(content))
    return fail(make_error("FILE_BINARY", "this file is no text", "save it: --output FILE"));
  const std::string_view text = content;
  for (const std::string& line : split(text.substr(0, text.size() - text.ends_with('\n')), '\n'))
    print_line(for_terminal(line));
  return kDone;
}

int file_get(const ClientFlags& flags) {
  Result<Session> session = open_session(flags, RelayUse::kTrusts);
  if (!session) return fail(session.error(), flags.json);
  std::string target = "/files/" + path_segment(flags.key);
  if (flags.version > 0) target += "?version=" + std::to_string(flags.version);
  const Result<Json> answer = session->client.get(target);
  if (!answer) return fail(answer.error(), flags.json);
  std::string content = text_member(*answer, "content");
  if (text_member(*answer, "encoding") == "base64") content = clawlink::from_base64(content).value_or("");
  if (!flags.output.empty()) {
    if (const int status = write_file(flags.output, content); status != kDone) return status;
    if (flags.json) {
      print_json(Json{{"ok", true},
                      {"file_key", flags.key},
                      {"version", answer->value("version", 0)},
                      {"output", flags.output}});
    } else {
      note("saved to " + flags.output);
    }
    return kDone;
  }
  if (flags.json) return show(answer, true);
  return print_content(content);
}

int file_list(const ClientFlags& flags) {
  Result<Session> session = open_session(flags, RelayUse::kLooks);
  if (!session) return fail(session.error(), flags.json);
  const Result<Json> answer = session->client.get("/files");
  if (!answer || flags.json) return show(answer, flags.json);
  print_line(cell("Key", 30) + cell("Version", 12) + cell("Editor", 12) + "Updated");
  for (const Json& file : answer->value("files", Json::array())) {
    print_line(cell(text_member(file, "file_key"), 30) + cell(file.value("version", Json(0)).dump(), 8) +
               cell(text_member(file, "last_editor"), 12) + for_terminal(text_member(file, "updated_at")));
  }
  return kDone;
}

int file_history(const ClientFlags& flags) {
  Result<Session> session = open_session(flags, RelayUse::kLooks);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.get("/files/" + path_segment(flags.key) + "/history"), flags.json);
}

Json found_json(const clawlink::FoundRelay& relay) {
  return {{"name", relay.name},        {"url", relay.url},   {"hostname", relay.hostname},
          {"address", relay.address},  {"port", relay.port}, {"version", relay.version},
          {"auth", relay.needs_token}, {"tls", relay.tls},   {"this_machine", relay.this_machine}};
}

int scan(const ClientFlags& flags) {
  const auto found = clawlink::find_relays(kScan);
  if (!found) return fail(found.error(), flags.json);
  if (flags.json) {
    Json relays = Json::array();
    for (const clawlink::FoundRelay& relay : found->relays()) relays.push_back(found_json(relay));
    print_json(Json{{"relays", std::move(relays)}, {"more", found->more()}});
    return kDone;
  }
  if (found->relays().empty()) return note("no relay announces itself by mDNS"), kDone;
  print_line(cell("URL", 32) + cell("Token", 5) + cell("Version", 12) + cell("Machine", 20) + "Name");
  for (const clawlink::FoundRelay& relay : found->relays())
    print_line(cell(relay.url, 32) + cell(relay.needs_token ? "yes" : "no", 5) + cell(relay.version, 12) +
               cell(relay.hostname, 20) + for_terminal(relay.name));
  if (found->more()) note("there are more; they are not shown");
  note("nobody vouches for what is announced; --relay URL, or CLAWLINK_RELAY, takes one");
  return kDone;
}

int info(const ClientFlags& flags) {
  Result<Session> session = open_session(flags, RelayUse::kLooks);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.get("/"), flags.json);
}

int tasks(const ClientFlags& flags) {
  Result<Session> session = open_session(flags, RelayUse::kLooks);
  if (!session) return fail(session.error(), flags.json);
  std::string target = "/tasks?limit=" + std::to_string(flags.limit);
  if (session->state) target += "&agent=" + path_segment(session->state->agent_id);
  if (!flags.state.empty()) target += "&state=" + flags.state;
  const Result<Json> answer = session->client.get(target);
  if (!answer || flags.json) return show(answer, flags.json);
  print_line(cell("ID", 12) + cell("State", 14) + cell("From", 12) + cell("To", 12) + "Updated");
  for (const Json& task : answer->value("tasks", Json::array())) {
    print_line(cell(text_member(task, "message_id"), 12) + cell(text_member(task, "state"), 14) +
               cell(text_member(task, "from_agent"), 12) + cell(text_member(task, "to_agent"), 12) +
               for_terminal(text_member(task, "updated_at")));
  }
  return kDone;
}

// A task with all its events, which a relay gives page by page.
Result<Json> whole_task(Session& session, const std::string& target) {
  Result<Json> task = session.client.get(target);
  while (task && task->value("more", Json()) == true) {
    Json& events = (*task)["events"];
    if (!events.is_array() || events.empty() || !events.back().is_object()) break;
    const auto last = events.back().value("seq", std::int64_t{0});
    Result<Json> next = session.client.get(target + "?after=" + std::to_string(last));
    if (!next) return next;
    const Json more = next->value("events", Json::array());
    if (!more.is_array() || more.empty()) break;
    Json all = std::move(events);
    for (const Json& event : more) all.push_back(event);
    task = std::move(next);
    (*task)["events"] = std::move(all);
  }
  return task;
}

int task(const ClientFlags& flags) {
  Result<Session> session = open_session(flags, RelayUse::kLooks);
  if (!session) return fail(session.error(), flags.json);
  const std::string target = "/tasks/" + path_segment(flags.id);
  Result<Json> answer = whole_task(*session, target);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(flags.wait);
  const auto is_open = [](const Json& found) {
    const auto state = clawlink::read_status_word(text_member(found, "state"));
    return state.known ? !clawlink::is_end(state.state) : true;
  };
  while (answer && flags.wait > 0 && is_open(*answer)) {
    const auto left =
        std::chrono::duration_cast<std::chrono::seconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    const Json events = answer->value("events", Json::array());
    const std::int64_t after = events.empty() ? 0 : events.back().value("seq", std::int64_t{0});
    const std::chrono::seconds turn(std::min<std::int64_t>(left.count(), kWatchWait));
    const Result<Json> news = session->client.ask(
        {"GET", target + "?after=" + std::to_string(after) + "&wait=" + std::to_string(turn.count()), nullptr,
         turn});
    if (!news) return fail(news.error(), flags.json);
    answer = whole_task(*session, target);
  }
  return show(answer, flags.json);
}

int cancel(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.post("/tasks/" + path_segment(flags.id) + "/cancel",
                                   {{"from_agent", session->state->agent_id}}),
              flags.json);
}

int ack(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.post("/ack", {{"leases", flags.leases}}), flags.json);
}

int nack(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.post("/nack", {{"lease", flags.id}, {"delay", flags.delay}}), flags.json);
}

int extend(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.post("/extend", {{"lease", flags.id}, {"seconds", flags.seconds}}), flags.json);
}

int deregister(const ClientFlags& flags) {
  Result<Session> session = open_registered(flags);
  if (!session) return fail(session.error(), flags.json);
  return show(session->client.post("/deregister", {{"agent_id", session->state->agent_id}}), flags.json);
}

using Flags = std::shared_ptr<ClientFlags>;
using Child = std::function<CLI::App*(const char*, const char*, int (*)(const ClientFlags&))>;

void add_agent_commands(const Child& child, const Flags& flags) {
  CLI::App* made = child("register", "Become an agent of the relay, under a new id", register_agent);
  made->add_option("--name", flags->name, "Name that others see")->required();
  made->add_option("--caps", flags->capabilities, "What it can do: a,b,c");
  made->add_option("--description", flags->description, "In a sentence");
  child("deregister", "Leave the relay; who delegated to this agent is told", deregister);
  child("discover", "Who is there", discover);
  child("heartbeat", "Say that this agent is there", heartbeat);
  child("scan", "Look for relays on the network by mDNS, for 5 s", scan);
  child("info", "What the relay says of itself", info);
}

void add_task_commands(const Child& child, const Flags& flags) {
  CLI::App* made = child("delegate", "Give another agent a task", delegate);
  made->add_option("--to", flags->to, "Id of the agent");
  made->add_option("--task", flags->task, "What is to be done")->required();
  made->add_option("--context", flags->context, "JSON that goes with it");
  made->add_option("--priority", flags->priority, "urgent and high come first")
      ->check(CLI::IsMember({"low", "normal", "high", "urgent"}))
      ->capture_default_str();
  made->add_option("--deadline", flags->deadline,
                   "Time by which it has to be done, else it fails: 2027-01-31T18:00:00Z");
  made->add_option("--ttl", flags->ttl, "Seconds in which somebody has to take it")
      ->check(CLI::PositiveNumber);
  made->add_flag("--strict", flags->strict, "Refuse when no such agent is registered");
  made->add_option("--task-id", flags->id, "Say more about this task instead");

  made = child("respond", "Answer a task", respond);
  made->add_option("--to", flags->to, "Who gave it (default: who the relay knows to have given it)");
  made->add_option("--msg-id", flags->message_id, "Its id")->required();
  made->add_option("--result", flags->result, "The answer")->required();
  made->add_option("--status", flags->status, "in_progress, input_required, completed, failed or rejected")
      ->capture_default_str();

  made = child("tasks", "Tasks from and to this agent, the newest change first", tasks);
  made->add_option("--state", flags->state, "Only those")
      ->check(CLI::IsMember(
          {"submitted", "working", "input_required", "completed", "failed", "rejected", "cancelled"}));
  made->add_option("--limit", flags->limit, "How many")->check(CLI::Range(1, 500))->capture_default_str();
  made = child("task", "One task and what became of it", task);
  made->add_option("id", flags->id, "Its id or message id")->required();
  made->add_option("--wait", flags->wait, "Seconds to wait for its end")->check(CLI::Range(1, 86'400));
  child("cancel", "End a task that this agent gave", cancel)
      ->add_option("id", flags->id, "Its id or message id")
      ->required();
}

void add_message_commands(const Child& child, const Flags& flags) {
  CLI::App* made = child("poll", "What waits for this agent; gone once it was printed", poll);
  made->add_option("--wait", flags->wait, "Seconds to wait for the first")->check(CLI::Range(1, 60));
  made->add_option("--lease", flags->lease, "Keep them this many seconds until `ack`, else they come again")
      ->check(CLI::Range(1, 3600));
  made->add_option("--max", flags->most, "At most so many")->check(CLI::Range(1, 1000));
  child("watch", "Print what comes, as it comes", watch)
      ->add_option("--count", flags->most, "End after so many")
      ->check(CLI::Range(1, 1'000'000));
  child("ack", "Say that leased messages are done", ack)
      ->add_option("lease", flags->leases, "Their leases")
      ->required();
  made = child("nack", "Give a leased message back", nack);
  made->add_option("lease", flags->id, "Its lease")->required();
  made->add_option("--delay", flags->delay, "Seconds until it comes again")->check(CLI::Range(0.0, 86'400.0));
  made = child("extend", "Keep a leased message for longer", extend);
  made->add_option("lease", flags->id, "Its lease")->required();
  made->add_option("--seconds", flags->seconds, "From now")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  made = child("broadcast", "Tell every other agent", broadcast);
  made->add_option("--content", flags->content, "What")->required();
  made->add_option("--topic", flags->topic, "About what")->capture_default_str();
  made->add_option("--tags", flags->tags, "a,b,c");
}

void add_file_commands(const Child& child, const Flags& flags) {
  CLI::App* made = child("file-put", "Share a file", file_put);
  made->add_option("--key", flags->key, "Its name on the relay")->required();
  made->add_option("--file", flags->file, "What is read (- for stdin)")->required();
  made->add_option("--type", flags->type, "What it is")->capture_default_str();
  made->add_option("--expect", flags->expected_version, "Only over this version; 0: only when there is none")
      ->check(CLI::NonNegativeNumber);
  made = child("file-get", "Fetch a shared file", file_get);
  made->add_option("--key", flags->key, "Its name on the relay")->required();
  made->add_option("--output", flags->output, "Where it is written (default: standard output)");
  made->add_option("--version", flags->version, "An older version")->check(CLI::PositiveNumber);
  child("file-list", "The shared files", file_list);
  child("file-history", "The versions of a shared file", file_history)
      ->add_option("--key", flags->key, "Its name on the relay")
      ->required();
}

}  // namespace

void add_clawlink(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<ClientFlags>();
  CLI::App* verb = parent.add_subcommand(
      "clawlink", "Tasks, messages and files between agents: a relay, and a client for it");
  verb->require_subcommand(0, 1);
  verb->add_option("--relay", flags->relay,
                   "URL of the relay (default: CLAWLINK_RELAY, else where this account is registered, else "
                   "http://localhost:9077, else what one found by mDNS may be asked)")
      ->take_last();
  verb->add_option("--token", flags->token, "Token to show (default: the agent's own, else CLAWLINK_TOKEN)")
      ->take_last();
  verb->add_option("--ca", flags->ca_file, "A CA to trust beside the system's, PEM");
  verb->callback([&action, verb] {
    if (verb->get_subcommands().empty()) action = [verb] { return print_line(verb->help()), kDone; };
  });
  const Child child = [&](const char* name, const char* what, int (*run)(const ClientFlags&)) {
    CLI::App* made = verb->add_subcommand(name, what);
    made->add_flag("--json", flags->json, "Print JSON, one object a line");
    made->callback([&action, flags, run] { action = [flags, run] { return run(*flags); }; });
    return made;
  };
  add_agent_commands(child, flags);
  add_task_commands(child, flags);
  add_message_commands(child, flags);
  add_file_commands(child, flags);
  add_clawlink_serve(*verb, action);
  add_clawlink_service(*verb, action);
  add_clawlink_owner(*verb, action);
}

}  // namespace hostclaw::cli
