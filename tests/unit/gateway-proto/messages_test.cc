// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/messages.h"

#include <catch2/catch.hpp>

using namespace hostclaw;
using namespace hostclaw::gateway_proto;

TEST_CASE("an invocation is read with trimmed names and its remaining budget") {
  const auto request = invoke_request_from(Json::parse(
      R"({"id":" a ","nodeId":"n","command":"system.which","paramsJSON":"{}","timeoutMs":4996.5,"idempotencyKey":"k","other":1})"));
  REQUIRE(request.has_value());
  CHECK(request->id == "a");
  CHECK(request->params_json == "{}");
  CHECK(request->timeout_ms == 4996);
}

TEST_CASE("a budget of zero or none means no deadline") {
  CHECK_FALSE(
      invoke_request_from(Json::parse(R"({"id":"a","nodeId":"n","command":"c","timeoutMs":0})"))->timeout_ms);
  CHECK_FALSE(invoke_request_from(Json::parse(R"({"id":"a","nodeId":"n","command":"c","timeoutMs":"9"})"))
                  ->timeout_ms);
}

TEST_CASE("an object member params stands in for missing paramsJSON") {
  CHECK(invoke_request_from(Json::parse(R"({"id":"a","nodeId":"n","command":"c","params":{"x":1}})"))
            ->params_json == R"({"x":1})");
  CHECK_FALSE(invoke_request_from(Json::parse(R"({"id":"a","nodeId":"n","command":"c","paramsJSON":null})"))
                  ->params_json);
}

TEST_CASE("an invocation without id, node or command is a peer fault") {
  for (const char* bad : {"null", "[]", "{}", R"({"id":" ","nodeId":"n","command":"c"})",
                          R"({"id":"a","nodeId":1,"command":"c"})", R"({"id":"a","nodeId":"n"})"}) {
    CHECK(invoke_request_from(Json::parse(bad)).error().code == "FRAME_INVALID");
  }
}

TEST_CASE("results hold exactly the members that the closed schema knows") {
  InvokeRequest request;
  request.id = "i";
  request.node_id = "n";
  CHECK(Json::parse(invoke_result_params(request, InvokeResult::success(Json{{"a", 1}}))) ==
        Json{{"id", "i"}, {"nodeId", "n"}, {"ok", true}, {"payloadJSON", R"({"a":1})"}});
  CHECK(Json::parse(invoke_result_params(request, InvokeResult::object(Json{{"a", 1}}))) ==
        Json{{"id", "i"}, {"nodeId", "n"}, {"ok", true}, {"payload", {{"a", 1}}}});
  CHECK(Json::parse(invoke_result_params(request, InvokeResult::failure("UNAVAILABLE", "m"))) ==
        Json{{"id", "i"},
             {"nodeId", "n"},
             {"ok", false},
             {"error", {{"code", "UNAVAILABLE"}, {"message", "m"}}}});
  CHECK(Json::parse(node_event_params("exec.finished", R"("{}")")) ==
        Json{{"event", "exec.finished"}, {"payloadJSON", "{}"}});
}

TEST_CASE("cancels and pairing news of a wrong shape are ignored") {
  CHECK(cancelled_invoke_id(Json{{"invokeId", "x"}}) == "x");
  CHECK(cancelled_invoke_id(Json()).empty());
  CHECK_FALSE(pair_resolved_from(Json{{"nodeId", "n"}}));
  CHECK(pair_resolved_from(Json{{"nodeId", "n"}, {"decision", "approved"}})->decision == "approved");
}
