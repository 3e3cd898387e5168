#include "hub/device_link/link_errors.hpp"

#include "protocol/excerpt.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_said_bytes = 1000;

}  // namespace

protocol::LinkError bad_message(const Error& error) {
  return {"bad_message", protocol::excerpt(error.message, max_said_bytes), true};
}

// A newer end may say what this hub does not know yet.
protocol::LinkError unknown_type(const protocol::Unknown& message) {
  return {"unknown_type", "this hub does not know messages of type '" + message.type + "'", true};
}

}  // namespace starling::hub
