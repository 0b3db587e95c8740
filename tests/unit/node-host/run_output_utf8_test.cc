// SPDX-License-Identifier: Apache-2.0
// Where there is no other encoding than UTF-8.
#include <catch2/catch.hpp>

#include "node-host/run/run_output.h"

namespace hostclaw::node_host {
namespace {

TEST_CASE("ill-formed bytes are shown and counted, also at the end of complete output") {
  OutputCapture capture(OutputLimits{100, {}});
  capture.append(Stream::kStandardOutput,
                 "a\xFF"
                 "b\xE2\x82");
  RunOutcome outcome;
  capture.finish(outcome);
  CHECK(outcome.standard_output.text ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
  CHECK(outcome.standard_output.replaced == 2);
  CHECK(outcome.standard_output.kept_bytes == 5);
}

}  // namespace
}  // namespace hostclaw::node_host
