// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <csignal>

#include "audit_chain_fixture.h"
#include "processes.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

TEST_CASE("processes that append at once make one chain, and a killed one leaves it whole",
          "[audit][processes]") {
  ChainFixture f;
  f.store.reset();
  std::vector<pid_t> children;
  int channel[2];
  REQUIRE(::pipe(channel) == 0);
  for (int i = 0; i < 4; ++i) {
    children.push_back(start_child([&, i] {
      auto store = Store::open(f.base.path(), OpenMode::kReadWrite);
      if (!store) return 1;
      AuditChain chain(**store, f.options());
      for (int row = 0; i == 0 || row < 50; ++row) {
        if (!chain.append("decision", {{"process", i}, {"row", row}})) return 2;
        if (i == 0 && ::write(channel[1], "x", 1) != 1) return 3;
      }
      return 0;
    }));
  }
  ::close(channel[1]);
  for (std::size_t i = 1; i < children.size(); ++i) CHECK(wait_for_child(children[i]) == 0);
  ::kill(children[0], SIGKILL);
  CHECK(wait_for_child(children[0]) == 128 + SIGKILL);
  std::int64_t acknowledged = 150;
  char byte = 0;
  while (::read(channel[0], &byte, 1) == 1) ++acknowledged;
  f.store = open_store(f.base.path());
  AuditChain chain(*f.store, f.options());
  const AuditVerification result = must(chain.verify(checking()));
  CHECK(result.problem == "");
  CHECK(result.valid);
  const std::int64_t decisions = must(chain.stats()).by_kind.at("decision");
  CHECK(decisions >= acknowledged);
  CHECK(decisions <= acknowledged + 1);
}

}  // namespace
}  // namespace hostclaw::approvals
