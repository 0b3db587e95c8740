// SPDX-License-Identifier: Apache-2.0
#include "node-host/record/audit_signing.h"

#include "base/sha256.h"
#include "base/text.h"

namespace hostclaw::node_host {

approvals::AuditSigner audit_signer(gateway_proto::DeviceIdentity identity) {
  approvals::AuditSigner signer;
  signer.key = identity.public_key();
  signer.sign = [identity = std::move(identity)](std::string_view statement) -> Result<std::string> {
    return identity.sign(statement);
  };
  return signer;
}

approvals::SignatureCheck audit_signature_check(std::set<std::string> device_ids) {
  return [device_ids = std::move(device_ids)](const std::string& key, std::string_view statement,
                                              const std::string& signature) {
    const auto raw = from_base64url(key);
    if (!raw) return false;
    const std::string_view bytes(reinterpret_cast<const char*>(raw->data()), raw->size());
    if (!device_ids.empty() && !device_ids.contains(sha256_hex(bytes))) return false;
    return gateway_proto::is_signed_by(key, statement, signature);
  };
}

std::string audit_hash_key(const gateway_proto::DeviceIdentity& identity) {
  const Sha256Digest digest = sha256("hostclaw-argv-key-v1\n" + identity.private_key_pem());
  return std::string(digest.begin(), digest.end());
}

}  // namespace hostclaw::node_host
