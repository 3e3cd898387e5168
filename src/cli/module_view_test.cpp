#include "cli/module_view.hpp"

#include <gmock/gmock.h>

#include "base/rfc3339.hpp"
#include "cli/answer.hpp"

namespace starling::cli {
namespace {

using testing::HasSubstr;

std::string listed(const std::string& cause, const std::string& detail) {
  const auto modules =
      parse_json(R"([{"module":"ear","on_device":true,"reported":{"state":"error","cause":")" + cause +
                 R"(","detail":")" + detail + R"("}}])");
  return module_table(modules->get_array(), WallTime(), Terminal{});
}

TEST(ModuleView, TheCauseIsSaidInWords) {
  EXPECT_THAT(listed("enable_reverted", ""), HasSubstr("could not be enabled\n"));
  EXPECT_THAT(listed("start_timeout", "not ready within 30 s"),
              HasSubstr("not ready in time: not ready within 30 s\n"));
  EXPECT_THAT(listed("exited", "exited with status 3"), HasSubstr("exited: exited with status 3\n"));
  EXPECT_THAT(listed("of_a_later_version", ""), HasSubstr("of a later version\n"));
  EXPECT_THAT(listed("none", ""), HasSubstr(" -\n"));
}

TEST(ModuleView, AnEditThatWasRefusedIsSaidWhereNothingHasFailed) {
  const auto listed_with = [](const std::string& members) {
    const auto modules = parse_json(R"([{"module":"ear","on_device":true,"reported":{"state":"disabled",
        "cause":"disabled","edit_refused":"enabled here, which the hub did not accept")" +
                                    members + "}}]");
    return module_table(modules->get_array(), WallTime(), Terminal{});
  };
  EXPECT_THAT(listed_with(""), HasSubstr("enabled here, which the hub did not accept\n"));
  EXPECT_THAT(listed_with(R"(,"detail":"exit status 3")"), HasSubstr("disabled: exit status 3\n"));
}

TEST(ModuleView, ADeadlineThatHasPassedIsNotShown) {
  const auto module = parse_json(R"({"module":"ear","on_device":true,"reported":{"state":"starting",
      "deadline":"2026-11-26T22:33:05.000Z"}})");
  const WallTime deadline = *parse_rfc3339("2026-11-26T22:33:05.000Z");
  DeviceNames nobody;
  const auto shown_at = [&](WallTime now) {
    return module_facts(module->get_object(), {}, now, nobody, Terminal{});
  };
  EXPECT_THAT(shown_at(deadline - std::chrono::seconds(11)), HasSubstr("deadline"));
  EXPECT_THAT(shown_at(deadline + std::chrono::seconds(11)), testing::Not(HasSubstr("deadline")));
}

}  // namespace
}  // namespace starling::cli
