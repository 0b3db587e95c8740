// SPDX-License-Identifier: Apache-2.0
// The certificate authorities of Windows, as OpenSSL sees them.
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <catch2/catch.hpp>
#include <memory>

#include "base/tls_roots.h"

namespace hostclaw::node_host {
namespace {

TEST_CASE("the roots that Windows trusts are trusted") {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  REQUIRE(context);
  const auto trusted = [&] {
    return sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context.get())));
  };
  REQUIRE(trusted() == 0);
  load_system_roots(context.get());
  // The machine has some, however few; a store that cannot be read would give none.
  CHECK(trusted() > 10);
}

}  // namespace
}  // namespace hostclaw::node_host
