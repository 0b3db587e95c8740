// SPDX-License-Identifier: Apache-2.0
// hostclaw clawlink agents | credentials | forward | rules | dead-letters | audit: what the owner of a relay
// sees and sets, on its database, whether the relay runs or not.
#include <filesystem>

#include "approvals/audit/audit_chain.h"
#include "approvals/platform/private_files.h"
#include "base/clock.h"
#include "clawlink/forward/forwarder.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/agents.h"
#include "clawlink/store/audit.h"
#include "clawlink/store/files.h"
#include "clawlink/store/forwards.h"
#include "clawlink/store/rules.h"
#include "clawlink/store/schema.h"
#include "cli/relay_settings.h"
#include "cli/verb_clawlink.h"

namespace hostclaw::cli {
namespace {

using clawlink::StoreSession;

struct OwnerFlags {
  std::string id;
  std::string effect;
  std::string verb;
  std::string who;
  std::string what;
  std::string url;
  std::string token_file;
  std::string name;
  std::vector<std::string> skills;
  bool insecure = false;
  std::int64_t rule = 0;
  int limit = 50;
  bool json = false;
};

const clawlink::RelayLimits& usual_limits() {
  static const clawlink::RelayLimits limits;
  return limits;
}

template <class Body>
auto with_relay(bool writing, Body body) -> decltype(body(std::declval<StoreSession&>())) {
  const Result<std::string> directory = relay_state_directory();
  if (!directory) return directory.error();
  auto database = clawlink::open_relay_database_for_reading(*directory);
  // A relay that never ran has nothing to be changed.
  if (database && writing) database = clawlink::open_relay_database(*directory);
  if (!database) return database.error();
  StoreSession session{**database, usual_limits(), unix_ms_now()};
  if (!writing) return (*database)->reading([&] { return body(session); });
  return (*database)->transaction([&] { return body(session); });
}

std::string actor_name() {
  const approvals::Actor actor = local_actor();
  return actor.door + ":" + actor.who;
}

int list_agents(const OwnerFlags& flags) {
  const auto agents =
      with_relay(false, [](StoreSession& session) { return clawlink::list_agents(session, {}); });
  if (!agents) return fail(agents.error(), flags.json);
  Json list = Json::array();
  for (const clawlink::Agent& agent : *agents) {
    Json one = clawlink::to_json(agent, unix_ms_now(), usual_limits());
    one["own_credential"] = agent.guarded;
    list.push_back(std::move(one));
  }
  if (flags.json) {
    print_json(Json{{"ok", true}, {"agents", list}});
    return kDone;
  }
  for (const clawlink::Agent& agent : *agents) {
    print_line(for_terminal(agent.agent_id) + "  " + (agent.guarded ? "own credential" : "shared token ") +
               "  last seen " + format_time(agent.last_seen_ms) + "  " + for_terminal(agent.name));
  }
  if (agents->empty()) note("no agent is registered");
  return kDone;
}

void drop_forward_token(const std::string& directory, const std::string& name) {
  std::error_code ignored;
  if (!name.empty()) std::filesystem::remove(directory + "/" + name, ignored);
}

int remove_agent(const OwnerFlags& flags) {
  std::string token_file;
  const auto removed = with_relay(true, [&](StoreSession& session) -> Result<void> {
    const auto forward = clawlink::find_forward(session, flags.id);
    if (!forward) return forward.error();
    if (*forward) token_file = (*forward)->token_file;
    return clawlink::remove_agent(session, flags.id, actor_name());
  });
  if (!removed) return fail(removed.error(), flags.json);
  if (const auto directory = relay_state_directory()) drop_forward_token(*directory, token_file);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"removed", flags.id}});
  } else {
    print_line("removed " + for_terminal(flags.id) + "; tasks that waited for it have failed");
  }
  return kDone;
}

int list_credentials(const OwnerFlags& flags) {
  const auto found =
      with_relay(false, [&](StoreSession& session) { return clawlink::list_credentials(session, flags.id); });
  if (!found) return fail(found.error(), flags.json);
  Json list = Json::array();
  for (const clawlink::Credential& one : *found) {
    const std::string state = one.revoked_at_ms != 0 ? "revoked"
                              : one.used_at_ms != 0  ? "in use"
                                                     : "never used";
    list.push_back({{"key_id", one.key_id},
                    {"agent_id", one.agent_id},
                    {"state", state},
                    {"created_at_ms", one.created_at_ms},
                    {"used_at_ms", one.used_at_ms}});
    if (!flags.json)
      print_line(one.key_id + "  " + for_terminal(one.agent_id) + "  " + state + "  made " +
                 format_time(one.created_at_ms));
  }
  if (flags.json) print_json(Json{{"ok", true}, {"credentials", list}});
  return kDone;
}

int rotate_credential(const OwnerFlags& flags) {
  const auto made = with_relay(true, [&](StoreSession& session) -> Result<clawlink::NewCredential> {
    const auto agent = clawlink::find_agent(session, flags.id);
    if (!agent) return agent.error();
    if (!*agent)
      return make_error("AGENT_UNKNOWN", "no agent " + flags.id + " is registered",
                        "hostclaw clawlink agents list");
    return clawlink::make_credential(session, flags.id, actor_name());
  });
  if (!made) return fail(made.error(), flags.json);
  if (flags.json) {
    print_json(
        Json{{"ok", true}, {"agent_id", flags.id}, {"key_id", made->key_id}, {"agent_token", made->token}});
  } else {
    print_line(made->token);
    note(
        "this is shown once; the one in use stays in force until it is revoked: hostclaw clawlink "
        "credentials revoke KEY");
  }
  return kDone;
}

int revoke(const OwnerFlags& flags) {
  const auto revoked = with_relay(true, [&](StoreSession& session) {
    return clawlink::revoke_credentials(session, flags.id, actor_name());
  });
  if (!revoked) return fail(revoked.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"revoked", *revoked}});
  } else {
    print_line("revoked " + std::to_string(*revoked) + "; it is in force no more");
  }
  return kDone;
}

// The token is copied, for a relay that runs as somebody else cannot read the owner's files. Answers the name
// in the relay's state directory.
Result<std::string> keep_forward_token(const std::string& directory, const OwnerFlags& flags) {
  if (flags.token_file.empty()) return std::string();
  const Result<std::string> token = token_in_file(flags.token_file);
  if (!token) return token.error();
  if (!clawlink::is_header_text(*token))
    return make_error("CONFIG_INVALID",
                      flags.token_file + " holds no token: it has to be one line of visible characters");
  // Another name each time: until the row is written the old one holds.
  const std::string name = "clawlink-forward-" + clawlink::short_id(12) + ".token";
  if (Result<void> made = approvals::create_private_file(directory + "/" + name, *token); !made)
    return made.error();
  return name;
}

int add_forward(const OwnerFlags& flags) {
  const auto url = clawlink::read_forward_url(flags.url, flags.insecure);
  if (!url) return fail(url.error(), flags.json);
  const Result<std::string> directory = relay_state_directory();
  if (!directory) return fail(directory.error(), flags.json);
  const Result<std::string> token = keep_forward_token(*directory, flags);
  if (!token) return fail(token.error(), flags.json);
  clawlink::Agent agent;
  agent.agent_id = flags.id;
  agent.name = flags.name.empty() ? flags.id : flags.name;
  agent.capabilities = flags.skills;
  agent.description = "An agent of another system, reached by A2A.";
  std::string old_token;
  const auto added = with_relay(true, [&](StoreSession& session) -> Result<void> {
    const auto before = clawlink::find_forward(session, flags.id);
    if (!before) return before.error();
    if (*before) old_token = (*before)->token_file;
    return clawlink::put_forward(session, {flags.id, flags.url, url->where(), *token}, agent, actor_name());
  });
  drop_forward_token(*directory, added ? old_token : *token);
  if (!added) return fail(added.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"agent_id", flags.id}, {"where", url->where()}});
  } else {
    print_line("what is delegated to " + for_terminal(flags.id) + " is carried to " +
               for_terminal(url->where()));
    note("it has not been asked yet; try: hostclaw clawlink delegate --to " +
         approvals::shell_word(flags.id) + " --task \"Say hello\"");
  }
  return kDone;
}

int list_forwards(const OwnerFlags& flags) {
  const auto forwards =
      with_relay(false, [](StoreSession& session) { return clawlink::list_forwards(session); });
  if (!forwards) return fail(forwards.error(), flags.json);
  Json list = Json::array();
  for (const clawlink::Forward& one : *forwards) {
    // Many put a key into the path of a URL.
    list.push_back({{"agent_id", one.agent_id}, {"where", one.where}, {"token", !one.token_file.empty()}});
    if (!flags.json)
      print_line(for_terminal(one.agent_id) + "  " + for_terminal(one.where) +
                 (one.token_file.empty() ? "  no token" : "  with a token"));
  }
  if (flags.json) print_json(Json{{"ok", true}, {"forwards", list}});
  if (forwards->empty() && !flags.json) note("every agent of this relay asks for its tasks itself");
  return kDone;
}

int remove_forward(const OwnerFlags& flags) {
  const Result<std::string> directory = relay_state_directory();
  if (!directory) return fail(directory.error(), flags.json);
  const auto removed = with_relay(
      true, [&](StoreSession& session) { return clawlink::remove_forward(session, flags.id, actor_name()); });
  if (!removed) return fail(removed.error(), flags.json);
  drop_forward_token(*directory, removed->token_file);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"removed", flags.id}});
  } else {
    print_line("removed " + for_terminal(flags.id) + "; tasks that waited for it have failed");
  }
  return kDone;
}

int list_rules(const OwnerFlags& flags) {
  const auto rules = with_relay(false, [](StoreSession& session) { return clawlink::list_rules(session); });
  if (!rules) return fail(rules.error(), flags.json);
  Json list = Json::array();
  for (const clawlink::Rule& rule : *rules) {
    list.push_back({{"rule", rule.rule_id},
                    {"effect", rule.effect},
                    {"verb", rule.verb},
                    {"who", rule.who},
                    {"what", rule.what}});
    if (!flags.json)
      print_line(std::to_string(rule.rule_id) + "  " + rule.effect + " " + for_terminal(rule.who) + " " +
                 rule.verb + " " + for_terminal(rule.what));
  }
  if (flags.json) print_json(Json{{"ok", true}, {"rules", list}});
  if (rules->empty() && !flags.json)
    note("no rules: everybody who is let in may delegate to everybody, read and write");
  return kDone;
}

int add_rule(const OwnerFlags& flags) {
  const auto added = with_relay(true, [&](StoreSession& session) {
    return clawlink::add_rule(session, {0, flags.effect, flags.verb, flags.who, flags.what}, actor_name());
  });
  if (!added) return fail(added.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"rule", *added}});
  } else {
    print_line("rule " + std::to_string(*added) + " is in force");
  }
  return kDone;
}

int remove_rule(const OwnerFlags& flags) {
  const auto removed = with_relay(
      true, [&](StoreSession& session) { return clawlink::remove_rule(session, flags.rule, actor_name()); });
  if (!removed) return fail(removed.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"removed", flags.rule}});
  } else {
    print_line("rule " + std::to_string(flags.rule) + " is gone");
  }
  return kDone;
}

int verify_record(const OwnerFlags& flags) {
  const auto found =
      with_relay(false, [](StoreSession& session) { return clawlink::verify_record(session); });
  if (!found) return fail(found.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"ok", found->valid},
                    {"rows", found->rows},
                    {"firstBadRow", found->first_bad_row},
                    {"problem", found->problem},
                    {"removedThrough", found->removed ? found->removed->through : 0}});
  } else if (found->valid) {
    print_line("the relay's record is sound: " + std::to_string(found->rows) + " rows" +
               (found->removed
                    ? "; those up to row " + std::to_string(found->removed->through) +
                          " were removed by retention, see row " + std::to_string(found->removed->row)
                    : std::string()));
  } else {
    print_line("the relay's record is not sound: " + found->problem);
  }
  return found->valid ? kDone : kFailed;
}

int show_record(const OwnerFlags& flags) {
  const auto rows = with_relay(false, [&](StoreSession& session) {
    return clawlink::newest_rows(session, static_cast<std::size_t>(flags.limit));
  });
  if (!rows) return fail(rows.error(), flags.json);
  for (const approvals::AuditRow& row : *rows) {
    if (flags.json) {
      print_json_text(approvals::audit_line(row));
    } else {
      print_line(std::to_string(row.sequence) + "  " + format_time(row.at_ms) + "  " + row.kind + "  " +
                 for_terminal(row.body));
    }
  }
  return kDone;
}

int list_files(const OwnerFlags& flags) {
  const auto files = with_relay(false, [](StoreSession& session) { return clawlink::list_files(session); });
  if (!files) return fail(files.error(), flags.json);
  Json list = Json::array();
  for (const clawlink::FileInfo& file : *files) {
    list.push_back({{"file_key", file.file_key},
                    {"version", file.version},
                    {"bytes", file.bytes},
                    {"last_editor", file.last_editor},
                    {"updated_at_ms", file.updated_at_ms}});
    if (!flags.json)
      print_line(for_terminal(file.file_key) + "  version " + std::to_string(file.version) + "  " +
                 std::to_string(file.bytes) + " bytes  " + for_terminal(file.last_editor) + "  " +
                 format_time(file.updated_at_ms));
  }
  if (flags.json) print_json(Json{{"ok", true}, {"files", list}});
  if (files->empty() && !flags.json) note("no agent has put a file there");
  return kDone;
}

int remove_file(const OwnerFlags& flags) {
  const auto removed = with_relay(
      true, [&](StoreSession& session) { return clawlink::remove_file(session, flags.id, actor_name()); });
  if (!removed) return fail(removed.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"removed", flags.id}});
  } else {
    print_line("removed " + for_terminal(flags.id) + " with its versions");
  }
  return kDone;
}

int list_dead_letters(const OwnerFlags& flags) {
  const auto letters = with_relay(false, [&](StoreSession& session) {
    return clawlink::dead_letters(session, static_cast<std::size_t>(flags.limit));
  });
  if (!letters) return fail(letters.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"ok", true}, {"dead_letters", *letters}});
    return kDone;
  }
  for (const Json& letter : *letters)
    print_line(for_terminal(letter["to_agent"].get<std::string>() + "  " + letter["kind"].get<std::string>() +
                            "  " + letter["task_id"].get<std::string>() + "  " +
                            letter["reason"].get<std::string>()));
  return kDone;
}

}  // namespace

void add_clawlink_owner(CLI::App& clawlink, Action& action) {
  const auto flags = std::make_shared<OwnerFlags>();
  const auto child = [&](CLI::App* of, const char* name, const char* what, int (*run)(const OwnerFlags&)) {
    CLI::App* made = of->add_subcommand(name, what);
    made->add_flag("--json", flags->json, "Print JSON");
    made->callback([&action, flags, run] { action = [flags, run] { return run(*flags); }; });
    return made;
  };
  CLI::App* agents = clawlink.add_subcommand("agents", "The agents of this machine's relay");
  agents->require_subcommand(1);
  child(agents, "list", "Every registered agent, and whether it has a credential of its own in use",
        list_agents);
  child(agents, "remove", "Take an agent, its credentials and what waits for it away", remove_agent)
      ->add_option("agent", flags->id, "Its id")
      ->required();

  CLI::App* credentials =
      clawlink.add_subcommand("credentials", "The agents' own tokens; only their hashes are stored");
  credentials->require_subcommand(1);
  child(credentials, "list", "Keys, whose they are, and whether they are in use", list_credentials)
      ->add_option("agent", flags->id, "Of this agent alone");
  child(credentials, "rotate", "Make a new token for an agent; the one in use stays until it is revoked",
        rotate_credential)
      ->add_option("agent", flags->id, "Its id")
      ->required();
  child(credentials, "revoke", "End one key, or all of an agent", revoke)
      ->add_option("key", flags->id, "Key or agent")
      ->required();

  CLI::App* forward = clawlink.add_subcommand(
      "forward",
      "Agents that live elsewhere: their tasks are carried to an A2A endpoint, their answers back");
  forward->require_subcommand(1);
  CLI::App* elsewhere = child(forward, "add", "Name an agent and its endpoint, or change it", add_forward);
  elsewhere->add_option("agent", flags->id, "The id that others delegate to")->required();
  elsewhere->add_option("--url", flags->url, "A2A endpoint of JSON-RPC, such as https://host/a2a/v1")
      ->required();
  elsewhere->add_option("--token-file", flags->token_file, "File with the token that the endpoint wants");
  elsewhere->add_option("--name", flags->name, "How it is called in lists");
  elsewhere->add_option("--skill", flags->skills, "What it can do; may be given again");
  elsewhere->add_flag("--insecure", flags->insecure,
                      "Plain HTTP beyond this machine: whoever is on the network reads tasks and token");
  child(forward, "list", "Those agents, and where they live", list_forwards);
  child(forward, "remove", "Take one away, with what waits for it", remove_forward)
      ->add_option("agent", flags->id, "Its id")
      ->required();

  CLI::App* rules =
      clawlink.add_subcommand("rules", "Who may delegate to whom, and read and write which files");
  rules->require_subcommand(1);
  child(rules, "list", "The rules that are in force", list_rules);
  CLI::App* add = child(rules, "add", "deny wins; what is allowed to some is closed to others", add_rule);
  add->add_option("effect", flags->effect, "allow or deny")
      ->required()
      ->check(CLI::IsMember({"allow", "deny"}));
  add->add_option("who", flags->who, "Agent id, * for any text")->required();
  add->add_option("verb", flags->verb, "What")
      ->required()
      ->check(CLI::IsMember({"delegate", "read", "write"}));
  add->add_option("what", flags->what, "Agent that is asked, or key of a file; * for any text")->required();
  child(rules, "remove", "Take a rule away", remove_rule)
      ->add_option("rule", flags->rule, "Its number")
      ->required();

  CLI::App* files = clawlink.add_subcommand("files", "The files that agents of this machine's relay share");
  files->require_subcommand(1);
  child(files, "list", "Every file, its newest version, and who wrote it", list_files);
  child(files, "remove", "Take a file and its versions away", remove_file)
      ->add_option("key", flags->id, "Its key")
      ->required();

  CLI::App* audit = clawlink.add_subcommand(
      "audit", "The relay's record: tasks, answers, files, credentials, each row bound to the last");
  audit->require_subcommand(1);
  child(audit, "verify", "Look for changed, removed or inserted rows; exit status 1 when there are any",
        verify_record);
  child(audit, "tail", "The newest rows", show_record)
      ->add_option("--limit", flags->limit, "How many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  child(&clawlink, "dead-letters", "Messages and push notifications that could not be delivered",
        list_dead_letters)
      ->add_option("--limit", flags->limit, "How many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

}  // namespace hostclaw::cli
