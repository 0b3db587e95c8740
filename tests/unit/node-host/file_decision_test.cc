// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/file_decision.h"

#include <catch2/catch.hpp>

namespace hostclaw::node_host {
namespace {

using policy::DecisionCode;
using policy::Verdict;

FileAsked reading(const std::string& real_path) {
  FileAsked asked;
  asked.operation = "get";
  asked.path = asked.real_path = real_path;
  asked.grant = {true, false, {"/srv/app", "/data"}, {"**.pem"}};
  return asked;
}

Origin web() {
  Origin origin;
  origin.door = kHostlinkDoor;
  origin.principal.name = "web";
  return origin;
}

TEST_CASE("a file is reached beneath a root, and a name that only begins like one is none") {
  struct Row {
    const char* path;
    DecisionCode code;
  };
  const Row row = GENERATE(values<Row>({{"/srv/app", DecisionCode::kFileGranted},
                                        {"/srv/app/a", DecisionCode::kFileGranted},
                                        {"/data/b/c", DecisionCode::kFileGranted},
                                        {"/srv/apple", DecisionCode::kFileOutsideRoots},
                                        {"/srv", DecisionCode::kFileOutsideRoots},
                                        {"/", DecisionCode::kFileOutsideRoots},
                                        {"/etc/shadow", DecisionCode::kFileOutsideRoots},
                                        {"/data/key.pem", DecisionCode::kFileDenied}}));
  CAPTURE(row.path);
  const policy::Decision decision = decide_file(reading(row.path), web());
  CHECK(decision.code == row.code);
  CHECK((decision.verdict == Verdict::kAllow) == (row.code == DecisionCode::kFileGranted));
  CHECK_FALSE(decision.explanation.empty());
}

TEST_CASE("where a path really leads decides, not how it was written") {
  FileAsked asked = reading("/etc/shadow");
  asked.path = "/srv/app/link";
  CHECK(decide_file(asked, web()).code == DecisionCode::kFileOutsideRoots);
  asked.real_path = "/data/key.pem";
  CHECK(decide_file(asked, web()).code == DecisionCode::kFileDenied);
  asked.real_path.clear();
  asked.problem = make_error("EACCES", "/srv/app/link: Permission denied");
  CHECK(decide_file(asked, web()).code == DecisionCode::kFileUnreachable);
}

TEST_CASE("rights come before roots, and a run of this node has none by a token") {
  FileAsked asked = reading("/srv/app/a");
  asked.access = FileAsked::Access::kWrite;
  const policy::Decision writing = decide_file(asked, web());
  CHECK(writing.code == DecisionCode::kOriginNotGranted);
  CHECK(writing.detail == "files-write");
  CHECK_FALSE(writing.next.empty());
  asked.grant.may_write = true;
  CHECK(decide_file(asked, web()).verdict == Verdict::kAllow);
  Origin within = web();
  within.within = Origin::Within{"main", "", "gateway"};
  CHECK(decide_file(asked, within).code == DecisionCode::kOriginNotGranted);
}

}  // namespace
}  // namespace hostclaw::node_host
