#include "protocol/modules_document.hpp"

#include <gtest/gtest.h>

#include "protocol/canonical_json.hpp"

namespace starling::protocol {
namespace {

TEST(ModuleKeys, NameAModule) {
  EXPECT_EQ(module_of("modules.recorder.enabled"), "recorder");
  EXPECT_EQ(module_of("modules.a-b_3.enabled"), "a-b_3");
  EXPECT_EQ(module_of(enabled_key("recorder")), "recorder");
  for (const char* key : {"modules.enabled", "modules..enabled", "modules.recorder", "modules.a.b.enabled",
                          "modules.A.enabled", "modules.a/b.enabled", "hotword.models", "", "modules."}) {
    EXPECT_FALSE(module_of(key)) << key;
  }
  EXPECT_TRUE(is_module_key("modules.A.enabled"));
  EXPECT_FALSE(is_module_key("hotword.models"));
}

TEST(ModuleNames, AreThoseOfTheirFolders) {
  EXPECT_TRUE(valid_module_name("recorder"));
  EXPECT_TRUE(valid_module_name(std::string(64, 'a')));
  for (const std::string& name : {std::string(), std::string(65, 'a'), std::string("-a"), std::string("a/b"),
                                  std::string(".."), std::string("Recorder")}) {
    EXPECT_FALSE(valid_module_name(name)) << name;
  }
  EXPECT_TRUE(check_module_name("recorder"));
  EXPECT_EQ(
      check_module_name("Recorder").error().message,
      "'Recorder' is not the name of a module, which has a-z, 0-9, _ and -, at most 64 of them, a letter or "
      "digit first");
}

TEST(ModulesSection, ReadsBack) {
  const EnabledModules enabled{{"hotword", false}, {"recorder", true}};
  EXPECT_EQ(canonical_json(to_json(enabled)), R"({"hotword":{"enabled":false},"recorder":{"enabled":true}})");
  EXPECT_EQ(modules_from_json(to_json(enabled)).value(), enabled);
  EXPECT_EQ(canonical_json(to_json({})), "{}");
}

TEST(ModulesSection, IsReadWithCare) {
  const auto read = [](std::string_view text) { return modules_from_json(parse_json(text).value()); };
  EXPECT_EQ(read(R"({"a":{"enabled":true,"limits":{"memory":5}}})").value().at("a"), true);
  for (const char* text : {"[]", R"({"a":true})", R"({"a":{}})", R"({"a":{"enabled":1}})", R"({"a":null})",
                           R"({"../a":{"enabled":true}})"}) {
    EXPECT_FALSE(read(text)) << text;
  }
}

}  // namespace
}  // namespace starling::protocol
