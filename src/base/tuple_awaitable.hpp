// Purpose: awaits an asynchronous operation whose error is looked at, not thrown.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace starling {

inline constexpr auto tuple_awaitable = boost::asio::as_tuple(boost::asio::use_awaitable);

}  // namespace starling
