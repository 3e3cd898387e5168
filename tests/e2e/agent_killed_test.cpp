// The real agent is killed at each of its persistence steps, while people command its modules: what they
// asked for comes true all the same, and no process is started that should have lived on. The same with every
// part and the power cut as well, but without processes: src/agent/device_power_cut_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/supervised_device.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;

// Every durable file of the agent's is synced and comes by a rename; running_modules.json goes by being
// removed.
struct Kind {
  const char* title;
  const char* calls;
  int fewest;  // of them in the story
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.title;
}

class AgentKilled : public testing::TestWithParam<Kind> {
 protected:
  // Whether the agent got so far that it was killed.
  static bool live(int number) {
    SupervisedDevice device;
    const std::string starts = (device.state() / "starts.").string();
    for (const char* name : {"one", "two"}) {
      device.write_module(name,
                          "exec = \"/bin/sh\"\nready_after = \"20ms\"\nargs = [\"-c\", '''echo . >> " +
                              starts + name + "; exec sleep 1000''']\n",
                          std::string_view(name) == "one");
    }
    device.write_module("bad", "exec = \"/bin/sh\"\nargs = [\"-c\", \"exit 78\"]\n");
    const std::string mark = (device.state() / "killed-once").string();
    device.start({"/bin/sh", "-c",
                  "if [ -e " + mark + " ]; then exec \"$@\"; fi; : > " + mark +
                      "; exec strace -D -qq -o /dev/null -e trace=" + GetParam().calls + " -e inject=" +
                      GetParam().calls + ":signal=SIGKILL:when=" + std::to_string(number) + " \"$@\"",
                  "sh"});
    insist(device, {"module", "enable", "two"});
    insist(device, {"module", "disable", "one"});
    eventually("the enable to fail", [&] {
      return device.ctl({"module", "enable", "bad"}).output.find("78") != std::string::npos;
    });
    insist(device, {"module", "start", "one"});
    insist(device, {"module", "stop", "two"});
    expect_as_asked(device);
    // At the boot, and by the command, which may have to be given twice.
    EXPECT_THAT(read_text(starts + "one"), testing::AnyOf(".\n.\n", ".\n.\n.\n"));
    EXPECT_EQ(read_text(starts + "two"), ".\n");
    return device.log().find("agent starts again") != std::string::npos;
  }
  // As people do when the agent does not answer.
  static void insist(const SupervisedDevice& device, const std::vector<std::string>& words) {
    eventually(words[1] + " " + words[2], [&] { return device.ctl(words).status == 0; });
  }
  static void expect_as_asked(const SupervisedDevice& device) {
    // It may still be killed: what has settled is written a moment later.
    for (const auto& [name, state] :
         {std::pair("one", "idle"), std::pair("two", "disabled"), std::pair("bad", "disabled")}) {
      eventually(std::string(name) + " to be " + state, [&] {
        const auto shown = parse_json(device.ctl({"-o", "json", "module", "show", name}).output);
        const Json* found = shown && shown->is_object() ? shown->get_object().if_contains("state") : nullptr;
        return found != nullptr && *found == Json(state);
      });
    }
    for (const auto& [name, enabled] :
         {std::pair("one", "false"), std::pair("two", "true"), std::pair("bad", "false")}) {
      eventually(std::string("config.txt of ") + name, [&] {
        return read_text(device.modules() / name / "config.txt") ==
               std::string("enabled = ") + enabled + "\n";
      });
    }
  }
};

TEST_P(AgentKilled, AtEveryPersistenceStep) {
  int number = 1;
  for (bool killed = true; killed; ++number) {
    SCOPED_TRACE(std::string(GetParam().title) + " number " + std::to_string(number));
    ASSERT_NO_THROW(killed = live(number));
    ASSERT_FALSE(HasFailure());
  }
  RecordProperty("points", number - 2);
  EXPECT_GE(number - 2, GetParam().fewest);
}

INSTANTIATE_TEST_SUITE_P(Real, AgentKilled,
                         testing::Values(Kind{"Rename", "?rename,renameat,?renameat2", 10},
                                         Kind{"Sync", "fsync,fdatasync", 10},
                                         Kind{"Remove", "?unlink,unlinkat", 1}),
                         [](const auto& one) { return one.param.title; });

}  // namespace
}  // namespace starling::e2e
