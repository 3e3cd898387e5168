#include "agent/supervisor/keeper/spawn_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace starling::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

ModuleManifest recorder() {
  ModuleManifest manifest;
  manifest.name = "recorder";
  manifest.folder = "/modules/recorder";
  manifest.exec = "/modules/recorder/run";
  return manifest;
}

TEST(SpawnPlan, TheMostParticularVariableWins) {
  ModuleManifest manifest = recorder();
  manifest.environment = {{"PATH", "/opt/bin"}, {"STARLING_MODULE", "another"}, {"RATE", "16000"}};
  manifest.watchdog = Seconds(2);
  const TreePlace place{"/cgroup/recorder", {{"STARLING_MODULE", "recorder:4"}}};
  const SpawnRequest request =
      spawn_request(manifest, "recorder:4", place, {{"PATH", "/usr/bin"}, {"TZ", "UTC"}});
  EXPECT_THAT(request.environment, ElementsAre(Pair("PATH", "/opt/bin"), Pair("RATE", "16000"),
                                               Pair("STARLING_MODULE", "recorder:4"), Pair("TZ", "UTC"),
                                               Pair("WATCHDOG_USEC", "2000000")));
  EXPECT_EQ(request.cgroup, "/cgroup/recorder");
  EXPECT_EQ(request.working_folder, "/modules/recorder");
  EXPECT_FALSE(request.credentials);
}

TEST(SpawnPlan, TheLimitsAreThoseOfTheManifest) {
  ModuleManifest manifest = recorder();
  manifest.working_folder = "/tmp";
  manifest.limits.nice = 5;
  manifest.limits.files = 64;
  manifest.limits.core_bytes = 0;
  manifest.account = Account{"pi", 1000, 1001, {29}, "/home/pi"};
  const SpawnRequest request = spawn_request(manifest, "recorder:1", {}, {});
  EXPECT_EQ(request.nice, 5);
  EXPECT_EQ(request.limit_files, 64u);
  EXPECT_EQ(request.limit_core_bytes, 0u);
  EXPECT_EQ(request.working_folder, "/tmp");
  ASSERT_TRUE(request.credentials);
  EXPECT_EQ(request.credentials->uid, 1000u);
  EXPECT_THAT(request.credentials->groups, ElementsAre(29u));
}

TEST(SpawnPlan, AModuleOfAnotherAccountHasItsVariables) {
  ModuleManifest manifest = recorder();
  const Environment agent{{"HOME", "/root"}};
  EXPECT_THAT(spawn_request(manifest, "recorder:1", {}, agent).environment,
              ElementsAre(Pair("HOME", "/root")));
  manifest.account = Account{"pi", 1000, 1000, {}, "/home/pi"};
  EXPECT_THAT(spawn_request(manifest, "recorder:1", {}, agent).environment,
              ElementsAre(Pair("HOME", "/home/pi"), Pair("LOGNAME", "pi"), Pair("USER", "pi")));
  manifest.environment = {{"HOME", "/srv/recorder"}};
  EXPECT_THAT(spawn_request(manifest, "recorder:1", {}, agent).environment,
              ElementsAre(Pair("HOME", "/srv/recorder"), Pair("LOGNAME", "pi"), Pair("USER", "pi")));
}

TEST(SpawnPlan, ChildIdsAreModuleAndRun) {
  const auto name = parse_child_id("recorder:17");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->module, "recorder");
  EXPECT_EQ(name->run, 17u);
  for (const char* wrong : {"", "recorder", "recorder:", "recorder:x", "recorder:1x", ":1", "../x:1",
                            "recorder:99999999999999999999"}) {
    EXPECT_FALSE(parse_child_id(wrong)) << wrong;
  }
}

struct FailureCase {
  SpawnStep step;
  int error;
  FailureKind kind;
  const char* text;
};

TEST(SpawnPlan, FailuresAreToldAndWeighed) {
  ModuleManifest manifest = recorder();
  manifest.account = Account{"pi", 1000, 1000, {}, "/home/pi"};
  for (const FailureCase& c : {
           FailureCase{SpawnStep::exec, ENOENT, FailureKind::hopeless, "/modules/recorder/run"},
           FailureCase{SpawnStep::exec, EACCES, FailureKind::hopeless, "Permission denied"},
           FailureCase{SpawnStep::exec, ENOEXEC, FailureKind::hopeless, "Exec format error"},
           FailureCase{SpawnStep::exec, ETXTBSY, FailureKind::ordinary, "Text file busy"},
           FailureCase{SpawnStep::exec, ENOMEM, FailureKind::ordinary, "memory"},
           FailureCase{SpawnStep::working_folder, ENOENT, FailureKind::hopeless,
                       "its working folder /modules/recorder cannot be entered: No such file or directory"},
           FailureCase{SpawnStep::credentials, EPERM, FailureKind::hopeless, "user 'pi'"},
           FailureCase{SpawnStep::limits, EPERM, FailureKind::hopeless, "limits"},
           FailureCase{SpawnStep::fork, EAGAIN, FailureKind::ordinary, "no process"},
           FailureCase{SpawnStep::descriptors, EMFILE, FailureKind::ordinary, "descriptors"},
           FailureCase{SpawnStep::cgroup, EBUSY, FailureKind::ordinary, "control group"},
           FailureCase{SpawnStep::request, EINVAL, FailureKind::hopeless, "refuses"},
       }) {
    const SpawnFailure failure{"recorder:1", c.step, c.error};
    EXPECT_EQ(kind_of(failure), c.kind) << c.text;
    EXPECT_THAT(describe(failure, manifest), HasSubstr(c.text));
  }
}

}  // namespace
}  // namespace starling::agent
