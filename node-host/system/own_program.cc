#include "node-host/system/own_program.h"

#include "node-host/system/file_handles.h"
#include "node-host/system/host_facts.h"

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
