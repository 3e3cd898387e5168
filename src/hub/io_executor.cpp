#include "hub/io_executor.hpp"

#include <boost/asio/post.hpp>

namespace starling::hub {

void IoExecutor::post(std::function<void()> work) {
  boost::asio::post(executor_, std::move(work));
}

}  // namespace starling::hub
