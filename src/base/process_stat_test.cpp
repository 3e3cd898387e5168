#include "base/process_stat.hpp"

#include <gtest/gtest.h>

#include <string>

namespace starling {
namespace {

TEST(ProcessStat, IsReadWhateverTheProgramIsCalled) {
  const std::string rest =
      " R 7 8 9 0 -1 4194304 1 0 0 0 11 22 0 0 20 0 1 0 98765 1 2 18446744073709551615 1\n";
  for (const char* name : {"cat", "a b", "a) S 1 (b)", ") R 9 (", "", "(((", "x)"}) {
    const auto entry = parse_process_stat("42 (" + std::string(name) + ")" + rest);
    ASSERT_TRUE(entry) << name;
    EXPECT_EQ(entry->pid, 42);
    EXPECT_EQ(entry->state, 'R');
    EXPECT_EQ(entry->parent, 7);
    EXPECT_EQ(entry->group, 8);
    EXPECT_EQ(entry->session, 9);
    EXPECT_EQ(entry->cpu_ticks, 33u);
    EXPECT_EQ(entry->start_time, 98765u);
  }
}

TEST(ProcessStat, IsNothingOfAnotherText) {
  for (const char* text : {"", "x", ")", "42 (a", "42 (a)", "42 (a) ", "42 (a) R 1 2", "42 (a) R x y z",
                           "42 (a) S x 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 5 1"})
    EXPECT_FALSE(parse_process_stat(text)) << text;
}

}  // namespace
}  // namespace starling
