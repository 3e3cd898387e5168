#include "cli/module_view.hpp"

#include <gmock/gmock.h>

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

}  // namespace
}  // namespace starling::cli
