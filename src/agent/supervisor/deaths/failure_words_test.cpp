#include "agent/supervisor/deaths/failure_words.hpp"

#include <gmock/gmock.h>

namespace starling::agent {
namespace {

using testing::HasSubstr;

std::string advice(Readiness readiness, Retry retry, bool was_ready, int status = 0) {
  ModuleManifest manifest;
  manifest.readiness = readiness;
  manifest.retry = retry;
  ChildExit exit;
  exit.kind = ChildExit::Kind::exited;
  exit.status = status;
  return advice_on_end(manifest, exit, was_ready);
}

TEST(FailureWords, SayWhatTheManifestOfOneThatEndsWellNeeds) {
  EXPECT_THAT(advice(Readiness::exec, Retry::always, false), HasSubstr("to say retry = \"on-failure\";"));
  EXPECT_THAT(advice(Readiness::notify, Retry::always, true), HasSubstr("to say retry = \"on-failure\";"));
  EXPECT_THAT(advice(Readiness::notify, Retry::always, false),
              HasSubstr("to say retry = \"on-failure\" and readiness = \"exec\";"));
  EXPECT_THAT(advice(Readiness::module, Retry::never, false), HasSubstr("to say readiness = \"exec\";"));
}

TEST(FailureWords, AdviseNothingWhereItFailed) {
  EXPECT_EQ(advice(Readiness::exec, Retry::always, false, 1), "");
  ChildExit killed;
  killed.kind = ChildExit::Kind::killed;
  EXPECT_EQ(advice_on_end({}, killed, false), "");
}

}  // namespace
}  // namespace starling::agent
