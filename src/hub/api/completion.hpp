// Purpose: awaits what answers through a callback.
// Owner: none. Thread: the hub's. Lifetime: the awaiting coroutine's.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

namespace starling::hub {

namespace asio = boost::asio;

// `begin` gets the callback; it is called once, on the hub's thread.
// The operation is named before it is awaited: GCC 12 destroys twice what is made in the same expression.
template <typename T, typename Begin>
asio::awaitable<T> completion_of(Begin begin) {
  auto initiate = [&begin](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    begin([shared](T outcome) { std::move (*shared)(std::move(outcome)); });
  };
  auto operation =
      asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(initiate, asio::use_awaitable);
  co_return co_await std::move(operation);
}

}  // namespace starling::hub
