// Purpose: a TUF repository behind a web server.
// Owner: main(). Thread: the io_context's. Lifetime: outlives the client.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include "agent/update/fetcher.hpp"
#include "base/http/client.hpp"

namespace starling::agent {

class HttpFetcher final : public Fetcher {
 public:
  // `base` is the folder that paths are relative to, with or without a '/' at its end. A query of it goes
  // with every request: a hub's /tuf/metadata?fleet=lab.
  HttpFetcher(boost::asio::any_io_executor executor, const http::Url& base, http::TlsTrust trust);

  // Another one from now on.
  void set_query(std::string query) { query_ = std::move(query); }
  void set_token(std::string token) { token_ = std::move(token); }  // empty: it asks as nobody
  // Of streams that begin from now on; 0: none.
  void set_limit(std::uint64_t bytes_per_second) { bytes_per_second_ = bytes_per_second; }

  boost::asio::awaitable<Result<std::string>> fetch(std::string path, std::size_t max_bytes) override;
  boost::asio::awaitable<Result<void>> stream(std::string path, std::uint64_t first, std::uint64_t max_bytes,
                                              Sink sink) override;

 private:
  http::Client::Call call_for(const std::string& path, std::uint64_t max_bytes) const;
  http::Client client_;
  std::string folder_;  // ends with '/'
  std::string query_;   // "" or with its '?'
  std::string token_;
  std::uint64_t bytes_per_second_ = 0;
};

}  // namespace starling::agent
