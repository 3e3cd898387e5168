#include "cli/table.hpp"

#include <gtest/gtest.h>

namespace starling::cli {
namespace {

Table sample() {
  Table table({{"NAME", Table::Align::left, true}, {"REVISION", Table::Align::right}, {"WHY"}});
  table.add({"bear-1", "7", "because"});
  table.add({"熊", "1234", ""});
  return table;
}

TEST(Table, AlignsColumnsWithoutTrailingSpaces) {
  EXPECT_EQ(sample().render({}),
            "NAME    REVISION  WHY\n"
            "bear-1         7  because\n"
            "熊          1234  -\n");
}

TEST(Table, ShrinksTheWidestColumnThatMay) {
  Table table({{"NAME", Table::Align::left, true}, {"ID"}});
  table.add({"a very long name indeed", "0192f0c1-7a30"});
  Terminal narrow;
  narrow.width = 30;
  EXPECT_EQ(table.render(narrow),
            "NAME             ID\n"
            "a very long na…  0192f0c1-7a30\n");
  narrow.width = 5;  // no column gets narrower than readable
  EXPECT_EQ(table.render(narrow),
            "NAME      ID\n"
            "a very …  0192f0c1-7a30\n");
}

TEST(Table, ColoursOnlyWhereTheTerminalHasThem) {
  Table table({{"SYNC"}});
  table.add({{"in_sync", Colour::green}});
  EXPECT_EQ(table.render({}), "SYNC\nin_sync\n");
  Terminal colourful;
  colourful.colour = true;
  EXPECT_EQ(table.render(colourful), "\x1b[1mSYNC\x1b[0m\n\x1b[32min_sync\x1b[0m\n");
}

TEST(Table, CellsCannotActOnTheTerminal) {
  Table table({{"NAME"}, {"X"}});
  table.add({"\x1b]0;title\a\n", "y"});
  EXPECT_EQ(table.render({}), "NAME                X\n\\x1b]0;title\\x07\\n  y\n");
}

TEST(Table, WithoutRowsIsNothing) {
  EXPECT_EQ(Table({{"NAME"}}).render({}), "");
}

TEST(Facts, AlignValuesAndLeaveOutEmptyOnes) {
  EXPECT_EQ(render_facts({{"name", "bear-1"}, {"serial", ""}, {"timezone", "UTC"}}, {}),
            "name      bear-1\ntimezone  UTC\n");
}

TEST(Counted, KnowsOne) {
  EXPECT_EQ(counted(1, "device"), "1 device");
  EXPECT_EQ(counted(0, "device"), "0 devices");
}

}  // namespace
}  // namespace starling::cli
