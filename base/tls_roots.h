// SPDX-License-Identifier: Apache-2.0
// The certificate authorities that this system trusts. Thread rule: that of the context.
#pragma once

struct ssl_ctx_st;

namespace hostclaw {

// Adds what can be found; without any, every chain that is not pinned or named otherwise is refused.
void load_system_roots(ssl_ctx_st* context);

}  // namespace hostclaw
