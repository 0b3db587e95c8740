// SPDX-License-Identifier: Apache-2.0
// windows.h and wincrypt.h first: they have macros named as types of OpenSSL, which takes them away again.
#include <windows.h>
// Order matters.
#include <wincrypt.h>
// Order matters.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

#include "base/tls_roots.h"

namespace hostclaw {

// OpenSSL has no bundle of its own here. Windows adds a root to its store when a chain first needs it; the
// well-known ones are there from the beginning or come with that chain's first use by another program.
void load_system_roots(ssl_ctx_st* context) {
  const HCERTSTORE store = ::CertOpenSystemStoreW(0, L"ROOT");
  if (store == nullptr) return;
  X509_STORE* const trusted = SSL_CTX_get_cert_store(context);
  PCCERT_CONTEXT certificate = nullptr;
  while ((certificate = ::CertEnumCertificatesInStore(store, certificate)) != nullptr) {
    const unsigned char* der = certificate->pbCertEncoded;
    const std::unique_ptr<X509, void (*)(X509*)> root(
        d2i_X509(nullptr, &der, static_cast<long>(certificate->cbCertEncoded)), X509_free);
    if (root) X509_STORE_add_cert(trusted, root.get());
  }
  ::CertCloseStore(store, 0);
  ERR_clear_error();  // a certificate that OpenSSL does not understand is not the next caller's error
}

}  // namespace hostclaw
