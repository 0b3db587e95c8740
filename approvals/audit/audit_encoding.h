// SPDX-License-Identifier: Apache-2.0
// The bytes that a row's hash covers. See audit_chain.h for the layout. Used by this room only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hostclaw::approvals {

inline constexpr std::string_view kChainKind = "chain";
inline constexpr std::string_view kCheckpointKind = "checkpoint";
inline constexpr std::string_view kPrunedKind = "pruned";
inline constexpr std::string_view kAdoptedKind = "adopted";
inline constexpr std::string_view kDecisionKind = "decision";
inline constexpr std::string_view kStartKind = "start";
inline constexpr std::string_view kStopKind = "stop";

std::string audit_zero_hash();                      // 32 zero bytes, what row 1 follows
std::string audit_hash(std::string_view encoding);  // 32 raw bytes

// Replaces the content of `out`, so that a long verification reuses one buffer.
void encode_audit_row(std::string_view previous, std::int64_t sequence, std::int64_t at_ms,
                      std::string_view kind, std::string_view body, std::string& out);

}  // namespace hostclaw::approvals
