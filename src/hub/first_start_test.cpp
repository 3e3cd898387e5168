#include "hub/first_start.hpp"

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/json_folder.hpp"
#include "hub/store/store_fixture.hpp"

namespace starling::hub {
namespace {

constexpr const char* component = R"({"x-component":"lamp","type":"object","additionalProperties":false,
    "properties":{"level":{"type":"integer","minimum":0,"maximum":10,"default":5,"description":"How bright."}}})";

class FirstStart : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) {
    ASSERT_TRUE(write_file_durably(folder_.path() / name, text));
  }
  // Applies what the plan wants; gives how many edits that were.
  std::size_t apply(const ChangeLog::Plan& plan) {
    const auto draft = plan(state_, state_.revision() + 1);
    EXPECT_TRUE(draft) << draft.error().message;
    Change change;
    change.revision = state_.revision() + 1;
    change.edits = draft->edits;
    EXPECT_TRUE(change.edits.empty() || state_.apply(change));
    return change.edits.size();
  }

  Result<protocol::Catalog> components() const {
    const auto files = read_json_folders({folder_.path()});
    return files ? protocol::catalog_of(*files) : fail(files);
  }

  TemporaryFolder folder_;
  FleetState state_{"default"};
};

TEST_F(FirstStart, ComponentFilesAreTakenOverOnceForEachVersion) {
  put("lamp.json", component);
  put("notes.txt", "not a component");
  const auto first = components();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(apply(components_plan(*first, Logger())), 1u);
  EXPECT_EQ(apply(components_plan(*first, Logger())), 0u);
  std::string changed(component);
  changed.replace(changed.find("bright"), 6, "strong");
  put("lamp.json", changed);
  EXPECT_EQ(apply(components_plan(*components(), Logger())), 1u);
  EXPECT_NE(state_.catalog().find("lamp.level"), nullptr);
}

TEST_F(FirstStart, ABrokenComponentFileIsNamed) {
  for (const char* broken :
       {"{", "{}", R"({"x-component":"lamp","type":"object","properties":{"a":{"type":"null"}}})"}) {
    put("lamp.json", broken);
    const auto read = components();
    ASSERT_FALSE(read) << broken;
    EXPECT_NE(read.error().message.find("lamp.json"), std::string::npos) << read.error().message;
  }
}

TEST_F(FirstStart, AnAliasOfTwoFilesNamesTheFileTheAliasAndBothOwners) {
  const std::string lamp = R"({"x-component":"lamp","type":"object","properties":{
      "level":{"type":"integer","default":5,"x-alias":"LEVEL"}}})";
  std::string horn = lamp;
  horn.replace(horn.find("lamp"), 4, "horn");
  put("horn.json", horn);
  put("lamp.json", lamp);
  const auto read = components();
  ASSERT_FALSE(read);
  for (const char* named : {"lamp.json", "lamp.level", "LEVEL", "horn.level"})
    EXPECT_NE(read.error().message.find(named), std::string::npos) << read.error().message;
}

TEST_F(FirstStart, TheAdminKeyIsMadeOnlyWhereThereIsNone) {
  const auto made = first_admin_key(folder_.path(), "");
  ASSERT_TRUE(made);
  EXPECT_EQ(*read_file(folder_.path() / "admin.key", 200), *made + "\n");
  EXPECT_EQ(apply(admin_key_plan(*made, 1)), 1u);
  EXPECT_EQ(apply(admin_key_plan("another-key-for-the-tests", 1)), 0u);
  EXPECT_EQ(*first_admin_key(folder_.path(), "given-by-the-environment"), "given-by-the-environment");
  const auto refused = first_admin_key(folder_.path(), "fifteen-letters");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("16 or more characters (this one has 15)"), std::string::npos)
      << refused.error().message;
}

}  // namespace
}  // namespace starling::hub
