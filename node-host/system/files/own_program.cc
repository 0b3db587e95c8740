// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/own_program.h"

#include "node-host/system/files/file_handles.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::node_host {

const policy::OwnProgram& own_program() {
  static const policy::OwnProgram own = [] {
    OpenedFiles files;
    const policy::FileFacts facts = files.facts(executable_path());
    return policy::OwnProgram{facts.real_path, facts.identity};
  }();
  return own;
}

}  // namespace hostclaw::node_host
