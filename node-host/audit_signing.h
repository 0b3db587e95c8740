// The device key signs the checkpoints of the audit chain; whoever has its public part can check them.
// Safe from any thread.
#pragma once

#include <string>

#include "approvals/audit_chain.h"
#include "gateway-proto/device_identity.h"

namespace hostclaw::node_host {

approvals::AuditSigner audit_signer(gateway_proto::DeviceIdentity identity);

// True for a signature that was made with the key that the checkpoint names, where that key belongs to
// `device_id` (its SHA-256); an empty `device_id` accepts any key.
approvals::SignatureCheck audit_signature_check(std::string device_id);

// 32 bytes that only this device knows, for approvals::argv_hash.
std::string audit_hash_key(const gateway_proto::DeviceIdentity& identity);

}  // namespace hostclaw::node_host
