// A device whose releases need Debian packages. Runs v1.0.0, confirmed; v1.1.0 needs some.
#include <gmock/gmock.h>

#include "agent/update/update_bench.hpp"

namespace starling::agent {
namespace {

using protocol::PackageOutcome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct UpdatePackagesTest : testing::Test {
  UpdatePackagesTest() {
    device.settle();
    device.needs("v1.1.0", "libopus0");
  }
  Digest hash(const std::string& version) const { return device.targets.at(version).release.hash; }
  std::string reported() const {
    const auto report = device.core->report();
    const Json* packages = report.if_contains("packages");
    return packages == nullptr ? "none" : std::string(packages->at("state").as_string());
  }
  std::string now() const { return device.runs() + " " + device.state(); }

  UpdateBench device;
};

TEST_F(UpdatePackagesTest, TheyAreFetchedWithTheReleaseAndInstalledRightBeforeTheSwitch) {
  device.hour = device.device.clock.steady() + std::chrono::hours(5);
  device.want("v1.1.0");
  device.pass(std::chrono::hours(4));
  EXPECT_EQ(now(), "v1.0.0 waiting");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch"));
  EXPECT_EQ(reported(), "fetched");
  device.pass(std::chrono::hours(1) + Seconds(5));
  EXPECT_EQ(now(), "v1.1.0 provisional");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install"));
  EXPECT_EQ(reported(), "new");
  device.pass(Seconds(100));
  EXPECT_EQ(now(), "v1.1.0 confirmed");
  EXPECT_EQ(device.packages_of, hash("v1.1.0"));
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install", "keep"));
  EXPECT_EQ(reported(), "none");
}

TEST_F(UpdatePackagesTest, ThatTheyStayIsSaidUntilItIsHeard) {
  device.want("v1.1.0");
  device.pass(Seconds(30));
  EXPECT_EQ(now(), "v1.1.0 provisional");
  device.installer_works = false;
  device.pass(Seconds(100));
  EXPECT_EQ(now(), "v1.1.0 confirmed");
  device.end();
  device.start();
  device.needs("v1.2.0", "libasound2");
  device.want("v1.2.0");
  device.pass(Seconds(3600));
  for (int minutes = 0; minutes < 60 && device.state() != "pending"; ++minutes)  // it asks again and again
    device.pass(Seconds(60));
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.1.0 pending packages-not-kept");
  device.installer_works = true;
  device.pass(day);
  EXPECT_EQ(now(), "v1.2.0 confirmed");
  EXPECT_EQ(device.packages_kept, hash("v1.2.0"));
}

TEST_F(UpdatePackagesTest, AReleaseWithoutAnyDoesNotWaitForThat) {
  device.want("v1.1.0");
  device.pass(Seconds(30));
  device.installer_works = false;
  device.pass(Seconds(100));
  device.want("v1.2.0");
  device.pass(Seconds(4000));
  EXPECT_EQ(now(), "v1.2.0 confirmed");
  EXPECT_EQ(device.packages_of, hash("v1.1.0"));
}

TEST_F(UpdatePackagesTest, WhereNobodyInstallsThemTheReleaseIsRefusedUntilSomebodyDoes) {
  device.installer = false;
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.0.0 refused no-package-installer");
  EXPECT_THAT(device.device.recorder.last_status.errors[0].message, HasSubstr("nobody installs"));
  EXPECT_THAT(device.packages_asked, IsEmpty());
  device.installer = true;
  device.end();
  device.start();
  device.pass(Seconds(100));
  EXPECT_EQ(now(), "v1.1.0 confirmed");
}

TEST_F(UpdatePackagesTest, OnAMeteredLinkTheyWait) {
  device.set({{"updates.metered", true}});
  device.encodes = true;
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.0.0 pending metered");
  EXPECT_THAT(device.packages_asked, IsEmpty());
  device.set({{"updates.metered", false}});
  device.core->link_changed();
  device.pass(Seconds(200));
  EXPECT_EQ(now(), "v1.1.0 confirmed");
}

TEST_F(UpdatePackagesTest, ThePythonEnvironmentIsMadeWhenTheyAreThere) {
  device.publish_with_wheels("v1.1.0");
  device.needs("v1.1.0", "python3-venv");
  device.venv_is_a_package = true;
  device.want("v1.1.0");
  device.pass(Seconds(200));
  EXPECT_EQ(now() + device.fingerprint(), "v1.1.0 confirmed");
  EXPECT_TRUE(device.is_whole(*device.device.core->release()));
  EXPECT_EQ(device.environments, 1);
}

TEST_F(UpdatePackagesTest, TheyGoBackWhereItCannotBeMade) {
  device.publish_with_wheels("v1.1.0");
  device.needs("v1.1.0", "libopus0");
  device.no_environment = {ErrorCode::invalid_argument, "no matching distribution", ""};
  device.want("v1.1.0");
  device.pass(Seconds(200));
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.0.0 refused requirements");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install", "go_back"));
  EXPECT_EQ(reported(), "none");
}

TEST_F(UpdatePackagesTest, WhatCannotBeHadIsAskedForAgainLater) {
  device.package_outcome = PackageOutcome::hindered;
  device.want("v1.1.0");
  device.pass(day);
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.0.0 pending packages-not-fetched");
  EXPECT_LT(device.packages_asked.size(), 20U);
  device.package_outcome = PackageOutcome::fetched;
  device.pass(day);
  EXPECT_EQ(now(), "v1.1.0 confirmed");
}

TEST_F(UpdatePackagesTest, OneThatDoesNotAnswerIsNotWaitedForForEver) {
  device.installer_works = false;
  device.want("v1.1.0");
  device.pass(std::chrono::minutes(60) + Seconds(20));
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.0.0 pending packages-not-fetched");
  EXPECT_THAT(device.core->record().failure->message, HasSubstr("systemctl status"));
}

TEST_F(UpdatePackagesTest, ARequestThatWasLostIsMadeAgain) {
  device.installer_works = false;
  device.want("v1.1.0");
  device.pass(Seconds(10));
  ASSERT_TRUE(device.device.disk.remove_tree(PackageDesk::path));
  device.installer_works = true;
  device.pass(Seconds(200));
  EXPECT_EQ(now(), "v1.1.0 confirmed");
}

TEST_F(UpdatePackagesTest, WhatDoesNotInstallIsNoSwitch) {
  device.hour = device.device.clock.steady() + Seconds(600);
  device.want("v1.1.0");
  device.pass(Seconds(500));
  device.package_outcome = PackageOutcome::former;
  device.pass(Seconds(200));
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.0.0 refused packages-not-installed");
  EXPECT_EQ(reported(), "old");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install"));
  device.package_outcome = PackageOutcome::fetched;
  device.core->check_now();
  device.pass(Seconds(200));
  EXPECT_EQ(now(), "v1.1.0 confirmed");
}

TEST_F(UpdatePackagesTest, MixedOnesAreToldAndGoBackWhenTheyCan) {
  device.hour = device.device.clock.steady() + Seconds(600);
  device.want("v1.1.0");
  device.pass(Seconds(500));
  device.package_outcome = PackageOutcome::mixed;
  device.pass(day);
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.0.0 refused packages-mixed");
  EXPECT_EQ(reported(), "packages-mixed");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install", "go_back")) << "once in a start";
  device.package_outcome = PackageOutcome::fetched;
  device.end();
  device.start();
  device.pass(Seconds(100));
  EXPECT_EQ(device.packages_asked.back(), "go_back");
  EXPECT_EQ(reported(), "none");
  EXPECT_EQ(device.packages_of, Digest());
}

TEST_F(UpdatePackagesTest, TheyGoBackWithTheirRelease) {
  device.broken.insert("v1.1.0");
  device.want("v1.1.0");
  device.pass(Seconds(200));
  EXPECT_EQ(now(), "v1.0.0 reverted");
  EXPECT_EQ(device.packages_of, Digest());
  EXPECT_EQ(device.packages_asked.back(), "go_back");
  EXPECT_EQ(reported(), "none");
}

TEST_F(UpdatePackagesTest, TheyGoBackWhenTheirReleaseIsNotWantedAnyMoreMeanwhile) {
  device.hour = device.device.clock.steady() + Seconds(600);
  device.want("v1.1.0");
  device.pass(Seconds(599));
  device.installer_works = false;
  device.pass(Seconds(10));
  EXPECT_EQ(now(), "v1.0.0 installing");
  device.want("v1.2.0");
  device.pass(Seconds(10));
  EXPECT_EQ(now(), "v1.0.0 installing") << "dpkg is not left in the middle";
  device.installer_works = true;
  device.needs("v1.2.0", "libasound2");
  device.pass(Seconds(200));
  EXPECT_EQ(now(), "v1.2.0 confirmed");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install", "go_back", "fetch", "install", "keep"));
  EXPECT_EQ(device.packages_of, hash("v1.2.0"));
}

TEST_F(UpdatePackagesTest, TheyGoBackAlsoForAReleaseThatNeedsNone) {
  device.hour = device.device.clock.steady() + Seconds(600);
  device.want("v1.1.0");
  device.pass(Seconds(599));
  device.installer_works = false;
  device.pass(Seconds(10));
  device.want("v1.2.0");
  device.installer_works = true;
  device.pass(Seconds(200));
  EXPECT_EQ(now(), "v1.2.0 confirmed");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install", "go_back"));
  EXPECT_EQ(device.packages_of, Digest());
}

TEST_F(UpdatePackagesTest, ThoseThatDoNotGoBackAreToldWhateverRuns) {
  device.hour = device.device.clock.steady() + Seconds(600);
  device.want("v1.1.0");
  device.pass(Seconds(500));
  device.package_outcome = PackageOutcome::mixed;
  device.pass(Seconds(200));
  device.want("v1.2.0");
  device.pass(Seconds(200));
  EXPECT_EQ(now(), "v1.2.0 confirmed");
  EXPECT_EQ(reported(), "packages-mixed");
  device.package_outcome = PackageOutcome::fetched;
  device.end();
  device.start();
  device.pass(Seconds(100));
  EXPECT_EQ(device.packages_asked.back(), "go_back");
  EXPECT_EQ(reported(), "none");
}

TEST_F(UpdatePackagesTest, ThoseThatDoNotGoBackGoBackWithTheNext) {
  device.hour = device.device.clock.steady() + Seconds(600);
  device.want("v1.1.0");
  device.pass(Seconds(500));
  device.package_outcome = PackageOutcome::mixed;
  device.pass(Seconds(200));
  device.package_outcome = PackageOutcome::fetched;
  device.hour = device.device.clock.steady() + Seconds(600);
  device.needs("v1.2.0", "libasound2");
  device.want("v1.2.0");
  device.pass(Seconds(200));
  EXPECT_EQ(now(), "v1.0.0 waiting");
  device.want("v1.0.0");
  device.pass(Seconds(200));
  EXPECT_EQ(now(), "v1.0.0 confirmed");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install", "go_back", "fetch", "go_back"));
  EXPECT_EQ(reported(), "none");
}

// It may be what brings the device down: starling-install counts how often.
TEST_F(UpdatePackagesTest, WhatWasBeingInstalledIsAskedForOnAndNotFetchedOverIt) {
  device.hour = device.device.clock.steady() + Seconds(600);
  device.want("v1.1.0");
  device.pass(Seconds(599));
  device.installer_works = false;
  device.pass(Seconds(10));
  const auto asked = device.device.disk.content(std::string(PackageDesk::path));
  for (int boot = 0; boot < 3; ++boot) {
    device.end();
    device.start();
    device.pass(Seconds(100));
    EXPECT_EQ(now(), "v1.0.0 installing");
    EXPECT_EQ(device.device.disk.content(std::string(PackageDesk::path)), asked);
  }
  device.package_outcome = PackageOutcome::former;
  device.installer_works = true;
  device.pass(Seconds(100));
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.0.0 refused packages-not-installed");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install"));
}

TEST_F(UpdatePackagesTest, WhatWasInstalledBeforeThePowerWasCutWaitsForItsHourAndGoesBack) {
  device.hour = device.device.clock.steady() + Seconds(600);
  device.want("v1.1.0");
  device.pass(Seconds(599));
  device.installer_works = false;
  device.pass(Seconds(10));
  device.end();  // in the middle
  device.hour = device.device.clock.steady() + Seconds(6000);
  device.installer_works = true;
  device.start();
  device.pass(Seconds(100));
  EXPECT_EQ(now(), "v1.0.0 waiting");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install"));
  device.want("v1.0.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.packages_asked.back(), "go_back");
  EXPECT_EQ(device.packages_of, Digest());
}

TEST_F(UpdatePackagesTest, WhatWasHinderedIsFetchedAgain) {
  device.hour = device.device.clock.steady() + Seconds(600);
  device.want("v1.1.0");
  device.pass(Seconds(500));
  device.package_outcome = PackageOutcome::hindered;
  device.pass(Seconds(110));
  EXPECT_EQ(now() + " " + device.fingerprint(), "v1.0.0 pending packages-not-installed");
  device.package_outcome = PackageOutcome::fetched;
  device.pass(day);
  EXPECT_EQ(now(), "v1.1.0 confirmed");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install", "fetch", "install", "keep"));
}

}  // namespace
}  // namespace starling::agent
