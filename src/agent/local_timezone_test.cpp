#include "agent/local_timezone.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

class LocalTimezone : public testing::Test {
 protected:
  LocalTimezone() {
    fs::create_directories(root / "etc");
    for (const char* zone : {"Europe/Berlin", "Asia/Tokyo", "EST5EDT"}) {
      const fs::path file = root / "usr/share/zoneinfo" / zone;
      fs::create_directories(file.parent_path());
      std::ofstream(file) << "TZif2";
    }
  }

  const TemporaryFolder made;
  const fs::path root = made.path();
};

TEST_F(LocalTimezone, TzCountsWhereItNamesAZone) {
  fs::create_symlink("/usr/share/zoneinfo/Asia/Tokyo", root / "etc/localtime");
  struct Case {
    const char* tz;
    const char* zone;
  };
  constexpr Case cases[] = {
      {"", "Asia/Tokyo"},
      {"Europe/Berlin", "Europe/Berlin"},
      {":Europe/Berlin", "Europe/Berlin"},
      {"/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"},
      {":/usr/share/zoneinfo/posix/Europe/Berlin", "Europe/Berlin"},
      {":/etc/localtime", "Asia/Tokyo"},
      {"EST5EDT", "EST5EDT"},
      {"EST5EDT,M3.2.0", "Asia/Tokyo"},
      {"CET-1CEST", "Asia/Tokyo"},
      {"../Europe/Berlin", "Asia/Tokyo"},
      {"UTC", "UTC"},
  };
  for (const Case& each : cases)
    EXPECT_EQ(local_timezone(each.tz, root), each.zone) << each.tz;
}

TEST_F(LocalTimezone, WithoutALinkTheFileCountsAndThenUtc) {
  EXPECT_EQ(local_timezone("", root), "UTC");
  std::ofstream(root / "etc/timezone") << "Europe/Berlin\n";
  EXPECT_EQ(local_timezone("", root), "Europe/Berlin");
  std::ofstream(root / "etc/timezone") << "nonsense\n";
  EXPECT_EQ(local_timezone("", root), "UTC");
}

}  // namespace
}  // namespace starling::agent
