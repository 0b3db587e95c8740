// SPDX-License-Identifier: Apache-2.0
// What every command of the client works with: whom to talk to, and how to say what came of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hostlink/client/exchange.h"
#include "hostlink/client/options.h"
#include "hostlink/client/outcome.h"
#include "hostlink/client/targets.h"
#include "hostlink/proto/messages.h"
#include "hostlink/proto/replies.h"

namespace hostclaw::hostlink {

class V2Requests;

// What is known of the daemon of a target, once there was a request.
struct Connection {
  std::shared_ptr<V2Requests> requests;
  bool is_old = false;  // it takes requests by protocol 1 alone
};

struct Session {
  std::string program;  // the name that messages begin with
  Options options;
  std::vector<std::string> words;
  Target target;
  // Of `target`; copies share it.
  std::shared_ptr<Connection> connection = std::make_shared<Connection>();
};

// A reply and the text that it came as.
struct Answer {
  Reply reply;
  std::string payload;
};

std::string random_text(std::size_t bytes);  // base64url of so many random bytes
std::string new_request_id();

// Sends one request: over protocol 2 where the daemon takes it there, else by protocol 1 with the token in
// it, which is also the way of a command that wants one reply. Requires: no other one of this session is
// under way.
Result<std::unique_ptr<Exchange>> begin_request(const Session& session, Request request);
// The same, and the one reply to it.
Result<Answer> ask(const Session& session, Request request);
// Whether it is the answer of a daemon that is too old for the request.
bool is_unknown_type(const Reply& reply);

// On stdout; an error when not all of it could be written.
Outcome print(std::string_view text, Outcome outcome = {});
// A line on stderr; what a terminal would obey is shown.
void print_message(const Session& session, std::string_view text);
// With -j a line of JSON on stdout as well.
Outcome report(const Session& session, const Error& error);
// Of a reply that is no success: what it says, for people or with -j as it came.
Outcome report(const Session& session, const Answer& answer, std::int64_t exit_code = 0);
void explain(const Session& session, const ReplyHead& head);
std::string one_line(const Answer& answer);  // with its newline

// One for each command of the command line.
Outcome run_ping(Session& session);
Outcome run_targets(Session& session);
Outcome run_df(Session& session);
Outcome run_put(Session& session, bool stream);
Outcome run_get(Session& session, bool stream);
Outcome run_job(Session& session);
Outcome run_exec(Session& session);
// Words as they are, on the host, with stdin and the status passed on.
Outcome run_argv(Session& session, std::vector<std::string> argv, bool quiet);

}  // namespace hostclaw::hostlink
