// SPDX-License-Identifier: Apache-2.0
// A key of its own and a certificate that vouches for itself, for tests of TLS.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <memory>
#include <string>

namespace hostclaw::testing {

struct SelfSigned {
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key{nullptr, EVP_PKEY_free};
  std::unique_ptr<X509, void (*)(X509*)> certificate{X509_new(), X509_free};

  // Valid from `begins` to `ends`, in seconds from now. `alternatives`: "DNS:localhost,IP:127.0.0.1"; null:
  // none.
  explicit SelfSigned(const char* common_name, const char* alternatives = nullptr, long begins = -3600,
                      long ends = 86'400) {
    std::string curve = "P-256";
    key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve.data()));
    X509* const made = certificate.get();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), begins);
    X509_gmtime_adj(X509_getm_notAfter(made), ends);
    X509_set_pubkey(made, key.get());
    X509_NAME* const name = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name),
                               -1, -1, 0);
    X509_set_issuer_name(made, name);
    if (alternatives != nullptr) {
      X509_EXTENSION* const names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternatives);
      X509_add_ext(made, names, -1);
      X509_EXTENSION_free(names);
    }
    REQUIRE(X509_sign(made, key.get(), EVP_sha256()) > 0);
  }

  void write_certificate(const std::string& path) const {
    write(path, [this](std::FILE* out) { return PEM_write_X509(out, certificate.get()); });
  }
  void write_key(const std::string& path) const {
    write(path, [this](std::FILE* out) {
      return PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

 private:
  template <class Write>
  static void write(const std::string& path, Write&& content) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::fopen(path.c_str(), "w"), std::fclose);
    REQUIRE(out);
    REQUIRE(content(out.get()) == 1);
  }
};

}  // namespace hostclaw::testing
