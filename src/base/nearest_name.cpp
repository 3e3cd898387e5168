#include "base/nearest_name.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace starling {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Levenshtein's distance, blind to case.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

NearestName::NearestName(std::string_view typed)
    : typed_(typed), best_(std::max<std::size_t>(2, typed.size() / 3) + 1) {}

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
