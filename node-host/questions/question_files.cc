// SPDX-License-Identifier: Apache-2.0
#include "node-host/questions/question_files.h"

#include <set>

#include "node-host/system/files/file_writers.h"

namespace hostclaw::node_host {

Json question_files(const std::vector<approvals::AskedCommand>& commands, const OpenedFiles& files) {
  Json list = Json::array();
  std::set<std::string> seen;
  for (const approvals::AskedCommand& command : commands) {
    if (command.executable.empty() || !seen.insert(command.executable).second) continue;
    const FileWriters found = file_writers(command.executable, files.descriptor(command.executable));
    Json file = {{"path", command.executable}};
    if (found.known) {
      file["owner"] = found.owner;
      if (!found.mode.empty()) file["mode"] = found.mode;
      file["writers"] = found.writers;
      file["othersCanChange"] = found.others_can_change;
    }
    list.push_back(std::move(file));
  }
  return list;
}

}  // namespace hostclaw::node_host
