// SPDX-License-Identifier: Apache-2.0
#include "clawlink/a2a/protocol_0_3.h"

#include <catch2/catch.hpp>

namespace hostclaw::clawlink {
namespace {

Json message_of(const Json& parts, const char* role = "user") {
  return {{"message", {{"kind", "message"}, {"messageId", "m"}, {"role", role}, {"parts", parts}}}};
}

Json parts_from_0_3(const Json& parts) {
  Json params = message_of(parts);
  const auto wrong = params_from_0_3(params);
  INFO(params.dump());
  REQUIRE_FALSE(wrong);
  return params["message"]["parts"];
}

}  // namespace

TEST_CASE("names of the proto are taken for those of JSON, but not inside of what is the caller's own") {
  Json params{{"message",
               {{"message_id", "m"},
                {"context_id", "old"},
                {"contextId", "new"},
                {"parts", Json::array({Json{{"data", {{"my_key", 1}}}, {"media_type", "application/json"}}})},
                {"metadata", {{"my_key", 1}}}}},
              {"page__size_", 1}};
  use_json_names(params);
  CHECK(params["message"] ==
        Json{{"messageId", "m"},
             {"contextId", "new"},
             {"parts", Json::array({Json{{"data", {{"my_key", 1}}}, {"mediaType", "application/json"}}})},
             {"metadata", {{"my_key", 1}}}});
  CHECK(params["pageSize"] == 1);
  Json none = 1;
  use_json_names(none);
  CHECK(none == 1);
}

TEST_CASE("the names of 0.3's methods are 1.0's; what the relay does not translate has none") {
  CHECK(method_from_0_3("message/send") == "SendMessage");
  CHECK(method_from_0_3("message/stream") == "SendStreamingMessage");
  CHECK(method_from_0_3("tasks/get") == "GetTask");
  CHECK(method_from_0_3("tasks/cancel") == "CancelTask");
  CHECK(method_from_0_3("tasks/resubscribe") == "SubscribeToTask");
  for (const char* other : {"SendMessage", "tasks/pushNotificationConfig/set", "tasks/list", "message/Send",
                            "agent/getAuthenticatedExtendedCard", ""})
    CHECK_FALSE(method_from_0_3(other));
}

TEST_CASE("a message of 0.3 is read as 1.0 has it, and parts come back as they went") {
  Json params = message_of(Json::array({Json{{"kind", "text"}, {"text", "hello"}}}));
  CHECK_FALSE(has_shape_of_1_0(params));
  REQUIRE_FALSE(params_from_0_3(params));
  CHECK(params["message"]["role"] == "ROLE_USER");
  CHECK(params["message"]["parts"][0] == Json{{"text", "hello"}});

  const Json parts = Json::array(
      {Json{{"kind", "text"}, {"text", "a"}, {"metadata", {{"k", 1}}}},
       Json{{"kind", "data"}, {"data", {{"a", 1}}}},
       Json{{"kind", "file"}, {"file", {{"bytes", "aGk="}, {"mimeType", "text/plain"}, {"name", "hi.txt"}}}},
       Json{{"kind", "file"}, {"file", {{"uri", "https://example.com/a.png"}}}}});
  const Json now = parts_from_0_3(parts);
  CHECK(now[2] == Json{{"raw", "aGk="}, {"mediaType", "text/plain"}, {"filename", "hi.txt"}});
  CHECK(now[3] == Json{{"url", "https://example.com/a.png"}});
  const Json task{
      {"id", "t"}, {"status", {{"state", "TASK_STATE_COMPLETED"}}}, {"artifacts", {{{"parts", now}}}}};
  CHECK(result_to_0_3(task)["artifacts"][0]["parts"] == parts);
}

TEST_CASE("data of 1.0 that is no object becomes one for readers of 0.3") {
  const Json task{
      {"id", "t"},
      {"status", {{"state", "TASK_STATE_WORKING"}}},
      {"artifacts", {{{"parts", Json::array({Json{{"data", {1, 2}}, {"mediaType", "application/json"}}})}}}}};
  CHECK(result_to_0_3(task)["artifacts"][0]["parts"][0] ==
        Json{{"kind", "data"}, {"data", {{"value", {1, 2}}}}});
}

TEST_CASE("who waits, and who does not, is said the other way round") {
  const auto waits = [](const Json& configuration) {
    Json params = message_of(Json::array({Json{{"kind", "text"}, {"text", "x"}}}));
    params["configuration"] = configuration;
    REQUIRE_FALSE(params_from_0_3(params));
    CHECK_FALSE(params["configuration"].contains("blocking"));
    return params["configuration"]["returnImmediately"] == false;
  };
  CHECK(waits(Json::object()));
  CHECK(waits({{"blocking", true}}));
  CHECK_FALSE(waits({{"blocking", false}}));
}

TEST_CASE("what a call of 0.3 may not carry is refused, and nothing of it is guessed") {
  const auto refused = [](const Json& parts) {
    Json params = message_of(parts);
    const auto wrong = params_from_0_3(params);
    return wrong ? wrong->code : 0;
  };
  for (const Json& part :
       {Json("text"), Json::object(), Json{{"kind", "image"}, {"text", "x"}}, Json{{"kind", "text"}},
        Json{{"kind", "data"}, {"text", "x"}}, Json{{"kind", "file"}}, Json{{"kind", "file"}, {"file", "x"}},
        Json{{"kind", "file"}, {"file", {{"bytes", "aGk="}, {"uri", "https://example.com"}}}}}) {
    CAPTURE(part.dump());
    CHECK(refused(Json::array({Json{{"kind", "text"}, {"text", "fine"}}, part})) == -32602);
  }
  Json push = message_of(Json::array({Json{{"kind", "text"}, {"text", "x"}}}));
  push["configuration"] = {{"pushNotificationConfig", {{"url", "https://example.com/hook"}}}};
  const auto wrong = params_from_0_3(push);
  REQUIRE(wrong);
  CHECK(wrong->code == -32003);
  // Whatever else is wrong is found by 1.0's own checks.
  for (Json odd : {Json(), Json::array(), Json{{"message", 1}}, Json{{"message", {{"parts", 1}}}},
                   Json{{"configuration", 1}}}) {
    CAPTURE(odd.dump());
    CHECK_FALSE(params_from_0_3(odd));
    CHECK_FALSE(has_shape_of_1_0(odd));
  }
}

TEST_CASE("1.0's words under a name of 0.3 are 1.0") {
  CHECK(has_shape_of_1_0(message_of(Json::array({Json{{"text", "x"}}}), "ROLE_USER")));
  CHECK(has_shape_of_1_0(message_of(Json::array({Json{{"text", "x"}}}))));
  CHECK(has_shape_of_1_0(message_of(Json::array({Json{{"kind", "text"}, {"text", "x"}}}), "ROLE_USER")));
  CHECK_FALSE(has_shape_of_1_0(message_of(Json::array({Json{{"kind", "text"}, {"text", "x"}}}))));
  CHECK_FALSE(has_shape_of_1_0(message_of(Json::array())));
  CHECK_FALSE(has_shape_of_1_0({{"id", "t"}}));
}

TEST_CASE("tasks and updates are told in 0.3's words, and the last of a stream says so") {
  const Json message{
      {"messageId", "m"}, {"role", "ROLE_AGENT"}, {"parts", Json::array({Json{{"text", "which?"}}})}};
  const Json status{
      {"state", "TASK_STATE_INPUT_REQUIRED"}, {"message", message}, {"timestamp", "2027-01-15T08:00:00Z"}};
  const Json task = result_to_0_3(
      {{"task", {{"id", "t"}, {"contextId", "c"}, {"status", status}, {"history", {message}}}}});
  CHECK(task["kind"] == "task");
  CHECK(task["status"]["state"] == "input-required");
  CHECK(task["status"]["message"]["kind"] == "message");
  CHECK(task["status"]["message"]["role"] == "agent");
  CHECK(task["history"][0]["parts"][0] == Json{{"kind", "text"}, {"text", "which?"}});

  const auto update = [](const char* state) {
    return result_to_0_3(
        {{"statusUpdate", {{"taskId", "t"}, {"contextId", "c"}, {"status", {{"state", state}}}}}});
  };
  CHECK(update("TASK_STATE_WORKING")["kind"] == "status-update");
  CHECK(update("TASK_STATE_WORKING")["final"] == false);
  CHECK(update("TASK_STATE_INPUT_REQUIRED")["final"] == true);
  CHECK(update("TASK_STATE_CANCELED")["final"] == true);
  CHECK(update("TASK_STATE_CANCELED")["status"]["state"] == "canceled");
  const Json artifact = result_to_0_3({{"artifactUpdate",
                                        {{"taskId", "t"},
                                         {"artifact", {{"artifactId", "a"}, {"parts", {{{"text", "x"}}}}}},
                                         {"lastChunk", true}}}});
  CHECK(artifact["kind"] == "artifact-update");
  CHECK(artifact["artifact"]["parts"][0]["kind"] == "text");
  CHECK(artifact["lastChunk"] == true);

  const Json error = error_to_0_3(a2a_error("TASK_NOT_FOUND"));
  CHECK(error["code"] == -32001);
  CHECK_FALSE(error.contains("data"));
}

TEST_CASE("one card serves readers of both, and 1.0's members stay as they are") {
  Agent agent;
  agent.agent_id = "worker";
  CardWish wish;
  wish.version = "1";
  wish.wants_token = true;
  const Json card = agent_card(agent, "https://relay.example", wish);
  const Json both = card_for_both(card);
  CHECK(both["url"] == "https://relay.example/a2a/agents/worker");
  CHECK(both["preferredTransport"] == "JSONRPC");
  CHECK(both["protocolVersion"] == "0.3.0");
  CHECK(both["securitySchemes"]["bearer"]["type"] == "http");
  CHECK(both["security"] == Json::array({Json{{"bearer", Json::array()}}}));
  for (const auto& [name, value] : card.items()) {
    if (name != "securitySchemes") CHECK(both[name] == value);
  }
  CHECK(both["securitySchemes"]["bearer"]["httpAuthSecurityScheme"]["scheme"] == "Bearer");
  wish.wants_token = false;
  CHECK_FALSE(card_for_both(agent_card(agent, "https://relay.example", wish)).contains("security"));
}

}  // namespace hostclaw::clawlink
