#include "agent/components.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/build_folders.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* lamp =
    R"({"x-component": "lamp", "title": "Lamp", "type": "object", "properties": {
        "colour": {"type": "string", "default": "warm", "x-alias": "LAMP_COLOUR"}}})";

struct ComponentsTest : testing::Test {
  ComponentsTest() { std::filesystem::create_directories(state / "components"); }
  void write(const char* name, std::string_view text) const {
    std::ofstream(state / "components" / name) << text;
  }
  Components read() const {
    auto components = read_components(source_folder() / "components", state.path());
    EXPECT_TRUE(components);
    return std::move(*components);
  }
  TemporaryFolder state;
};

TEST_F(ComponentsTest, ItsOwnAddToTheShippedOnes) {
  write("lamp.json", lamp);
  write("notes.txt", "no component");
  const Components all = read();
  EXPECT_NE(all.catalog.component("lamp"), nullptr);
  EXPECT_NE(all.catalog.component("logger"), nullptr);
  EXPECT_THAT(all.left_out, IsEmpty());
}

TEST_F(ComponentsTest, WhatCannotBeUsedIsLeftOutAndNamedAndTheRestIsUsed) {
  write("a.json", "{\"x-component\": \"a\"");
  write("b.json", R"({"x-component": "b", "properties": 7})");
  write("lamp.json", lamp);
  write("logger.json", "\xff\xfe");  // the shipped one stands in
  write("same_alias.json",
        R"({"x-component": "torch", "title": "Torch", "type": "object", "properties": {
            "colour": {"type": "string", "default": "cold", "x-alias": "LAMP_COLOUR"}}})");
  std::filesystem::create_directories(state / "components/folder.json");
  const Components all = read();
  EXPECT_NE(all.catalog.component("lamp"), nullptr);
  EXPECT_NE(all.catalog.component("logger"), nullptr);
  EXPECT_EQ(all.catalog.component("torch"), nullptr);
  EXPECT_THAT(all.left_out,
              ElementsAre(HasSubstr("components/a.json"), HasSubstr("components/b.json"),
                          HasSubstr("components/folder.json"), HasSubstr("components/logger.json"),
                          AllOf(HasSubstr("components/same_alias.json"), HasSubstr("LAMP_COLOUR"))));
}

TEST_F(ComponentsTest, ThereNeedBeNoneOfItsOwn) {
  std::filesystem::remove(state / "components");
  EXPECT_THAT(read().left_out, IsEmpty());
}

TEST_F(ComponentsTest, TheShippedOnesHaveToBeRight) {
  write("lamp.json", "{");
  const auto read = read_components(state / "components", state.path());
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("lamp.json"));
  EXPECT_FALSE(read_components(state / "nowhere", state.path()));
}

}  // namespace
}  // namespace starling::agent
