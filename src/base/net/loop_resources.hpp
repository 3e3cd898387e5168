// Purpose: what all connections of one event loop share: one read buffer, and one client TLS context for
// each set of pins, so that a connection need not own either.
// Owner: the io_context (Asio's service mechanism). Thread: the io_context's. Lifetime: the io_context's.
// Inner header of base.
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/net/tls_context.hpp"

namespace starling::net {

namespace asio = boost::asio;

class LoopResources final : public asio::execution_context::service {
 public:
  using key_type = LoopResources;
  inline static asio::execution_context::id id;

  explicit LoopResources(asio::execution_context& context) : asio::execution_context::service(context) {}
  static LoopResources& of(asio::io_context& context) { return asio::use_service<LoopResources>(context); }

  asio::io_context& io() { return static_cast<asio::io_context&>(context()); }

  // For one read and the use of what it gave, without giving control back to the loop in between.
  std::span<char> read_buffer() { return {buffer_.get(), buffer_bytes}; }

  Result<TlsContext> client_tls(const http::TlsTrust& trust) {
    TlsContext& context = client_tls_[trust.pins];
    if (!context) {
      Result<TlsContext> made = make_client_tls(trust);
      if (!made) return fail(made);
      context = std::move(*made);
    }
    return context;
  }

 private:
  void shutdown() override {}

  static constexpr std::size_t buffer_bytes = 64u << 10;
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(buffer_bytes);
  std::map<std::vector<std::string>, TlsContext> client_tls_;
};

}  // namespace starling::net
