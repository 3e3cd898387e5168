// Purpose: aligned columns that fit the terminal.
// Owner: the command that prints it. Thread: one. Lifetime: short.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/console.hpp"

namespace starling::cli {

struct Cell {
  std::string text;  // any text: the table makes it printable
  Colour colour = Colour::plain;

  Cell(std::string t, Colour c = Colour::plain) : text(std::move(t)), colour(c) {}  // NOLINT: cells are text
  Cell(std::string_view t) : text(t) {}                                             // NOLINT
  Cell(const char* t) : text(t) {}                                                  // NOLINT
};

class Table {
 public:
  enum class Align { left, right };
  // Columns that `shrink` give way, the widest first, when the terminal is too narrow.
  struct Column {
    std::string title;
    Align align = Align::left;
    bool shrinks = false;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<Cell> row);  // as many cells as columns; empty ones show as "-"
  bool empty() const { return rows_.empty(); }
  // Safe text that ends in a line feed; empty if there are no rows.
  std::string render(const Terminal& terminal) const;

 private:
  std::vector<std::size_t> fitted_widths(std::size_t terminal_width) const;
  std::string render_row(const std::vector<Cell>& row, const std::vector<std::size_t>& widths,
                         const Terminal& terminal) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// Names and values below each other, the values aligned. Facts without a value are left out.
using Facts = std::vector<std::pair<std::string, Cell>>;
std::string render_facts(const Facts& facts, const Terminal& terminal);

// "3 devices", "1 device".
std::string counted(std::int64_t count, std::string_view singular);
// "bear, owl and 3 more": of `count` things the first few of those names.
std::string first_names(const std::vector<std::string>& names, std::int64_t count);

}  // namespace starling::cli
