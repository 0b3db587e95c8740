// SPDX-License-Identifier: Apache-2.0
// The device key signs the checkpoints of the audit chain; whoever has its public part can check them.
// Safe from any thread.
#pragma once

#include <set>
#include <string>

#include "approvals/audit/audit_chain.h"
#include "gateway-proto/device_identity.h"

namespace hostclaw::node_host {

approvals::AuditSigner audit_signer(gateway_proto::DeviceIdentity identity);

// True for a signature that was made with the key that the checkpoint names, where that key belongs to one of
// `device_ids` (its SHA-256); none: any key.
approvals::SignatureCheck audit_signature_check(std::set<std::string> device_ids);

// 32 bytes that only this device knows, for approvals::argv_hash.
std::string audit_hash_key(const gateway_proto::DeviceIdentity& identity);

}  // namespace hostclaw::node_host
