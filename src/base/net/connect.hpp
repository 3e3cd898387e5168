// Purpose: a connected stream to a URL's host, with TLS where it asks for it.
// Owner: the caller. Thread: the io_context's. Lifetime: one coroutine.
// Inner header of base.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "base/http/client.hpp"
#include "base/net/deadline.hpp"
#include "base/net/socket_stream.hpp"
#include "base/result.hpp"

namespace starling::net {

// Names are looked up on a thread of their own; a look-up that outlives the deadline is left behind.
// Errors: unavailable, timed_out, permission_denied (TLS).
asio::awaitable<Result<SocketStream>> connect(asio::io_context& context, const http::Url& url,
                                              const http::TlsTrust& trust, const std::string& source_address,
                                              Deadline& deadline);

// Waits until the stream may be read or written. Errors: timed_out, unavailable (cancelled).
asio::awaitable<Result<void>> wait_for(SocketStream& stream, SocketStream::Descriptor::wait_type what,
                                       Deadline& deadline);

// Errors: timed_out, unavailable.
asio::awaitable<Result<void>> write_all(SocketStream& stream, std::string_view bytes, Deadline& deadline);

}  // namespace starling::net
