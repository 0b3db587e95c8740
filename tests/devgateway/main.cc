// SPDX-License-Identifier: Apache-2.0
// hostclaw-dev-gateway: the development gateway as a program, and an operator's verbs for scripts.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "base/text.h"
#include "tests/devgateway/dev_gateway.h"
#include "tests/devgateway/json_members.h"
#include "tests/devgateway/operator_client.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::chrono::seconds kCallTimeout(30);
constexpr const char* kDefaultTokenName = "OPENCLAW_GATEWAY_TOKEN";

int complain(const std::string& message) {
  std::cerr << "hostclaw-dev-gateway: " << message << '\n';
  return 1;
}

struct TokenSource {
  std::string file;
  std::string name = kDefaultTokenName;

  // Errors: CONFIG_INVALID. The token is never printed.
  Result<std::string> read() const {
    std::string token;
    if (!file.empty()) {
      std::ifstream in(file);
      if (!in || !std::getline(in, token))
        return make_error("CONFIG_INVALID", "cannot read the token file " + file);
    } else if (const char* value = std::getenv(name.c_str())) {
      token = value;
    }
    token = std::string(trim(token));
    if (token.empty()) {
      return make_error("CONFIG_INVALID", "no gateway token: set " + name + " or give --token-file");
    }
    return token;
  }
};

struct ServeOptions {
  GatewaySettings settings;
  ListenSettings listen;
  TokenSource token;
  std::vector<std::string> tls;
  bool json = false;
};

int serve(ServeOptions options) {
  const Result<std::string> token = options.token.read();
  if (!token) return complain(token.error().message);
  options.settings.shared_token = *token;
  if (options.tls.size() == 2) options.listen.tls = TlsFiles{options.tls[0], options.tls[1]};

  // Blocked before the server's thread starts, so that sigwait() below is the one that receives them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const Result<std::unique_ptr<DevGateway>> gateway = DevGateway::start(options.settings, options.listen);
  if (!gateway) return complain(gateway.error().message);
  Json ready = {{"url", (*gateway)->url()}, {"port", (*gateway)->port()}, {"ready", true}};
  if (!(*gateway)->tls_fingerprint().empty()) ready["tlsFingerprint"] = (*gateway)->tls_fingerprint();
  std::cout << dump_json(ready) << std::endl;
  int received = 0;
  sigwait(&signals, &received);
  return 0;
}

struct ClientOptions {
  std::string url = "ws://127.0.0.1:18789";
  TokenSource token;
  bool json = false;
};

// Connects, calls, prints the error if there is one.
class Operator {
 public:
  explicit Operator(const ClientOptions& options) : json_(options.json) {
    const Result<std::string> token = options.token.read();
    if (!token) {
      complain(token.error().message);
      return;
    }
    Result<std::unique_ptr<OperatorClient>> client = OperatorClient::connect(options.url, *token);
    if (!client) {
      complain("cannot connect to " + options.url + ": " + client.error().message);
      return;
    }
    client_ = std::move(*client);
  }

  std::optional<Json> call(const std::string& method, const Json& params,
                           std::chrono::milliseconds timeout = kCallTimeout,
                           const OperatorClient::OnEvent& on_event = {}) {
    if (!client_) return std::nullopt;
    const Reply reply = client_->call(method, params, timeout, on_event);
    if (reply.ok) return reply.payload;
    complain(method + ": " + string_at(reply.error, "message", "refused"));
    return std::nullopt;
  }

  bool json() const { return json_; }

 private:
  std::unique_ptr<OperatorClient> client_;
  bool json_;
};

int show_nodes(Operator& gateway) {
  const auto answer = gateway.call("node.list", Json::object());
  if (!answer) return 1;
  if (gateway.json()) {
    std::cout << dump_json(*answer) << '\n';
    return 0;
  }
  for (const Json& node : (*answer)["nodes"]) {
    std::cout << string_at(node, "nodeId") << "  " << string_at(node, "displayName") << "  "
              << (node.value("paired", false) ? "ready"
                                              : "surface request " + string_at(node, "pendingRequestId"))
              << '\n';
  }
  return 0;
}

std::optional<Json> pending_requests(Operator& gateway) {
  const auto devices = gateway.call("device.pair.list", Json::object());
  const auto nodes = gateway.call("node.pair.list", Json::object());
  if (!devices || !nodes) return std::nullopt;
  return Json{{"devices", (*devices)["pending"]}, {"nodes", (*nodes)["pending"]}};
}

int show_pending(Operator& gateway) {
  const auto pending = pending_requests(gateway);
  if (!pending) return 1;
  if (gateway.json()) {
    std::cout << dump_json(*pending) << '\n';
    return 0;
  }
  for (const Json& request : (*pending)["devices"]) {
    std::cout << "device  " << string_at(request, "requestId") << "  " << string_at(request, "displayName")
              << '\n';
  }
  for (const Json& request : (*pending)["nodes"]) {
    std::cout << "node    " << string_at(request, "requestId") << "  " << string_at(request, "displayName")
              << '\n';
  }
  return 0;
}

int approve(Operator& gateway, const std::string& request_id) {
  const auto pending = pending_requests(gateway);
  if (!pending) return 1;
  const auto holds = [&](const char* kind) {
    const Json& requests = (*pending)[kind];
    return std::any_of(requests.begin(), requests.end(),
                       [&](const Json& request) { return string_at(request, "requestId") == request_id; });
  };
  const char* method = holds("devices") ? "device.pair.approve"
                       : holds("nodes") ? "node.pair.approve"
                                        : nullptr;
  if (!method)
    return complain("no pending request " + request_id + "; list them with: hostclaw-dev-gateway pending");
  const auto answer = gateway.call(method, {{"requestId", request_id}});
  if (!answer) return 1;
  if (gateway.json()) {
    std::cout << dump_json(*answer) << '\n';
  } else {
    std::cerr << "approved " << request_id << '\n';
  }
  return 0;
}

int show_approvals(Operator& gateway) {
  const auto answer = gateway.call("exec.approval.list", Json::object());
  if (!answer) return 1;
  if (gateway.json()) {
    std::cout << dump_json(*answer) << '\n';
    return 0;
  }
  for (const Json& record : *answer) {
    std::cout << string_at(record, "id") << "  " << string_at(record["request"], "command") << '\n';
  }
  return 0;
}

int resolve(Operator& gateway, const std::string& id, const std::string& decision) {
  const auto answer = gateway.call("exec.approval.resolve", {{"id", id}, {"decision", decision}});
  if (!answer) return 1;
  if (gateway.json()) std::cout << dump_json(*answer) << '\n';
  return 0;
}

struct ExecOptions {
  std::string node;
  std::string answer;  // empty: ask at the terminal
  std::string agent_id = "main";
  std::string cwd;
  std::string security = "full";
  std::string ask = "off";
  std::int64_t timeout_ms = 1'800'000;
  std::vector<std::string> words;
};

// A node id, or the display name of a connected node.
std::optional<std::string> find_node(Operator& gateway, const std::string& wanted) {
  const auto answer = gateway.call("node.list", Json::object());
  if (!answer) return std::nullopt;
  for (const Json& node : (*answer)["nodes"]) {
    if (string_at(node, "nodeId") == wanted || string_at(node, "displayName") == wanted)
      return string_at(node, "nodeId");
  }
  complain("no connected node is called " + wanted + "; list them with: hostclaw-dev-gateway nodes");
  return std::nullopt;
}

// `approve`, `always` or `deny` typed by a person; end of input is a no.
std::string ask_person(const Json& request) {
  std::cerr << "The node asks before it runs: " << string_at(request, "command") << "\n"
            << "  working directory: " << string_at(request, "cwd", "(the node's own)") << "\n"
            << "Type approve, always or deny: " << std::flush;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string word = to_lower_ascii(trim(line));
    if (word == "approve" || word == "allow-once") return "allow-once";
    if (word == "always" || word == "allow-always") return "allow-always";
    if (word == "deny") return "deny";
    std::cerr << "Type approve, always or deny: " << std::flush;
  }
  std::cerr << "no answer: denied\n";
  return "deny";
}

void print_outcome(const Json& outcome) {
  const Json run = outcome.value("run", Json::object());
  std::cout << string_at(run, "stdout");
  std::cerr << string_at(run, "stderr");
  std::cerr << "outcome: " << string_at(outcome, "outcome")
            << (outcome.value("asked", false) ? " (asked)" : "");
  if (run.contains("exitCode")) std::cerr << ", exit " << run["exitCode"].dump();
  if (const std::string error = string_at(run, "error"); !error.empty()) std::cerr << ", " << error;
  if (const std::string message = string_at(outcome, "message"); !message.empty())
    std::cerr << ", " << message;
  std::cerr << '\n';
}

int exec(Operator& gateway, const ExecOptions& options) {
  const std::optional<std::string> node_id = find_node(gateway, options.node);
  if (!node_id) return 1;
  const std::string text = join(options.words, " ");
  Json params = {{"command", text},
                 {"nodeId", *node_id},
                 {"agentId", options.agent_id},
                 {"sessionKey", "agent:" + options.agent_id + ":terminal"},
                 {"callerSecurity", options.security},
                 {"callerAsk", options.ask},
                 {"timeoutMs", options.timeout_ms}};
  if (!options.cwd.empty()) params["cwd"] = options.cwd;
  const auto on_event = [&](const std::string& event, const Json& payload) {
    if (event != "exec.approval.requested") return;
    const Json request = payload.value("request", Json::object());
    if (string_at(request, "sessionKey") != string_at(params, "sessionKey")) return;
    std::string decision = options.answer;
    if (decision.empty()) {
      decision = ask_person(request);
    } else {
      std::cerr << "The node asks before it runs: " << string_at(request, "command") << "\n"
                << "Answered by --answer: " << decision << '\n';
    }
    gateway.call("exec.approval.resolve", {{"id", string_at(payload, "id")}, {"decision", decision}});
  };
  const auto outcome = gateway.call("dev.exec", params, std::chrono::hours(1), on_event);
  if (!outcome) return 1;
  if (gateway.json()) {
    std::cout << dump_json(*outcome) << '\n';
  } else {
    print_outcome(*outcome);
  }
  return 0;
}

void add_client_options(CLI::App* verb, ClientOptions& options) {
  verb->add_option("--url", options.url, "Gateway URL")->envname("HOSTCLAW_DEV_GATEWAY_URL");
  verb->add_option("--token-env", options.token.name, "Environment variable that holds the gateway token");
  verb->add_option("--token-file", options.token.file, "File that holds the gateway token");
  verb->add_flag("--json", options.json, "Print JSON");
}

int run(int argc, char** argv) {
  CLI::App app{"A development gateway for hostclaw: everything in memory, for one machine"};
  app.require_subcommand(1);
  ServeOptions serving;
  ClientOptions client;
  ExecOptions executing;
  std::string id;
  std::string decision;

  CLI::App* serve_verb = app.add_subcommand("serve", "Run the gateway until SIGINT or SIGTERM");
  serve_verb->add_option("--port", serving.listen.port, "Port, 0 for any free one");
  serve_verb->add_option("--bind", serving.listen.address, "Address to listen on")->capture_default_str();
  serve_verb->add_option("--token-file", serving.token.file, "File that holds the gateway token");
  serve_verb->add_option("--token-env", serving.token.name,
                         "Environment variable that holds the gateway token");
  serve_verb->add_flag("--auto-approve", serving.settings.auto_approve, "Approve every device and surface");
  serve_verb->add_option("--tls", serving.tls, "Certificate chain and private key (PEM files)")->expected(2);
  serve_verb->add_option("--protocol", serving.settings.protocol, "Wire protocol")
      ->check(CLI::IsMember({3, 4}));
  serve_verb->add_flag("--json", serving.json, "Print JSON (the default of this verb)");

  const auto verb = [&](const char* name, const char* text) {
    CLI::App* added = app.add_subcommand(name, text);
    add_client_options(added, client);
    return added;
  };
  CLI::App* nodes_verb = verb("nodes", "List connected nodes");
  CLI::App* pending_verb = verb("pending", "List pairing requests, devices and surfaces");
  CLI::App* approve_verb = verb("approve", "Approve a pairing request");
  approve_verb->add_option("id", id, "Request id")->required();
  CLI::App* approvals_verb = verb("approvals", "List open questions about commands");
  CLI::App* resolve_verb = verb("resolve", "Answer a question about a command");
  resolve_verb->add_option("id", id, "Approval id")->required();
  resolve_verb->add_option("decision", decision, "allow-once, allow-always or deny")->required();
  CLI::App* exec_verb = verb("exec", "Run a command line on a node, as an agent's exec tool does");
  exec_verb->add_option("--node", executing.node, "Node id or display name")->required();
  exec_verb->add_option("--answer", executing.answer, "Answer to the question, instead of the terminal")
      ->check(CLI::IsMember({"allow-once", "allow-always", "deny"}));
  exec_verb->add_option("--agent", executing.agent_id, "Agent id")->capture_default_str();
  exec_verb->add_option("--cwd", executing.cwd, "Working directory on the node");
  exec_verb->add_option("--caller-security", executing.security, "The caller's security")
      ->capture_default_str();
  exec_verb->add_option("--caller-ask", executing.ask, "The caller's ask")->capture_default_str();
  exec_verb->add_option("--timeout-ms", executing.timeout_ms, "Time limit of the command")
      ->capture_default_str();
  exec_verb->add_option("text", executing.words, "Command line, after --")->required();

  CLI11_PARSE(app, argc, argv);
  if (serve_verb->parsed()) return serve(serving);
  Operator gateway(client);
  if (nodes_verb->parsed()) return show_nodes(gateway);
  if (pending_verb->parsed()) return show_pending(gateway);
  if (approve_verb->parsed()) return approve(gateway, id);
  if (approvals_verb->parsed()) return show_approvals(gateway);
  if (resolve_verb->parsed()) return resolve(gateway, id, decision);
  return exec(gateway, executing);
}

}  // namespace
}  // namespace hostclaw::devgateway

int main(int argc, char** argv) { return hostclaw::devgateway::run(argc, argv); }
