#include "hub/device_link/outcome_text.hpp"

#include <gtest/gtest.h>

namespace starling::hub {
namespace {

TEST(OutcomeText, SaysOnlyWhatIsNew) {
  const protocol::KeyError ear{"modules.ear.enabled", "no exec"}, eye{"modules.eye.enabled", "no camera"};
  const protocol::KeyError other{"modules.ear.enabled", "exited with status 1"}, whole{"", "no room"};
  EXPECT_EQ(outcome_text({}, {}), "");
  EXPECT_EQ(outcome_text({}, {ear}), "");
  EXPECT_EQ(outcome_text({ear, whole}, {}), "modules.ear.enabled: no exec; no room");
  EXPECT_EQ(outcome_text({ear, eye}, {ear}), "modules.eye.enabled: no camera; and 1 as before");
  EXPECT_EQ(outcome_text({ear, eye}, {eye, ear}), "2 as before");
  EXPECT_EQ(outcome_text({other}, {ear}), "modules.ear.enabled: exited with status 1")
      << "for another reason";
}

}  // namespace
}  // namespace starling::hub
