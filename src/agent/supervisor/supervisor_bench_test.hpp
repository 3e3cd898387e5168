// Purpose: what tests on a SupervisorBench share: their words, and that its board was treated well. Owner: a
// test. Thread: one. Lifetime: a test.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/supervisor/supervisor_bench.hpp"

namespace starling::agent {

using enum ModuleState;
using enum ModuleCommand;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class SupervisorBenchTest : public testing::Test, public SupervisorBench {
 protected:
  void TearDown() override { EXPECT_THAT(board.violations, IsEmpty()); }
};

}  // namespace starling::agent
