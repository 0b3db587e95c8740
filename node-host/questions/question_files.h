// SPDX-License-Identifier: Apache-2.0
// What a question says about the files that would run: looked up when it is asked, by the node, so that
// everybody who reads the question sees what was true then.
#pragma once

#include <vector>

#include "approvals/questions/questions.h"
#include "base/json.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

// [{"path", "owner", "mode", "writers": [...], "othersCanChange"}], each file once; a file that cannot be
// seen has its path only. Safe on the thread that uses `files`.
Json question_files(const std::vector<approvals::AskedCommand>& commands, const OpenedFiles& files);

}  // namespace hostclaw::node_host
