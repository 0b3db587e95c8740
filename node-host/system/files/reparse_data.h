// SPDX-License-Identifier: Apache-2.0
// Where a link of Windows leads, read from its data without opening what it leads to: opening a name of the
// network is enough to log on there. The data is whatever somebody has put on the disk: every length in it is
// checked. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace hostclaw::node_host {

enum class LinkKind {
  kLocal,     // `C:\dir`, or `Volume{...}\dir` for a volume without a letter
  kRelative,  // to the directory that the link lies in
  kRemote,    // the network, or a device that is no volume
  kAlias,     // an App Execution Alias: `target` is the program of the Store that it stands for
};

struct LinkTarget {
  LinkKind kind = LinkKind::kLocal;
  std::u16string target;  // without `\??\` or `\\?\`
};

// `data`: what FSCTL_GET_REPARSE_POINT answers. Nothing for what is no link (placeholders of files that are
// kept elsewhere) and for data that makes no sense.
std::optional<LinkTarget> read_reparse_data(std::span<const std::uint8_t> data);

}  // namespace hostclaw::node_host
