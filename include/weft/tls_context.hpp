// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/tls_error.hpp"

struct ssl_ctx_st;

namespace weft {

namespace tls {
class engine;
}

enum class tls_version { tls_1_2, tls_1_3 };

enum class tls_verify {
  none,  ///< take any peer: the line is secret, but to whom is not known
  peer,  ///< a client: the server must prove its name. A server: a client may show a certificate, which must be good
  required,  ///< a server: each client must show one
};

/// Keys, certificates and rules that many `tls_stream`s share.
///
/// A client's trusts the system's authorities and verifies servers by name; a server's needs a certificate. Both speak TLS 1.2
/// and 1.3 with OpenSSL's choice of ciphers. In a library of its own: link weft::tls.
///
///     weft::tls_context context = weft::tls_context::server();
///     context.certificate_files("chain.pem", "key.pem").alpn({"http/1.1"});
///
/// Threads   A handle: copies share one context. It is set up before streams use it; later only `on_server_name`, `resume`
///           and `alpn` must not be called any more.
/// Lifetime  One that was moved away has nothing: its calls, and the making of a stream of it, throw std::logic_error.
/// Errors    std::system_error of openssl_category(): a file that cannot be read, a key that does not fit, a key with a
///           password (it is never asked for).
class tls_context {
 public:
  static tls_context client();
  static tls_context server();
  tls_context(const tls_context& other) noexcept;
  tls_context(tls_context&& other) noexcept;
  tls_context& operator=(tls_context other) noexcept;
  ~tls_context();

  /// Who this side is: PEM files with the certificate and those between it and the authority, and its private key.
  tls_context& certificate_files(const std::string& chain, const std::string& key);
  /// The same from PEM texts.
  tls_context& certificate(std::string_view chain, std::string_view key);
  /// Trusts further authorities: of a PEM file, or of a PEM text.
  tls_context& trust_file(const std::string& path);
  tls_context& trust(std::string_view authorities);
  tls_context& verify(tls_verify how);
  /// Application protocols (RFC 7301), the most wanted first: "h2", "http/1.1". A server refuses a client with whom it has
  /// none in common; a client that names none is served.
  /// An empty list takes them back.
  /// @throws std::system_error  invalid_argument: a name is empty or longer than 255 bytes, or all together are too long
  tls_context& alpn(const std::vector<std::string>& protocols);
  tls_context& minimum(tls_version version);
  /// A client: keeps what servers give it (tickets) to save most of the handshake the next time, the newest one for each of at
  /// most @p hosts names; 0, the default, keeps none. A later stream of this context for the same name shows it, as TLS 1.3
  /// wants it once, and a server that does not accept it shakes hands as ever: see `tls_stream::resumed`. The server has
  /// proven its name when the ticket was given. A server needs no such call: it gives tickets, and accepts its own.
  tls_context& resume(std::size_t hosts);
  /// A server with several names: called with the name that a client asks for ("" for none), it says which context serves
  /// it; nothing for this one. Called in the midst of a handshake: it may not wait. If it throws, or gives a context that was
  /// moved away, the client is refused. An empty function takes it back.
  tls_context& on_server_name(std::function<std::optional<tls_context>(std::string_view)> choose);

  /// For everything else that OpenSSL offers.
  /// @return nullptr if it was moved away
  ssl_ctx_st* native_handle() const noexcept { return handle_; }

 private:
  explicit tls_context(ssl_ctx_st* handle) noexcept : handle_(handle) {}
  friend class tls::engine;
  ssl_ctx_st* held() const;
  ssl_ctx_st* handle_;
};

}  // namespace weft
