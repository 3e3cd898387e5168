#include "cli/progress.hpp"

#include <gtest/gtest.h>

#include "cli/printable.hpp"

namespace starling::cli {
namespace {

TEST(Progress, TheBarFitsTheTerminal) {
  const struct {
    ProgressCounts counts;
    std::size_t width;
    std::string_view bar;
  } cases[] = {
      {{8, 4, 4, 0, 0}, 40, "[########.........] 4/8 applied, 4 pending  3 s"},
      {{8, 5, 2, 1, 0}, 60, "[###########xx....] 5/8 applied, 1 refused, 2 pending  3 s"},
      {{0, 0, 0, 0, 0}, 30, "[............] 0/0 applied  3 s"},
      {{10, 10, 0, 0, 0}, 12, "10/10 appli…"},
  };
  for (const auto& c : cases) {
    const std::string bar = progress_bar(c.counts, Seconds(3), c.width);
    EXPECT_LE(display_width(bar), c.width) << bar;
    EXPECT_EQ(bar.substr(bar.find(']') + 1), std::string(c.bar.substr(c.bar.find(']') + 1))) << bar;
  }
  EXPECT_EQ(progress_bar({4, 2, 0, 1, 1}, Seconds(0), 0),
            "[####################xxxxxxxxxx..........] 2/4 applied, 1 refused, 1 offline  0 s");
  EXPECT_EQ(progress_bar({4, 2, 0, 0, 0, 2}, Seconds(0), 0),
            "[####################....................] 2/4 applied, 2 cannot answer  0 s");
  EXPECT_EQ(progress_bar({.targeted = 4, .applied = 2, .masked = 1, .overtaken = 1}, Seconds(0), 0),
            "[####################xxxxxxxxxx..........] 2/4 applied, 1 overtaken, 1 masked  0 s");
}

TEST(Progress, OutcomesAreToldApart) {
  const struct {
    ProgressCounts counts;
    ExitCode code;
  } cases[] = {
      {{3, 3, 0, 0, 0}, ExitCode::done},
      {{0, 0, 0, 0, 0}, ExitCode::done},
      {{3, 2, 0, 1, 0}, ExitCode::refused},
      {{3, 1, 0, 1, 1}, ExitCode::refused},
      {{3, 2, 0, 0, 1}, ExitCode::unfinished},
      {{3, 2, 1, 0, 0}, ExitCode::unfinished},
      {{3, 2, 0, 0, 0, 1}, ExitCode::done},
      {{3, 1, 0, 0, 1, 1}, ExitCode::unfinished},
      {{.targeted = 3, .applied = 2, .masked = 1}, ExitCode::done},
      {{.targeted = 1, .masked = 1}, ExitCode::refused},
      {{.targeted = 2, .lacks_module = 1, .masked = 1}, ExitCode::refused},
      {{.targeted = 2, .cannot_answer = 1, .masked = 1}, ExitCode::done},
      {{.targeted = 2, .offline = 1, .masked = 1}, ExitCode::unfinished},
      {{.targeted = 3, .applied = 2, .overtaken = 1}, ExitCode::refused},
  };
  for (const auto& c : cases)
    EXPECT_EQ(outcome_of(c.counts), c.code);
}

}  // namespace
}  // namespace starling::cli
