#include "cli/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cli/printable.hpp"

namespace starling::cli {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest = 8;
constexpr std::size_t names_shown = 10;

}  // namespace

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size(), Cell(""));
  for (Cell& cell : row) {
    cell.text = printable(cell.text);
    if (cell.text.empty()) cell.text = "-";
  }
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::fitted_widths(std::size_t terminal_width) const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_)
    widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  if (terminal_width == 0) return widths;
  std::size_t total = std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1));
  while (total > terminal_width) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const bool may_shrink = columns_[i].shrinks && widths[i] > narrowest;
      if (may_shrink && (widest == widths.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest == widths.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

std::string Table::render_row(const std::vector<Cell>& row, const std::vector<std::size_t>& widths,
                              const Terminal& terminal) const {
  std::string line;
  std::size_t pending = 0;  // spaces that are written only if something follows them
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string text = cut_to_width(row[i].text, widths[i]);
    const std::size_t padding = widths[i] - std::min(widths[i], display_width(text));
    const bool right = columns_[i].align == Align::right;
    line.append(pending + (right ? padding : 0), ' ');
    line += paint(text, row[i].colour, terminal);
    pending = gap + (right ? 0 : padding);
  }
  return line + "\n";
}

std::string Table::render(const Terminal& terminal) const {
  if (rows_.empty()) return {};
  const std::vector<std::size_t> widths = fitted_widths(terminal.width);
  std::vector<Cell> titles;
  for (const Column& column : columns_)
    titles.emplace_back(column.title, Colour::bold);
  std::string out = render_row(titles, widths, terminal);
  for (const auto& row : rows_)
    out += render_row(row, widths, terminal);
  return out;
}

std::string render_facts(const Facts& facts, const Terminal& terminal) {
  std::size_t widest = 0;
  for (const auto& [name, value] : facts) {
    if (!value.text.empty()) widest = std::max(widest, display_width(name));
  }
  std::string out;
  for (const auto& [name, value] : facts) {
    if (value.text.empty()) continue;
    out += paint(name, Colour::dim, terminal) + std::string(widest - display_width(name) + gap, ' ');
    out += paint(printable(value.text), value.colour, terminal) + "\n";
  }
  return out;
}

std::string counted(std::int64_t count, std::string_view singular) {
  return fmt::format("{} {}{}", count, singular, count == 1 ? "" : "s");
}

std::string first_names(const std::vector<std::string>& names, std::int64_t count) {
  const std::size_t shown = std::min(names.size(), names_shown);
  std::string out;
  for (std::size_t i = 0; i < shown; ++i)
    out += (i == 0 ? "" : ", ") + names[i];
  const std::int64_t more = count - static_cast<std::int64_t>(shown);
  return more > 0 ? fmt::format("{} and {} more", out, more) : out;
}

}  // namespace starling::cli
