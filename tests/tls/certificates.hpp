// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace weft::test {

/// A certificate and its key, made on the spot and good for an hour.
class identity {
 public:
  /// @param names   subjectAltName as OpenSSL's configuration has it: "DNS:a.example,IP:127.0.0.1"; empty: an authority
  /// @param issuer  who signs it; nullptr: itself
  explicit identity(const std::string& names, const identity* issuer = nullptr)
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    X509* const c = certificate_.get();
    static long serial = 0;
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c), -60);
    X509_gmtime_adj(X509_getm_notAfter(c), 3600);
    X509_set_pubkey(c, key_.get());
    const std::string common = names.empty() ? "weft test authority" : "weft test";
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0);
    X509_set_issuer_name(c, X509_get_subject_name(issuer == nullptr ? c : issuer->certificate_.get()));
    extend(NID_basic_constraints, names.empty() ? "critical,CA:TRUE" : "CA:FALSE");
    if (!names.empty()) extend(NID_subject_alt_name, names);
    EVP_PKEY* const signer = issuer == nullptr ? key_.get() : issuer->key_.get();
    if (X509_sign(c, signer, EVP_sha256()) == 0) throw std::runtime_error("the certificate cannot be signed");
  }

  std::string pem() const {
    return text([&](BIO* to) { return PEM_write_bio_X509(to, certificate_.get()); });
  }
  /// @param password  what it is encrypted with; empty: not at all
  std::string key_pem(const std::string& password = {}) const {
    return text([&](BIO* to) {
      return PEM_write_bio_PKCS8PrivateKey(to, key_.get(), password.empty() ? nullptr : EVP_aes_128_cbc(),
                                           password.c_str(), static_cast<int>(password.size()), nullptr, nullptr);
    });
  }

 private:
  void extend(int kind, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()), X509_EXTENSION_free);
    if (extension == nullptr || X509_add_ext(certificate_.get(), extension.get(), -1) != 1) {
      throw std::runtime_error("not an extension: " + value);
    }
  }
  template <class Write>
  static std::string text(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    if (write(bio.get()) != 1) throw std::runtime_error("cannot be written as PEM");
    char* bytes = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio.get(), &bytes));
    return {bytes, size};
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

}  // namespace weft::test
