#include "base/timezone.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace starling {
namespace {

class Timezone : public testing::Test {
 protected:
  Timezone()
      : folder(std::filesystem::temp_directory_path() / ("starling-zones-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder / "Europe");
    std::ofstream(folder / "Europe/Berlin") << "TZif2";
    std::ofstream(folder / "EST5EDT") << "TZif2";
    std::ofstream(folder / "leapseconds") << "# not a zone";
  }
  ~Timezone() override { std::filesystem::remove_all(folder); }

  const std::filesystem::path folder;
};

TEST_F(Timezone, NamesAreToldFromWhatElseTzMayHold) {
  struct Case {
    const char* name;
    bool known;   // to this database
    bool formed;  // all that can be said without one
  };
  constexpr Case cases[] = {
      {"Europe/Berlin", true, true},
      {"EST5EDT", true, true},
      {"UTC", true, true},
      {"Mars/Phobos", false, true},
      {"CET-1", false, true},
      {"Europe", false, true},
      {"leapseconds", false, true},
      {"", false, false},
      {":/etc/localtime", false, false},
      {"/etc/localtime", false, false},
      {"EST5EDT,M3.2.0", false, false},
      {"../Europe/Berlin", false, false},
      {"Europe/Berlin ", false, false},
      {"A23456789012345678901234567890123456789012345678901234567890123456789", false, false},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(is_timezone(each.name, folder), each.known) << each.name;
    EXPECT_EQ(is_timezone(each.name, folder / "none"), each.formed) << each.name;
  }
}

}  // namespace
}  // namespace starling
