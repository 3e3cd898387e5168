// Purpose: whether a selector is what somebody meant: one that no device matches, or that cannot be read, may
// be the name of a device, or a slip of the pen. Owner: values. Thread: one; asks the hub. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/api_client.hpp"

namespace starling::cli {

inline constexpr std::string_view device_option = "--device ";

// "'bear-1' is a device, and --on takes labels: write --device bear-1"; empty: no device is called so.
// `instead` is what to write before the name. Only a hint.
std::string device_meant(ApiClient& api, std::string_view selector, std::string_view instead = device_option);

// What came of a query by that selector, which the hub did not answer.
std::unexpected<Error> query_failed(ApiClient& api, const Result<JsonObject>& answer,
                                    std::string_view selector, std::string_view instead = device_option);

// Errors: invalid_argument (a device's name), not_found (no device matches now, with what was probably
// meant). `advice`, a sentence's begin, is told with the latter. What the hub does not answer is for what
// follows to tell.
Result<void> check_some_match(ApiClient& api, std::string_view selector,
                              std::string_view instead = device_option, std::string_view advice = {});

}  // namespace starling::cli
