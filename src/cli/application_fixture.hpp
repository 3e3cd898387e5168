// Purpose: runs the command line against a FakeHub, as main() does against a hub.
// Owner: the test. Thread: the test's; the hub has its own. Lifetime: one test.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/application.hpp"
#include "cli/fake_hub.hpp"

namespace starling::cli {

struct Ran {
  int code = 0;
  std::string out, err;
};

class ApplicationTest : public testing::Test {
 protected:
  Ran run(const std::vector<std::string>& arguments, const std::string& input = {}) {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    Console console(in, out, err, {}, {});
    const Environment environment = [this](const char* name) -> std::optional<std::string> {
      const auto variable = environment_.find(name);
      if (variable == environment_.end()) return std::nullopt;
      return variable->second;
    };
    const int code = run_application(arguments, environment, console, clock_);
    return {code, out.str(), err.str()};
  }

  FakeHub& hub() {
    if (!hub_) {
      hub_ = std::make_unique<FakeHub>();
      environment_["STARLING_HUB"] = hub_->address();
      environment_["STARLING_KEY"] = "sk_test";
    }
    return *hub_;
  }

  SystemClock clock_;
  std::map<std::string, std::string> environment_;

 private:
  std::unique_ptr<FakeHub> hub_;
};

}  // namespace starling::cli
