#include "cli/console.hpp"

#include <istream>
#include <ostream>

#include "cli/printable.hpp"

namespace starling::cli {

void Console::line(std::string_view text) {
  out_ << printable(text) << '\n';
  out_.flush();
}

void Console::raw(std::string_view safe_text) {
  out_ << safe_text;
  out_.flush();
}

void Console::note(std::string_view text) {
  err_ << paint("note: ", Colour::bold, err_terminal_) << printable(text) << '\n';
  err_.flush();
}

void Console::error(std::string_view text) {
  err_ << paint("starling: ", Colour::red, err_terminal_) << printable_lines(text) << '\n';
  err_.flush();
}

void Console::progress(std::string_view safe_text) {
  err_ << safe_text;
  err_.flush();
}

bool Console::confirm(std::string_view question) {
  if (!has_person()) return true;
  err_ << printable(question) << " [y/N] ";
  err_.flush();
  std::string answer;
  std::getline(in_, answer);
  return !answer.empty() && (answer[0] == 'y' || answer[0] == 'Y');
}

bool Console::confirm_erasing(std::string_view question) {
  if (has_person()) return confirm(question);
  note("nobody is there to be asked; --yes goes ahead without");
  return false;
}

std::string paint(std::string_view safe_text, Colour colour, const Terminal& terminal) {
  if (!terminal.colour || colour == Colour::plain) return std::string(safe_text);
  std::string_view code;
  switch (colour) {
    case Colour::plain: break;
    case Colour::bold: code = "1"; break;
    case Colour::dim: code = "2"; break;
    case Colour::green: code = "32"; break;
    case Colour::yellow: code = "33"; break;
    case Colour::red: code = "31"; break;
  }
  return "\x1b[" + std::string(code) + "m" + std::string(safe_text) + "\x1b[0m";
}

}  // namespace starling::cli
