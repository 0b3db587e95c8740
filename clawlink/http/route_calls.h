// SPDX-License-Identifier: Apache-2.0
// What each route does. For routes.cc alone.
#pragma once

#include <string>
#include <vector>

#include "base/text.h"
#include "clawlink/http/routes.h"

namespace hostclaw::clawlink {

struct RouteCall {
  StoreSession& session;
  const RouteConfig& config;
  const HttpRequest& request;
  const Caller& caller;
  const std::vector<std::string>& captured;  // what stands for the stars of the path
  Json body;                                 // of a POST, an object
};

Result<Reply> relay_info(RouteCall& call);
Result<Reply> register_agent(RouteCall& call);
Result<Reply> deregister_agent(RouteCall& call);
Result<Reply> discover(RouteCall& call);
Result<Reply> heartbeat(RouteCall& call);

Result<Reply> delegate(RouteCall& call);
Result<Reply> respond_to_task(RouteCall& call);
Result<Reply> show_tasks(RouteCall& call);
Result<Reply> show_task(RouteCall& call);
Result<Reply> cancel(RouteCall& call);
Result<Reply> continue_with_message(RouteCall& call);

Result<Reply> poll(RouteCall& call);
Result<Reply> broadcast(RouteCall& call);
Result<Reply> acknowledge_messages(RouteCall& call);
Result<Reply> give_back_message(RouteCall& call);
Result<Reply> extend_message(RouteCall& call);

Result<Reply> save_file(RouteCall& call);
Result<Reply> show_files(RouteCall& call);
Result<Reply> show_file(RouteCall& call);
Result<Reply> show_file_history(RouteCall& call);

// `from_agent` of the body, or the caller's credential.
Result<Sender> sender_of(const RouteCall& call, const char* member = "from_agent");
Error bad_request(const std::string& what);

}  // namespace hostclaw::clawlink
