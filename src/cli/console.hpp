// Purpose: the two streams that a person reads, and what their terminal can do.
// Owner: main(). Thread: one. Lifetime: outlives every command; the streams outlive the Console.
//
// Everything that goes through line(), note() and error() is made printable first: what a hub sends cannot
// act on the terminal. raw() is for text that was made safe already (tables, JSON, the progress bar).
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

namespace starling::cli {

struct Terminal {
  bool interactive = false;  // a person looks at it: lines may be overwritten
  bool colour = false;
  std::size_t width = 0;   // 0: unlimited
  std::size_t height = 0;  // 0: unlimited
};

inline constexpr std::string_view clear_screen = "\x1b[H\x1b[2J";

enum class Colour { plain, bold, dim, green, yellow, red };

class Console {
 public:
  Console(std::istream& in, std::ostream& out, std::ostream& err, Terminal out_terminal,
          Terminal err_terminal)
      : in_(in), out_(out), err_(err), out_terminal_(out_terminal), err_terminal_(err_terminal) {}

  void line(std::string_view text);
  void raw(std::string_view safe_text);
  void note(std::string_view text);           // to stderr, "note: ..."
  void error(std::string_view text);          // to stderr, "starling: ..."; line feeds are kept
  void progress(std::string_view safe_text);  // to stderr, as is

  // Asks on stderr; true if the answer begins with y. Without a person to ask it is true: a script means it.
  bool confirm(std::string_view question);
  // The same of what nobody can bring back: without a person it is false, with a note.
  bool confirm_erasing(std::string_view question);

  std::istream& in() { return in_; }
  const Terminal& out_terminal() const { return out_terminal_; }
  const Terminal& err_terminal() const { return err_terminal_; }

 private:
  bool has_person() const { return err_terminal_.interactive && out_terminal_.interactive; }

  std::istream& in_;
  std::ostream& out_;
  std::ostream& err_;
  Terminal out_terminal_;
  Terminal err_terminal_;
};

std::string paint(std::string_view safe_text, Colour colour, const Terminal& terminal);

}  // namespace starling::cli
