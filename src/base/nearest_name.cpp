#include "base/nearest_name.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace starling {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Edits between two words, where two swapped neighbours are one (optimal string alignment); blind to case.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j - 1] + (same ? 0 : 1), last[j] + 1, row[j - 1] + 1});
      const bool swapped =
          i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

NearestName::NearestName(std::string_view typed)
    : typed_(typed), best_(std::max<std::size_t>(1, typed.size() / 3) + 1) {}

void NearestName::consider(std::string_view name) {
  constexpr std::size_t longest_compared = 140;  // the work grows with the square
  if (typed_.size() > longest_compared) return;
  const std::size_t steps = distance(typed_, name);
  if (steps < best_) {
    best_ = steps;
    nearest_ = name;
  }
}

std::string NearestName::hint() const {
  if (nearest_.empty()) return {};
  return "; did you mean " + std::string(nearest_) + "?";
}

}  // namespace starling
