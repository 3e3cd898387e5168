// With the real apt and dpkg, on a root of their own.
#include "install/installer.hpp"

#include <gmock/gmock.h>

#include "install/debian_root.hpp"

namespace starling::install {
namespace {

using protocol::PackageAction;
using protocol::PackageOutcome;
using protocol::PackageRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Set = std::set<std::string>;

// ear 1.0 is installed; 1.1 needs a drum.
struct InstallerTest : testing::Test {
  InstallerTest() {
    root.publish({"ear", "1.0", ""});
    root.install("ear", "1.0");
    root.publish({"ear", "1.1", "Depends: drum\n"});
    root.publish({"drum", "2.0", ""});
    root.renew_lists();
  }
  PackageRequest request(PackageAction action, std::vector<std::string> packages = {}) {
    return {action, release, std::move(packages), attempt};
  }
  protocol::PackageAnswer fetch(std::vector<std::string> packages) {
    ++attempt;
    return root.ask(request(PackageAction::fetch, std::move(packages)));
  }
  protocol::PackageAnswer install() {
    ++attempt;
    return root.ask(request(PackageAction::install));
  }
  protocol::PackageAnswer go_back() {
    ++attempt;
    return root.ask(request(PackageAction::go_back));
  }
  protocol::PackageAnswer keep() {
    ++attempt;
    return root.ask(request(PackageAction::keep));
  }
  // v1.0.0 needs ear 1.0; v1.1.0 needs 1.1, and stays.
  void keep_new_ones() {
    release = sha256("v1.1.0");
    (void)fetch({"ear=1.1"});
    EXPECT_EQ(install().outcome, PackageOutcome::wanted);
    EXPECT_EQ(keep().outcome, PackageOutcome::wanted);
  }

  DebianRoot root;
  Digest release = sha256("v1.0.0");
  std::int64_t attempt = 0;
  const Set old_ones{"ear=1.0"}, new_ones{"drum=2.0", "ear=1.1"};
};

TEST_F(InstallerTest, WhatIsFetchedIsInstalledAndTakenBack) {
  auto answer = fetch({"ear=1.1"});
  EXPECT_EQ(answer.outcome, PackageOutcome::fetched) << answer.message;
  EXPECT_THAT(answer.without_way_back, IsEmpty());
  EXPECT_EQ(root.installed(), old_ones);
  for (const std::string package : {"ear", "drum"}) {
    root.withdraw(package, package == "ear" ? "1.1" : "2.0");  // it is here
  }
  answer = install();
  EXPECT_EQ(answer.outcome, PackageOutcome::wanted) << answer.message;
  EXPECT_EQ(root.installed(), new_ones);
  answer = go_back();
  EXPECT_EQ(answer.outcome, PackageOutcome::former) << answer.message;
  EXPECT_EQ(root.installed(), old_ones);
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
}

TEST_F(InstallerTest, WhatIsThereInAnyVersionWillDo) {
  EXPECT_EQ(fetch({"ear"}).outcome, PackageOutcome::fetched);
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
  EXPECT_EQ(root.installed(), old_ones);
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
}

TEST_F(InstallerTest, WhatIsThereForAnotherArchitectureWillNot) {
  const std::string native = Debian(root.at("kept/scratch"), Logger()).architecture().value();
  const std::string other = native == "s390x" ? "amd64" : "s390x";
  root.allow_architecture(other);
  root.publish({"flute", "1.0", "Multi-Arch: same\n", other});
  root.install("flute", "1.0");
  root.publish({"flute", "1.0", "Multi-Arch: same\n", native});
  root.renew_lists();
  EXPECT_EQ(fetch({"flute"}).outcome, PackageOutcome::fetched);
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
  EXPECT_EQ(root.installed(), (Set{"ear=1.0", "flute:" + native + "=1.0", "flute:" + other + "=1.0"}));
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
  EXPECT_EQ(root.installed(), (Set{"ear=1.0", "flute:" + other + "=1.0"}));
}

TEST_F(InstallerTest, OldListsAreRenewed) {
  root.publish({"nose", "1.0", ""});
  EXPECT_EQ(fetch({"nose"}).outcome, PackageOutcome::fetched);
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
}

TEST_F(InstallerTest, WhereThereIsNoWayBackItSaysSo) {
  root.withdraw("ear", "1.0");
  root.renew_lists();
  const auto answer = fetch({"ear=1.1"});
  EXPECT_THAT(answer.without_way_back, ElementsAre("ear=1.0"));
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
  const auto stayed = go_back();
  EXPECT_EQ(stayed.outcome, PackageOutcome::wanted);
  EXPECT_THAT(stayed.message, HasSubstr("ear"));
  EXPECT_EQ(root.installed(), new_ones);
}

TEST_F(InstallerTest, WhatTheFormerReleaseBroughtIsTheWayBack) {
  keep_new_ones();
  root.withdraw("ear", "1.1");
  root.publish({"ear", "1.2", ""});
  root.renew_lists();
  release = sha256("v1.2.0");
  EXPECT_THAT(fetch({"ear=1.2"}).without_way_back, IsEmpty());
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
  EXPECT_EQ(root.installed(), new_ones);
}

TEST_F(InstallerTest, UntilThatIsKeptTheWayBackGoesOnFromThere) {
  (void)fetch({"ear=1.1"});
  (void)install();
  root.publish({"ear", "1.2", ""});
  root.renew_lists();
  release = sha256("v1.2.0");
  EXPECT_EQ(fetch({"ear=1.2"}).outcome, PackageOutcome::fetched);
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
  EXPECT_EQ(root.installed(), (Set{"drum=2.0", "ear=1.2"}));
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
  EXPECT_EQ(root.installed(), old_ones);
}

TEST_F(InstallerTest, WhatIsMixedKeepsItsWayBackWhileAnotherReleaseComes) {
  (void)fetch({"ear=1.1"});
  root.failing("ear-1.1.postinst\ndrum-2.0.prerm");
  EXPECT_EQ(install().outcome, PackageOutcome::mixed);
  root.failing("");
  release = sha256("v1.2.0");
  root.publish({"nose", "1.0", ""});
  EXPECT_EQ(fetch({"nose"}).outcome, PackageOutcome::fetched);
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
  EXPECT_EQ(root.installed(), old_ones);
}

TEST_F(InstallerTest, AFormerReleaseGetsBackWhatTheLastTookThePlaceOf) {
  keep_new_ones();
  root.withdraw("ear", "1.0");
  root.withdraw("ear", "1.1");
  root.withdraw("drum", "2.0");
  root.renew_lists();
  release = sha256("v1.0.0");
  for (const bool stays : {false, true}) {
    const auto fetched = fetch({"ear=1.0"});
    EXPECT_EQ(fetched.outcome, PackageOutcome::fetched) << fetched.message;
    EXPECT_THAT(fetched.without_way_back, IsEmpty());
    EXPECT_EQ(root.installed(), new_ones);
    const auto answer = install();
    EXPECT_EQ(answer.outcome, PackageOutcome::wanted) << answer.message;
    EXPECT_EQ(root.installed(), old_ones);
    if (stays) break;
    EXPECT_EQ(go_back().outcome, PackageOutcome::former);
    EXPECT_EQ(root.installed(), new_ones);
  }
  EXPECT_EQ(keep().outcome, PackageOutcome::wanted);
  release = sha256("v1.1.0");
  EXPECT_EQ(fetch({"ear=1.1"}).outcome, PackageOutcome::fetched);
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
  EXPECT_EQ(root.installed(), new_ones);
}

TEST_F(InstallerTest, AReleaseThatChangesNothingEndsNoWayBack) {
  keep_new_ones();
  release = sha256("v1.2.0");
  (void)fetch({"ear=1.1"});
  (void)install();
  (void)keep();
  release = sha256("v1.0.0");
  EXPECT_EQ(fetch({"ear=1.0"}).outcome, PackageOutcome::fetched);
}

TEST_F(InstallerTest, WhatIsKeptDoesNotGoBackByItself) {
  keep_new_ones();
  EXPECT_EQ(go_back().outcome, PackageOutcome::hindered);
  EXPECT_EQ(root.installed(), new_ones);
}

TEST_F(InstallerTest, TheWayBackOfWhatIsKeptEnds) {
  keep_new_ones();
  release = sha256("v1.0.0");
  root.clock.advance(Installer::way_back_lasts - Milliseconds(1));
  EXPECT_EQ(fetch({"ear=1.0"}).outcome, PackageOutcome::fetched);
  root.clock.advance(Milliseconds(1));
  EXPECT_EQ(fetch({"ear=1.0"}).outcome, PackageOutcome::refused);
}

TEST_F(InstallerTest, WhatSomebodyElseHasMadeNewIsNotMadeOld) {
  (void)fetch({"ear=1.1"});
  root.install("drum", "2.0");
  root.install("ear", "1.1");
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
  EXPECT_EQ(root.installed(), new_ones);
}

TEST_F(InstallerTest, FetchedAgainAfterItWasInstalledTheWayBackIsKept) {
  (void)fetch({"ear=1.1"});
  (void)install();
  EXPECT_EQ(fetch({"ear=1.1"}).outcome, PackageOutcome::fetched);
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
  EXPECT_EQ(root.installed(), old_ones);
}

TEST_F(InstallerTest, WhatNoArchiveHasIsNotTaken) {
  root.publish({"deaf", "1.0", "Conflicts: ear\n"});
  root.publish({"orphan", "1.0", "Depends: nobody\n"});
  for (const std::string package : {"nosuch", "e.r", "ear=9.9", "deaf", "orphan"}) {
    const auto answer = fetch({package});
    EXPECT_EQ(answer.outcome, PackageOutcome::refused) << package;
    EXPECT_FALSE(answer.message.empty());
  }
  EXPECT_EQ(root.installed(), old_ones);
  EXPECT_EQ(install().outcome, PackageOutcome::hindered) << "nothing is fetched for it";
}

TEST_F(InstallerTest, NothingButNamesCanBeAskedFor) {
  for (const std::string package :
       {"-oDPkg::Pre-Invoke::=reboot", "--allow-unauthenticated", "ear-", "ear/stable", "./ear.deb",
        "../archive/ear_1.1_all.deb", "ear=../1.1", "ear drum", "ear*"}) {
    EXPECT_EQ(fetch({package}).outcome, PackageOutcome::refused) << package;
  }
  EXPECT_EQ(root.installed(), old_ones);
}

TEST_F(InstallerTest, AnOlderOneIsNotTaken) {
  root.install("drum", "2.0");
  root.publish({"drum", "1.0", ""});
  EXPECT_EQ(fetch({"drum=1.0"}).outcome, PackageOutcome::refused);
}

TEST_F(InstallerTest, WhereTheListsCannotBeRenewedItMayBeHadLater) {
  std::filesystem::rename(root.at("archive"), root.at("away"));
  EXPECT_EQ(fetch({"nose"}).outcome, PackageOutcome::hindered);
  std::filesystem::rename(root.at("away"), root.at("archive"));
  EXPECT_EQ(fetch({"nose"}).outcome, PackageOutcome::refused);
}

TEST_F(InstallerTest, WhatIsNotWhatTheArchiveSignedIsNotTaken) {
  root.write("archive/drum_2.0_all.deb", "something else");
  EXPECT_EQ(fetch({"ear=1.1"}).outcome, PackageOutcome::hindered);
}

TEST_F(InstallerTest, WhatIsDamagedIsFetchedAgain) {
  (void)fetch({"ear=1.1"});
  const auto kept = list_folder(root.at("kept/files")).value();
  for (const auto& path : kept)
    std::ofstream(path, std::ios::app) << "x";
  EXPECT_EQ(install().outcome, PackageOutcome::hindered);
  EXPECT_EQ(root.installed(), old_ones);
  (void)fetch({"ear=1.1"});
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
}

TEST_F(InstallerTest, WhatSomebodyElseChangedIsLeftToHim) {
  (void)fetch({"ear=1.1"});
  root.publish({"ear", "1.0.5", ""});
  root.install("ear", "1.0.5");
  EXPECT_EQ(install().outcome, PackageOutcome::hindered);
  EXPECT_EQ(root.installed(), Set{"ear=1.0.5"});
}

TEST_F(InstallerTest, WhatDoesNotInstallIsTakenBack) {
  (void)fetch({"ear=1.1"});
  for (const std::string script :
       {"ear-1.1.preinst", "ear-1.1.postinst", "drum-2.0.preinst", "drum-2.0.postinst"}) {
    root.failing(script);
    const auto answer = install();
    root.failing("");
    EXPECT_EQ(answer.outcome, PackageOutcome::former) << script << ": " << answer.message;
    EXPECT_FALSE(answer.message.empty());
    EXPECT_EQ(root.installed(), old_ones) << script;
  }
}

TEST_F(InstallerTest, WhatGoesNeitherWayIsMixedUntilItDoes) {
  (void)fetch({"ear=1.1"});
  root.failing("ear-1.1.postinst\ndrum-2.0.prerm");
  const auto answer = install();
  EXPECT_EQ(answer.outcome, PackageOutcome::mixed);
  EXPECT_THAT(answer.message, HasSubstr("going back"));
  root.failing("");
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
  EXPECT_EQ(root.installed(), old_ones);
}

constexpr std::array scripts{"ear-1.0.prerm",    "ear-1.1.preinst",  "ear-1.0.postrm",
                             "ear-1.1.postinst", "drum-2.0.preinst", "drum-2.0.postinst"};

// As when the power is cut there: dpkg, apt and we are gone at once.
TEST_F(InstallerTest, KilledAnywhereItGoesOn) {
  for (const std::string script : scripts) {
    (void)fetch({"ear=1.1"});
    ++attempt;
    root.deadly(script);
    EXPECT_FALSE(root.survives(request(PackageAction::install))) << script;
    root.deadly("");
    const auto answer = root.ask(request(PackageAction::install));
    EXPECT_EQ(answer.outcome, PackageOutcome::wanted) << script << ": " << answer.message;
    EXPECT_EQ(root.installed(), new_ones) << script;
    EXPECT_EQ(go_back().outcome, PackageOutcome::former) << script;
  }
}

TEST_F(InstallerTest, KilledOnTheWayBackItGoesOn) {
  for (const std::string script : {"ear-1.1.prerm", "ear-1.0.preinst", "ear-1.1.postrm", "ear-1.0.postinst",
                                   "drum-2.0.prerm", "drum-2.0.postrm"}) {
    (void)fetch({"ear=1.1"});
    (void)install();
    ++attempt;
    root.deadly(script);
    EXPECT_FALSE(root.survives(request(PackageAction::go_back))) << script;
    root.deadly("");
    EXPECT_EQ(root.ask(request(PackageAction::go_back)).outcome, PackageOutcome::former) << script;
    EXPECT_EQ(root.installed(), old_ones) << script;
  }
}

TEST_F(InstallerTest, WhatEndsTheDeviceEachTimeIsNotTriedForEver) {
  (void)fetch({"ear=1.1"});
  ++attempt;
  root.deadly("drum-2.0.postinst");
  int deaths = 0;
  while (!root.survives(request(PackageAction::install)) && deaths < 20)
    ++deaths;
  EXPECT_EQ(deaths, Installer::tries);
  const auto answer = root.ask(request(PackageAction::install));
  EXPECT_EQ(answer.outcome, PackageOutcome::former) << answer.message;
  EXPECT_THAT(answer.message, HasSubstr("interrupted 3 times"));
  EXPECT_EQ(root.installed(), old_ones);
}

TEST_F(InstallerTest, AlsoNotWhereItIsAskedForAnewEachTime) {
  (void)fetch({"ear=1.1"});
  root.deadly("drum-2.0.postinst");
  int deaths = 0;
  while (++attempt, !root.survives(request(PackageAction::install)) && deaths < 20)
    ++deaths;
  EXPECT_EQ(deaths, Installer::tries);
  EXPECT_EQ(root.installed(), old_ones);
}

TEST_F(InstallerTest, AWayBackThatEndsTheDeviceIsNotTriedAtEveryStart) {
  (void)fetch({"ear=1.1"});
  (void)install();
  root.deadly("drum-2.0.prerm");
  int deaths = 0;
  while (++attempt, !root.survives(request(PackageAction::go_back)) && deaths < 20)
    ++deaths;
  EXPECT_EQ(deaths, Installer::tries);
  const auto answer = go_back();
  EXPECT_EQ(answer.outcome, PackageOutcome::mixed);
  EXPECT_THAT(answer.message, HasSubstr("interrupted"));
  (void)fetch({"ear=1.1"});  // somebody wants it tried again
  root.deadly("");
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
}

TEST_F(InstallerTest, FetchingConfiguresNothing) {
  root.failing("ear-1.1.postinst");
  root.install("ear", "1.1", false);
  root.failing("");
  ASSERT_EQ(root.installed(), Set{"ear=1.1!"});
  (void)fetch({"drum"});
  EXPECT_EQ(root.installed(), Set{"ear=1.1!"}) << "it is not its hour";
}

TEST_F(InstallerTest, WhileSomebodyElseIsAtWorkNothingIsGivenUp) {
  (void)fetch({"ear=1.1"});
  root.patience = Seconds(0);
  auto other = root.lock();
  EXPECT_EQ(install().outcome, PackageOutcome::hindered);
  other.reset();
  EXPECT_EQ(install().outcome, PackageOutcome::wanted);
  other = root.lock();
  EXPECT_EQ(go_back().outcome, PackageOutcome::hindered);
  EXPECT_EQ(root.installed(), new_ones);
  other.reset();
  EXPECT_EQ(go_back().outcome, PackageOutcome::former);
}

TEST_F(InstallerTest, NothingIsLeftOfWhatItIsFetchedThrough) {
  (void)fetch({"ear=1.1"});
  EXPECT_FALSE(std::filesystem::exists(root.at("kept/scratch")));
}

TEST_F(InstallerTest, AnAnsweredRequestIsNotCarriedOutAgain) {
  (void)fetch({"ear=1.1"});
  (void)install();
  const auto asked = request(PackageAction::install);
  (void)root.ask(asked);
  root.publish({"ear", "1.2", ""});
  root.install("ear", "1.2");
  EXPECT_EQ(root.ask(asked).outcome, PackageOutcome::wanted);
}

TEST(DebianOutput, IsReadStrictly) {
  const std::string hash(64, 'a');
  const auto pins =
      parse_uris("Reading\n'http://x/ear_2%253a1_all.deb' ear_2%3a1_all.deb 12 SHA256:" + hash + "\n");
  ASSERT_TRUE(pins) << pins.error().message;
  EXPECT_EQ(pins->front(), (Pin{"ear", "2:1", "all", Digest::from_hex(hash).value(), 12}));
  const std::vector<std::string> bad{"'",
                                     "'x",
                                     "'x' ",
                                     "'x' ear.deb 12 SHA256:" + hash,
                                     "'x' ear_1_all.deb 12",
                                     "'x' ear_1_all.deb 12 MD5Sum:ab",
                                     "'x' ear_1_all.deb -1 SHA256:" + hash,
                                     "'x' ear_1_all.deb 12 SHA256:",
                                     "'x' a_b_c_d.deb 12 SHA256:" + hash};
  for (const std::string& line : bad)
    EXPECT_FALSE(parse_uris(line)) << line;
  EXPECT_FALSE(parse_installed("ear\t1.0\tall\n"));
}

}  // namespace
}  // namespace starling::install
