// Purpose: JSON of which a test knows that it is some. Owner: a test. Thread: any. Lifetime: none.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "base/json.hpp"

namespace starling::protocol {

inline Json parsed(std::string_view text) {
  const Result<Json> value = parse_json(text);
  EXPECT_TRUE(value) << (value ? "" : value.error().message);
  return value ? *value : Json();
}

}  // namespace starling::protocol
