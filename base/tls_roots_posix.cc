// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <filesystem>

#include "base/tls_roots.h"

namespace hostclaw {

// Debian's OpenSSL knows its own certificate directory; other systems keep the bundle elsewhere.
void load_system_roots(ssl_ctx_st* context) {
  SSL_CTX_set_default_verify_paths(context);
  for (const char* bundle : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                             "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}) {
    std::error_code missing;
    if (std::filesystem::exists(bundle, missing)) {
      SSL_CTX_load_verify_locations(context, bundle, nullptr);
      break;
    }
  }
  ERR_clear_error();  // what could not be read is not the next caller's error
}

}  // namespace hostclaw
