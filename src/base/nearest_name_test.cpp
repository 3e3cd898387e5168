#include "base/nearest_name.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace starling {
namespace {

std::string_view nearest(std::string_view typed, std::initializer_list<std::string_view> names) {
  NearestName search(typed);
  for (const std::string_view name : names)
    search.consider(name);
  return search.name();
}

TEST(NearestName, FindsSlipsAndNothingElse) {
  const std::initializer_list<std::string_view> names{"TARS", "Jarvis", "bear-1"};
  EXPECT_EQ(nearest("TRAS", names), "TARS") << "two swapped letters are one slip";
  EXPECT_EQ(nearest("jarvis", names), "Jarvis");
  EXPECT_EQ(nearest("bear1", names), "bear-1");
  EXPECT_EQ(nearest("C3PO", names), "");
  EXPECT_EQ(nearest("TACO", names), "") << "half of a short word is another word";
  EXPECT_EQ(nearest(std::string(200, 'x'), names), "") << "too long to be compared";
}

TEST(NearestName, GivesAHint) {
  NearestName typed("exce");
  EXPECT_EQ(typed.hint(), "");
  typed.consider("exec");
  EXPECT_EQ(typed.hint(), "; did you mean exec?");
}

}  // namespace
}  // namespace starling
