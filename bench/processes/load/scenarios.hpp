// Purpose: what the load client can be asked to do. Owner: none. Thread: one. Lifetime: one call a process.
#pragma once

#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "bench/processes/load/arguments.hpp"

namespace starling::bench {

struct Scenario {
  std::string_view name;
  std::string_view summary;
  Result<JsonObject> (*run)(const Arguments& arguments);
};

const std::vector<Scenario>& scenarios();

// Of starling_scenarios.cpp.
Result<JsonObject> starling_fanout(const Arguments& arguments);
Result<JsonObject> starling_one_change(const Arguments& arguments);
Result<JsonObject> starling_hold(const Arguments& arguments);
Result<JsonObject> starling_storm(const Arguments& arguments);

}  // namespace starling::bench
