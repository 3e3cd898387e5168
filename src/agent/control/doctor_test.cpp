#include "agent/control/doctor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

using testing::Contains;
using testing::HasSubstr;

MATCHER_P2(Finds, kind, what, "") {
  return arg.kind == kind && arg.what.find(what) != std::string::npos;
}

class DoctorTest : public testing::Test {
 protected:
  void write(std::string_view name, std::string_view text) const { std::ofstream(folder_ / name) << text; }

  TemporaryFolder folder_;
};

TEST_F(DoctorTest, FolderThatIsNotThereIsTheFirstThingSaid) {
  const auto findings = examine({folder_ / "none", {}, {}});
  EXPECT_EQ(findings.front().kind, Finding::Kind::problem);
  EXPECT_THAT(findings.front().advice, HasSubstr("--state"));
}

TEST_F(DoctorTest, NewFolderHasNoIdentityAndNoAgent) {
  const auto findings = examine({folder_.path(), {}, {}});
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::problem, "no identity yet")));
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::warning, "no hub has enrolled")));
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::warning, "no agent with modules answers")));
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::warning, "was not tried")));
}

TEST_F(DoctorTest, EnrolledDeviceIsNamed) {
  write("identity.json", R"({"device_id":"0190c5c7-0000-7000-8000-000000000001"})");
  write("token", "secret");
  const auto findings = examine({folder_.path(), {}, {}});
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::good, "0190c5c7-0000-7000-8000-000000000001")));
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::good, "has enrolled this device")));
}

TEST_F(DoctorTest, DamagedIdentityIsAProblem) {
  write("identity.json", "{\"device_");
  EXPECT_THAT(examine({folder_.path(), {}, {}}),
              Contains(Finds(Finding::Kind::problem, "identity.json cannot be read")));
}

TEST_F(DoctorTest, HubThatIsNotThereIsAProblemWithAdvice) {
  // Nobody listens on the port of tcpmux here.
  const auto findings = examine({folder_.path(), "http://127.0.0.1:1", {}});
  EXPECT_EQ(findings.back().kind, Finding::Kind::problem);
  EXPECT_THAT(findings.back().what, HasSubstr("cannot be reached"));
  EXPECT_FALSE(findings.back().advice.empty());
}

TEST_F(DoctorTest, AddressThatIsNoneIsAProblem) {
  EXPECT_EQ(examine({folder_.path(), "hub:port", {}}).back().kind, Finding::Kind::problem);
}

}  // namespace
}  // namespace starling::agent
