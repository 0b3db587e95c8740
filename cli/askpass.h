// SPDX-License-Identifier: Apache-2.0
// What ssh and git start to ask a person (SSH_ASKPASS), seen from a run: there is nobody. The question goes
// to standard error, where the caller of the run reads it, and nothing is answered.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace hostclaw::cli {

// The exit status when this process was started so: in a run, with one word that is a sentence. No verb is
// one. `arguments`: the program's name first.
std::optional<int> refuse_to_answer(const std::vector<std::string>& arguments);

}  // namespace hostclaw::cli
