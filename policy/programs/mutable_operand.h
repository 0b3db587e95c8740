// SPDX-License-Identifier: Apache-2.0
// The file that a mutable operand names, where the word holds more or less than its name: `awk -fFILE`,
// `sed --file=FILE`, `python3 -m MODULE`. Exec contract 11.3. Pure but for looks through the FileProbe; safe
// from any thread.
#pragma once

#include <string>

#include "policy/programs/wrappers.h"

namespace hostclaw::policy {

struct OperandFile {
  MutableOperand operand;
  std::string file;  // relative to the working directory or absolute; empty unless operand.kind is kIndex
};

// As find_mutable_operand(), with the file. What a separate word does not name is found only where nobody but
// root and this process's user can change it: its content is compared when the run is decided, and no copy of
// it can take its place (kUnbindable otherwise).
OperandFile find_operand_file(const MutableOperandInput& input, FileProbe& files);

}  // namespace hostclaw::policy
